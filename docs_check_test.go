package canary_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/org/l4-canary/test/docs"
)

var inlineCode = regexp.MustCompile("`([^`]+)`")

// check lists what is wrong with a document.
func (f facts) check(t *testing.T, path, text string) []string {
	t.Helper()
	var problems []string
	all := docs.Parts(text)
	for i, p := range all {
		var found []string
		switch {
		case strings.HasPrefix(path, "examples/"):
			if i == 0 {
				found = f.example(path, text)
			}
		case filepath.Ext(path) == ".yml":
			if i == 0 {
				found = f.steps(text)
			}
			if _, command, isRun := strings.Cut(p.Text, "run:"); isRun {
				found = append(found, f.line(command)...)
			}
		case !p.Fenced:
			found = links(filepath.Dir(path), p.Text)
			for _, code := range captures(inlineCode, p.Text) {
				found = append(found, f.line(code)...)
			}
		case p.Language == "yaml":
			found = f.steps(p.Text)
		case p.Language == "sh":
			for _, line := range docs.Lines(p.Text) {
				found = append(found, f.line(line)...)
			}
			if i+1 < len(all) && all[i+1].Language == "text" {
				found = append(found, f.output(t, p.Text, all[i+1].Text)...)
			}
		}
		for _, problem := range found {
			problems = append(problems, fmt.Sprintf("%s:%d: %s", path, p.Line, problem))
		}
	}
	return problems
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	picture = regexp.MustCompile(`<(?:img|source)\b[^>]*?\bsrc(?:set)?="([^"]+)"`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	symbols = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// links checks the links of a line, without those that leave the repository.
func links(dir, line string) []string {
	var problems []string
	for _, link := range slices.Concat(captures(link, line), captures(picture, line)) {
		if strings.Contains(link, "://") {
			continue
		}
		file, anchor, _ := strings.Cut(link, "#")
		path := filepath.Join(dir, file)
		data, err := os.ReadFile(path)
		if _, missing := os.Stat(path); missing != nil {
			problems = append(problems, path+" does not exist")
		} else if anchor != "" && (err != nil || !slices.Contains(anchors(string(data)), anchor)) {
			problems = append(problems, fmt.Sprintf("%s has no heading %q", path, anchor))
		}
	}
	return problems
}

// anchors are the headings as GitHub makes links of them.
func anchors(document string) []string {
	var all []string
	for _, text := range captures(heading, document) {
		all = append(all, strings.ReplaceAll(symbols.ReplaceAllString(strings.ToLower(text), ""), " ", "-"))
	}
	return all
}

var (
	call     = regexp.MustCompile(`(?:^|\s)(?:bin/|/)?(l4-canary|bin/lab|make)((?:\s+\S+)*)$`)
	flagWord = regexp.MustCompile(`^--([a-z][a-z-]*)`)
)

// line checks one command line, whichever program it calls.
func (f facts) line(text string) []string {
	text, _, _ = strings.Cut(text, " #")
	match := call.FindStringSubmatch(strings.TrimSpace(text))
	if match == nil {
		return nil
	}
	words := strings.Fields(match[2])
	if i := slices.Index(words, "--"); i >= 0 {
		words = words[:i] // what follows is another program's
	}
	switch match[1] {
	case "make":
		return f.make(words)
	case "bin/lab":
		return flags("bin/lab", words, f.lab, func(string) ([]string, string) { return f.labFlags, "bin/lab" })
	}
	var commands []string
	for name := range f.commands {
		commands = append(commands, name)
	}
	return flags("l4-canary", words, commands, func(command string) ([]string, string) {
		return f.commands[command], "l4-canary " + command
	})
}

// flags checks a command and its flags.
func flags(program string, words, commands []string, of func(command string) (known []string, name string)) []string {
	if len(words) == 0 || strings.HasPrefix(words[0], "<") {
		return nil
	}
	if !slices.Contains(commands, words[0]) {
		return []string{fmt.Sprintf("%s has no command %q", program, words[0])}
	}
	var problems []string
	known, name := of(words[0])
	for _, word := range words[1:] {
		if m := flagWord.FindStringSubmatch(word); m != nil && !slices.Contains(known, m[1]) {
			problems = append(problems, fmt.Sprintf("%s has no flag --%s", name, m[1]))
		}
	}
	return problems
}

func (f facts) make(words []string) []string {
	var problems []string
	for _, word := range words {
		if !strings.Contains(word, "=") && !slices.Contains(f.targets, word) {
			problems = append(problems, fmt.Sprintf("the Makefile has no target %q", word))
		}
	}
	return problems
}

// output runs an example and compares. Only the program is run, and without a
// kubeconfig: whatever it does, it does offline.
func (f facts) output(t *testing.T, block, want string) []string {
	t.Helper()
	script := ""
	for _, line := range docs.Lines(block) {
		arguments, ours := strings.CutPrefix(line, "l4-canary ")
		if !ours {
			return []string{"only lines that begin with l4-canary are run, not: " + line}
		}
		script += f.program + " " + arguments + "\n"
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Env = []string{"HOME=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	if string(out) != want {
		return []string{fmt.Sprintf("%s prints (%v)\n%s\nand not\n%s", block, err, out, want)}
	}
	return nil
}
