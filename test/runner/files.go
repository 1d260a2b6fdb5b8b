//go:build e2e

package runner

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The files through which a step gives commands, by the prefix of their names.
const (
	outputFile  = "set_output_"
	stateFile   = "save_state_"
	summaryFile = "step_summary_"
	envFile     = "set_env_"
	pathFile    = "add_path_"
)

// files are those of one stage of one step: every one has its own.
type files struct {
	folder, suffix string
}

// newFiles makes them, empty.
func (r *Runner) newFiles(t *testing.T) files {
	t.Helper()
	f := files{r.temp("_runner_file_commands"), strings.ToLower(rand.Text())}
	for _, path := range f.variables() {
		require.NoError(t, os.WriteFile(path, nil, 0o644))
	}
	return f
}

// variables name them to the step.
func (f files) variables() map[string]string {
	variables := map[string]string{}
	for variable, prefix := range map[string]string{
		"GITHUB_OUTPUT": outputFile, "GITHUB_STATE": stateFile, "GITHUB_STEP_SUMMARY": summaryFile, "GITHUB_ENV": envFile, "GITHUB_PATH": pathFile,
	} {
		variables[variable] = f.path(prefix)
	}
	return variables
}

func (f files) path(prefix string) string { return filepath.Join(f.folder, prefix+f.suffix) }

func (f files) text(t *testing.T, prefix string) string {
	t.Helper()
	data, err := os.ReadFile(f.path(prefix))
	require.NoError(t, err)
	return string(data)
}

// pairs reads NAME=VALUE lines and those of more than one line, NAME<<END … END.
func (f files) pairs(t *testing.T, prefix string) map[string]string {
	t.Helper()
	pairs := map[string]string{}
	lines := strings.Split(f.text(t, prefix), "\n")
	for i := 0; i < len(lines); i++ {
		if lines[i] == "" {
			continue
		}
		name, value, single := strings.Cut(lines[i], "=")
		if heredoc, end, several := strings.Cut(lines[i], "<<"); several && (!single || len(heredoc) < len(name)) {
			var text []string
			for i++; i < len(lines) && lines[i] != end; i++ {
				text = append(text, lines[i])
			}
			require.Less(t, i, len(lines), "the value of %q does not end", heredoc)
			name, value, single = heredoc, strings.Join(text, "\n"), true
		}
		require.True(t, single, "line %q is none that a runner takes", lines[i])
		pairs[name] = value
	}
	return pairs
}
