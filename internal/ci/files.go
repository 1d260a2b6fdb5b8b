package ci

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Output is one output of the step, as in ${{ steps.x.outputs.NAME }}.
type Output struct {
	Name  string // letters, digits, - and _
	Value string
}

// names are the outputs that a workflow can refer to.
var names = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// SetOutputs sets outputs of the step, in one write so that a killed process
// leaves all or none. Where the platform has no outputs it does nothing.
//
// The delimiter is random: go-githubactions' is a constant, and a value that
// holds it could set any other output.
func (p *Platform) SetOutputs(outputs []Output) error {
	path := p.file("GITHUB_OUTPUT")
	if path == "" {
		return nil
	}
	text, err := heredocs(outputs, "_"+rand.Text()+"_")
	if err != nil {
		return fmt.Errorf("setting outputs: %w", err)
	}
	return save(path, os.O_APPEND, text)
}

// heredocs is the form that GITHUB_OUTPUT takes.
func heredocs(outputs []Output, delimiter string) (string, error) {
	var b strings.Builder
	for _, o := range outputs {
		if !names.MatchString(o.Name) {
			return "", fmt.Errorf("output name %q: allowed are letters, digits, - and _", o.Name)
		}
		if strings.Contains(o.Value, delimiter) {
			return "", fmt.Errorf("output %q holds the delimiter of this file", o.Name)
		}
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", o.Name, delimiter, o.Value, delimiter)
	}
	return b.String(), nil
}

// Summary replaces the step's summary. GitHub gives every step a file of its
// own, at most 1 MiB of which is shown: the caller sees to that. The file is
// bind-mounted into containers, so it is truncated and written, never renamed.
func (p *Platform) Summary(markdown []byte) error {
	path := p.file("GITHUB_STEP_SUMMARY")
	if path == "" {
		return nil
	}
	return save(path, os.O_TRUNC, string(markdown))
}

// file is the path of one of GitHub's command files, empty if there is none.
func (p *Platform) file(variable string) string {
	if p.github == nil {
		return ""
	}
	return p.getenv(variable)
}

// WriteOutputs writes outputs as name=value lines, without quotes, as GitLab's
// dotenv reports and properties files take them: "-" in a name becomes "_", and
// line breaks in a value become spaces.
func (p *Platform) WriteOutputs(path string, outputs []Output) error {
	var b strings.Builder
	for _, o := range outputs {
		if !names.MatchString(o.Name) {
			return fmt.Errorf("writing %q: output name %q: allowed are letters, digits, - and _", path, o.Name)
		}
		value := strings.Join(strings.FieldsFunc(o.Value, isBreak), " ")
		fmt.Fprintf(&b, "%s=%s\n", strings.ReplaceAll(o.Name, "-", "_"), value)
	}
	return p.WriteFile(path, []byte(b.String()))
}

// WriteFile writes a file with mode 0644, making its folders. What it makes
// inside GITHUB_WORKSPACE gets the owner of the workspace: a container action
// runs as root, and the next checkout on the runner could not remove root's
// files (https://github.com/actions/runner/issues/434).
func (p *Platform) WriteFile(path string, data []byte) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	made, err := makeFolders(filepath.Dir(path))
	if err != nil {
		return err
	}
	if _, err = os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		made = append(made, path)
	}
	if err = save(path, os.O_TRUNC, string(data)); err != nil {
		return err
	}
	return giveAway(made, p.workspace(path))
}

// workspace is the folder whose owner gets path, empty if none does.
func (p *Platform) workspace(path string) string {
	root := p.getenv("GITHUB_WORKSPACE")
	if root == "" {
		return ""
	}
	relative, err := filepath.Rel(root, path)
	if err != nil || !filepath.IsLocal(relative) {
		return ""
	}
	return root
}

// makeFolders makes what is missing of a folder and lists it, outermost first.
func makeFolders(folder string) ([]string, error) {
	var missing []string
	for at := folder; ; at = filepath.Dir(at) {
		_, err := os.Stat(at)
		if err == nil || at == filepath.Dir(at) {
			break
		}
		missing = append([]string{at}, missing...)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("making folder %q: %w", folder, err)
	}
	return missing, nil
}

// save writes text to a file in one write; mode is os.O_APPEND or os.O_TRUNC.
func save(path string, mode int, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|mode, 0o644)
	if err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	return nil
}
