package canary_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/org/l4-canary/test/docs"
)

// workflow is what a reusable workflow can be given.
type workflow struct{ Inputs, Secrets, Outputs map[string]any }

// promotes is how others call it.
const promotes = "org/l4-canary/.github/workflows/promote.yml@"

// isAction reports whether a step uses the action, in either form and by any address.
func isAction(uses string) bool {
	uses = strings.TrimPrefix(uses, "https://github.com/")
	return uses == "./" || uses == "./host" || strings.HasPrefix(uses, "org/l4-canary@") || strings.HasPrefix(uses, "org/l4-canary/host@")
}

// steps checks the inputs and outputs of everything in a block that uses the action or
// calls the workflow.
func (f facts) steps(block string) []string {
	var document any
	if err := yaml.Unmarshal([]byte(block), &document); err != nil {
		return []string{err.Error()}
	}
	ids := map[string]bool{}
	problems := f.stepsIn(document, ids)
	for _, match := range stepOutput.FindAllStringSubmatch(block, -1) {
		if ids[match[1]] && !slices.Contains(f.outputs, match[2]) {
			problems = append(problems, fmt.Sprintf("the action has no output %q", match[2]))
		}
	}
	return problems
}

var stepOutput = regexp.MustCompile(`steps\.([A-Za-z0-9_-]+)\.outputs\.([a-z][a-z-]*)`)

// stepsIn notes the ids of steps that use the action.
func (f facts) stepsIn(node any, ids map[string]bool) []string {
	var problems []string
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			problems = append(problems, f.stepsIn(item, ids)...)
		}
	case map[string]any:
		uses, _ := node["uses"].(string)
		if id, named := node["id"].(string); named && isAction(uses) {
			ids[id] = true
		}
		problems = f.uses(node, uses)
		for _, name := range slices.Sorted(maps.Keys(node)) {
			problems = append(problems, f.stepsIn(node[name], ids)...)
		}
	}
	return problems
}

// uses checks what one step, or one job that calls the workflow, gives.
func (f facts) uses(node map[string]any, uses string) []string {
	var problems []string
	given := func(key, what string, known func(string) bool) {
		values, _ := node[key].(map[string]any)
		for name := range values {
			if !known(name) {
				problems = append(problems, fmt.Sprintf("%s %q", what, name))
			}
		}
	}
	switch {
	case isAction(uses):
		given("with", "the action has no input", func(name string) bool { return slices.Contains(f.inputs, name) })
	case strings.HasPrefix(uses, promotes):
		given("with", "promote.yml has no input", func(name string) bool { _, known := f.workflow.Inputs[name]; return known })
		given("secrets", "promote.yml has no secret", func(name string) bool { _, known := f.workflow.Secrets[name]; return known })
	}
	return problems
}

var (
	ownVariable  = regexp.MustCompile(`L4_CANARY_([A-Z][A-Z_]*)`)
	listedFlag   = regexp.MustCompile(`(?m)^\s*- --([a-z][a-z-]*)=`)
	firstComment = regexp.MustCompile(`^(#|//) [A-Z]`)
)

// example checks a file to copy: what it is for stands at its beginning, its YAML can be
// read, and every input, output, variable, command and flag exists.
func (f facts) example(path, text string) []string {
	var problems []string
	if !firstComment.MatchString(text) {
		problems = append(problems, "the file does not begin with a comment that says what it is for")
	}
	if extension := filepath.Ext(path); extension == ".yml" || extension == ".yaml" {
		for document := range strings.SplitSeq(text, "\n---\n") {
			problems = append(problems, f.steps(document)...)
		}
	}
	for _, name := range captures(ownVariable, text) {
		if !slices.Contains(f.inputs, strings.ToLower(strings.ReplaceAll(name, "_", "-"))) {
			problems = append(problems, "there is no input for L4_CANARY_"+name)
		}
	}
	for _, name := range captures(listedFlag, text) {
		if !slices.Contains(f.commands["run"], name) {
			problems = append(problems, "l4-canary run has no flag --"+name)
		}
	}
	for _, line := range docs.Lines(text) {
		for command := range strings.SplitSeq(line, ";") {
			if !strings.HasPrefix(strings.TrimSpace(line), "#") && !strings.HasPrefix(strings.TrimSpace(line), "//") {
				problems = append(problems, f.line(command)...)
			}
		}
	}
	return problems
}

// TestWrongExamples shows that the checks of examples can fail.
func TestWrongExamples(t *testing.T) {
	t.Parallel()
	known := facts{
		inputs: []string{"steps", "outputs-file"}, outputs: []string{"outcome"},
		commands: map[string][]string{"run": {"steps"}, "rollback": nil},
	}
	const head = "# What it is for.\n"
	tests := []struct{ name, path, text, problem string }{
		{"right", "examples/a.yml", head + "on: push\njobs:\n  a:\n    steps:\n      - {id: c, uses: org/l4-canary@v1, with: {steps: 1}}\n      - run: echo ${{ steps.c.outputs.outcome }} ${{ steps.other.outputs.thing }}\n", ""},
		{"no head", "examples/a.yml", "on: push\n", "does not begin with a comment"},
		{"YAML", "examples/a.yaml", head + "a: [", "yaml"},
		{"second document", "examples/a.yaml", head + "a: b\n---\nuses: org/l4-canary@v1\nwith: {weight: 1}\n", `no input "weight"`},
		{"by its address", "examples/a.yml", head + "uses: https://github.com/org/l4-canary@v1\nwith: {weight: 1}\n", `no input "weight"`},
		{"output", "examples/a.yml", head + "- {id: c, uses: org/l4-canary/host@v1}\n- {if: \"steps.c.outputs.result == 'x'\"}\n", `no output "result"`},
		{"variable", "examples/a.yml", head + "variables: {L4_CANARY_STEP: 1}\n", "no input for L4_CANARY_STEP"},
		{"variable of no YAML", "examples/Jenkinsfile", "// What it is for.\nL4_CANARY_STEPPES = 'a'\n", "no input for L4_CANARY_STEPPES"},
		{"right variable", "examples/Jenkinsfile", "// What it is for.\nL4_CANARY_OUTPUTS_FILE = 'a'\n", ""},
		{"command", "examples/Jenkinsfile", "// What it is for.\n  l4-canary promote\n", `no command "promote"`},
		{"command by its path", "examples/a.yml", head + "script:\n  - /l4-canary run --weight 5\n", "no flag --weight"},
		{"command in a condition", "examples/a.yml", head + "script:\n  - if true; then /l4-canary undo; fi\n", `no command "undo"`},
		{"right condition", "examples/a.yml", head + "script:\n  - if true; then /l4-canary rollback; fi\n", ""},
		{"flag in a list", "examples/a.yml", head + "args:\n  - --steps=1\n  - --weight=5\n", "no flag --weight"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			problems := known.example(tt.path, tt.text)
			if tt.problem == "" {
				require.Empty(t, problems)
				return
			}
			require.Len(t, problems, 1, "%q", problems)
			require.Contains(t, problems[0], tt.problem)
		})
	}
}

// TestExamplesAreListed: docs/examples.md leads to every one of them.
func TestExamplesAreListed(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/examples.md")
	for _, path := range examples(t) {
		require.Contains(t, page, "](../"+path+")", "docs/examples.md does not say what %s is for", path)
	}
}
