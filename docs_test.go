package canary_test

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/org/l4-canary/test/docs"
)

// TestDocs holds the documentation against the checkout and the program: links,
// command lines, targets of make, inputs and outputs of the action, and the output of
// every example that a block marked "text" follows. What is in examples/ is held the same
// way.
func TestDocs(t *testing.T) {
	t.Parallel()
	known := learn(t)
	for _, path := range documents(t) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			for _, problem := range known.check(t, path, string(data)) {
				t.Error(problem)
			}
		})
	}
	t.Run("wrong documents", func(t *testing.T) {
		t.Parallel()
		wrongDocuments(t, known)
	})
}

// wrongDocuments shows that the checks can fail: one document of each kind.
func wrongDocuments(t *testing.T, known facts) {
	t.Helper()
	block := func(language, text string) string { return "```" + language + "\n" + text + "\n```\n\n" }
	tests := []struct{ name, text, problem string }{
		{"link", "[a](docs/nowhere.md)", `docs/nowhere.md does not exist`},
		{"image", "![a](docs/images/nothing.png)", `docs/images/nothing.png does not exist`},
		{"picture", `<picture><source srcset="docs/images/nothing.png"><img src="docs/images/verdict.svg"></picture>`, `docs/images/nothing.png does not exist`},
		{"anchor", "[a](SECURITY.md#nothing)", `SECURITY.md has no heading "nothing"`},
		{"link after a block", block("sh", "true") + "[a](nowhere.md)", `nowhere.md does not exist`},
		{"command", block("sh", "l4-canary promote"), `l4-canary has no command "promote"`},
		{"command in a sentence", "Type `l4-canary deploy` now.", `l4-canary has no command "deploy"`},
		{"flag", block("sh", "l4-canary plan \\\n  --replica 3"), `l4-canary plan has no flag --replica`},
		{"flag behind a variable", block("sh", "KUBECONFIG=x bin/l4-canary run --pictures y"), `l4-canary run has no flag --pictures`},
		{"lab command", block("sh", "bin/lab start"), `bin/lab has no command "start"`},
		{"lab flag", block("sh", "bin/lab up --node 2"), `bin/lab has no flag --node`},
		{"target", "Run `make everything`.", `the Makefile has no target "everything"`},
		{"second target", block("sh", "make vet promote  # both"), `the Makefile has no target "promote"`},
		{"printed output", block("sh", "l4-canary plan --replicas 2") + block("text", "replicas 3"), "prints"},
		{"printed output of something else", block("sh", "date") + block("text", "today"), "only lines that begin with l4-canary are run"},
		{"input of the host action", block("yaml", "- uses: org/l4-canary/host@v1\n  with: {pictures: x}"), `the action has no input "pictures"`},
		{"input of the reusable workflow", block("yaml", "uses: org/l4-canary/.github/workflows/promote.yml@v1\nwith: {pictures: x}"), `promote.yml has no input "pictures"`},
		{"secret of the reusable workflow", block("yaml", "uses: org/l4-canary/.github/workflows/promote.yml@v1\nsecrets: {token: x}"), `promote.yml has no secret "token"`},
		{"output", block("yaml", "- id: c\n  uses: org/l4-canary@v1\n- run: echo ${{ steps.c.outputs.pictures }}"), `the action has no output "pictures"`},
		{"input", block("yaml", "- uses: org/l4-canary@v1\n  with: {pictures: x}"), `the action has no input "pictures"`},
		{"yaml", block("yaml", "- uses: org/l4-canary@v1\n with: {"), "yaml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			problems := known.check(t, "x.md", tt.text)
			require.Len(t, problems, 1)
			require.Contains(t, problems[0], tt.problem)
			require.Regexp(t, `^x\.md:\d+: `, problems[0])
		})
	}
}

// documents are all Markdown files, and the workflows for their calls of make.
func documents(t *testing.T) []string {
	t.Helper()
	paths, err := docs.Documents(".")
	require.NoError(t, err)
	workflows, err := filepath.Glob(".github/workflows/*.yml")
	require.NoError(t, err)
	paths = append(paths, workflows...)
	require.Contains(t, paths, "README.md")
	found := examples(t)
	require.Contains(t, found, "examples/jenkins/Jenkinsfile")
	return append(paths, found...)
}

// examples are the files to copy.
func examples(t *testing.T) []string {
	t.Helper()
	var paths []string
	require.NoError(t, filepath.WalkDir("examples", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, filepath.ToSlash(path))
		}
		return err
	}))
	return paths
}

// facts are what documents are held against.
type facts struct {
	program  string              // path of the compiled program
	commands map[string][]string // of l4-canary → flags
	lab      []string            // commands of bin/lab
	labFlags []string
	targets  []string
	inputs   []string // of the action, of either form
	outputs  []string
	workflow workflow // the one that others call
}

var (
	flagInHelp    = regexp.MustCompile(`(?m)^\s+(?:-\w, |\s+)--([a-z][a-z-]*)`)
	commandInHelp = regexp.MustCompile(`(?m)^  ([a-z]+)  `)
	labCommand    = regexp.MustCompile(`Use:\s+"([a-z]+)`)
	labFlag       = regexp.MustCompile(`Var\w*\([^,]+, "([a-z-]+)"`)
	target        = regexp.MustCompile(`(?m)^([a-z][a-z0-9/ -]*):(?:[^=]|$)`)
)

func learn(t *testing.T) facts {
	t.Helper()
	f := facts{program: filepath.Join(t.TempDir(), "l4-canary"), commands: map[string][]string{}}
	run(t, "env", "CGO_ENABLED=0", "go", "build", "-o", f.program, "./cmd/action")
	_, list, found := strings.Cut(run(t, f.program, "--help"), "Available Commands:")
	require.True(t, found)
	list, _, _ = strings.Cut(list, "Flags:")
	for _, name := range captures(commandInHelp, list) {
		f.commands[name] = captures(flagInHelp, run(t, f.program, name, "--help"))
	}
	require.Contains(t, f.commands["run"], "canary-pattern")
	for _, path := range []string{"lab/commands.go", "lab/root.go"} {
		source := read(t, path)
		f.lab = append(f.lab, captures(labCommand, source)...)
		f.labFlags = append(f.labFlags, captures(labFlag, source)...)
	}
	require.Contains(t, f.lab, "up")
	require.Contains(t, f.labFlags, "nodes")
	for _, names := range captures(target, read(t, "Makefile")) {
		f.targets = append(f.targets, strings.Fields(names)...)
	}
	require.Contains(t, f.targets, "demo")
	var action struct{ Inputs, Outputs map[string]any }
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "action.yml")), &action))
	f.inputs, f.outputs = slices.Collect(maps.Keys(action.Inputs)), slices.Collect(maps.Keys(action.Outputs))
	// A key "on" is a boolean to some readers of YAML.
	var calls struct {
		On struct {
			Called workflow `json:"workflow_call"`
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(strings.Replace(read(t, ".github/workflows/promote.yml"), "\non:", "\n\"on\":", 1)), &calls))
	f.workflow = calls.On.Called
	require.Contains(t, f.workflow.Inputs, "until")
	return f
}

func run(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// captures are the first groups of all matches.
func captures(expression *regexp.Regexp, text string) []string {
	var found []string
	for _, match := range expression.FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}
