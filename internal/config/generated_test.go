package config_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/org/l4-canary/internal/config"
)

var update = flag.Bool("update", false, "write the generated files")

// root is the repository, seen from this package.
const root = "../.."

// regenerate is the command that messages and files name.
const regenerate = "go test ./internal/config -run Generated -update"

func TestGeneratedAction(t *testing.T) {
	t.Parallel()
	generated(t, filepath.Join(root, "action.yml"), actionMetadata(image(t)))
}

func TestGeneratedReadme(t *testing.T) {
	t.Parallel()
	path := filepath.Join(root, "README.md")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	readme := between(t, string(data), "inputs", inputTable())
	generated(t, path, between(t, readme, "outputs", outputTable()))
}

// TestActionMetadata reads action.yml as a runner does.
func TestActionMetadata(t *testing.T) {
	t.Parallel()
	type described struct {
		Description, Default, Value string
		Required                    bool
	}
	var action struct {
		Name, Description, Author string
		Branding                  struct{ Icon, Color string }
		Inputs, Outputs           map[string]described
		Runs                      map[string]any
	}
	require.NoError(t, yaml.UnmarshalStrict([]byte(actionMetadata("Dockerfile")), &action))
	require.Equal(t, "l4-canary", action.Name)
	require.Contains(t, action.Description, "Linux runners only")
	require.NotEmpty(t, action.Author)
	require.Equal(t, map[string]any{
		"using": "docker", "image": "Dockerfile", "entrypoint": "/l4-canary", "post-entrypoint": "/l4-canary-post",
	}, action.Runs)

	require.Len(t, action.Inputs, len(config.ForAction()))
	for _, input := range config.ForAction() {
		got := action.Inputs[input.Name]
		require.NotEmpty(t, got.Description, input.Name)
		require.Equal(t, actionDefault(input), got.Default, input.Name)
	}
	require.Len(t, action.Outputs, len(config.Outputs()))
	for name, output := range action.Outputs {
		require.NotEmpty(t, output.Description, name)
		require.Empty(t, output.Value, "outputs of a container action have no value: %s", name)
	}
}

// TestTableIsSound holds what every row must keep.
func TestTableIsSound(t *testing.T) {
	t.Parallel()
	for _, command := range []string{config.CommandRun, config.CommandPlan, config.CommandSample, config.Action} {
		seen := map[string]bool{}
		for _, input := range config.ForCommand(command) {
			require.False(t, seen[input.Name], "%s has %s twice", command, input.Name)
			seen[input.Name] = true
			require.Regexp(t, `^[a-z]+(-[a-z]+)*$`, input.Name)
			require.NotEmpty(t, input.Help, input.Name)
			require.False(t, strings.HasSuffix(input.Help, "."), input.Name)
		}
	}
	seen := map[string]bool{}
	for _, input := range config.ForAction() {
		require.False(t, seen[input.Name], "action.yml would have %s twice", input.Name)
		seen[input.Name] = true
	}
	require.NotContains(t, seen, "expected-weight")
}

// generated compares a file with what it should be, or writes it.
func generated(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "%s is out of date: run %s", path, regenerate)
}

// readOrEmpty is a file's text, empty where there is none.
func readOrEmpty(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if !errors.Is(err, os.ErrNotExist) {
		require.NoError(t, err)
	}
	return string(data)
}

// between puts a text between a pair of markers.
func between(t *testing.T, document, marker, text string) string {
	t.Helper()
	head, rest, found := strings.Cut(document, "<!-- "+marker+" -->\n")
	require.True(t, found, "marker %s is missing", marker)
	_, tail, found := strings.Cut(rest, "<!-- /"+marker+" -->")
	require.True(t, found, "marker /%s is missing", marker)
	return head + "<!-- " + marker + " -->\n" + text + "<!-- /" + marker + " -->" + tail
}

// quoted is a text as a double-quoted YAML scalar: JSON's quoting is a part of YAML's.
func quoted(text string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}

func actionDefault(input config.Input) string {
	if input.ActionDefault != "" {
		return input.ActionDefault
	}
	return input.Default
}

// headMetadata is what either action says of itself.
func headMetadata(name, description string) string {
	return fmt.Sprintf(`# Generated from internal/config: %s
name: %s
description: %s
author: The l4-canary authors
branding:
  icon: git-branch
  color: yellow
`, regenerate, name, description)
}

func actionMetadata(image string) string {
	var b strings.Builder
	b.WriteString(headMetadata("l4-canary",
		"Staged layer-4 canary rollouts behind a Kubernetes LoadBalancer Service, judged by what was sampled from it. Linux runners only."))
	b.WriteString(inputMetadata())
	b.WriteString("outputs:\n")
	for _, output := range config.Outputs() {
		fmt.Fprintf(&b, "  %s:\n    description: %s\n", output.Name, quoted(output.Help+"."))
	}
	fmt.Fprintf(&b, "runs:\n  using: docker\n  image: %s\n  entrypoint: /l4-canary\n  post-entrypoint: /l4-canary-post\n", image)
	return b.String()
}

// inputMetadata are the inputs, the same in both actions.
func inputMetadata() string {
	var b strings.Builder
	b.WriteString("inputs:\n")
	for _, input := range config.ForAction() {
		help := input.Help + "."
		switch {
		case strings.HasPrefix(input.Meaning, "required"):
			help += " R" + input.Meaning[1:] + "."
		case input.Meaning != "":
			help += " Default: " + input.Meaning + "."
		}
		fmt.Fprintf(&b, "  %s:\n    description: %s\n    required: false\n    default: %s\n", input.Name, quoted(help), quoted(actionDefault(input)))
	}
	return b.String()
}

func inputTable() string {
	var b strings.Builder
	b.WriteString("| input | default | meaning |\n|:--|:--|:--|\n")
	for _, input := range config.ForAction() {
		fallback := input.Meaning
		if fallback == "" {
			fallback = "`" + actionDefault(input) + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", input.Name, cell(fallback), cell(input.Help))
	}
	return b.String()
}

func outputTable() string {
	var b strings.Builder
	b.WriteString("| output | meaning |\n|:--|:--|\n")
	for _, output := range config.Outputs() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", output.Name, cell(output.Help))
	}
	return b.String()
}

// cell keeps a text within its cell of a Markdown table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
