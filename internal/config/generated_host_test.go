package config_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/org/l4-canary/internal/config"
)

func TestGeneratedHostAction(t *testing.T) {
	t.Parallel()
	generated(t, filepath.Join(root, "host", "action.yml"), hostMetadata())
}

// hostMetadata is the composite action. A composite gets no INPUT_ variables and its
// outputs have values, so each row is mapped. The names have no hyphens: a shell may lie
// on the way, and some drop variables that they could not name.
func hostMetadata() string {
	var b strings.Builder
	b.WriteString(headMetadata("l4-canary on the runner",
		"l4-canary as a program on the runner itself, for clusters on 127.0.0.1 and kubeconfigs with an exec plugin."))
	b.WriteString(inputMetadata())
	b.WriteString("outputs:\n")
	for _, output := range config.Outputs() {
		fmt.Fprintf(&b, "  %s:\n    description: %s\n    value: ${{ steps.canary.outputs.%s }}\n", output.Name, quoted(output.Help+"."), output.Name)
	}
	// The conditions are what makes a cancelled job stop the first step and still wait for
	// the second, if the workflow's own step says "success() || cancelled()": a composite's
	// steps are stopped with it otherwise, whatever they say themselves.
	// https://github.com/actions/runner/blob/main/src/Runner.Worker/Handlers/CompositeActionHandler.cs
	b.WriteString(`runs:
  using: composite
  steps:
    - name: roll out
      id: canary
      if: ${{ !cancelled() }}
      shell: sh
      run: exec sh "$GITHUB_ACTION_PATH/l4-canary.sh" run
      env:
`)
	b.WriteString(variables(config.ForAction()))
	b.WriteString(`    - name: roll back what a stopped run left
      if: ${{ always() }}
      shell: sh
      run: exec sh "$GITHUB_ACTION_PATH/l4-canary.sh" post
      env:
        L4_CANARY_STEP: ${{ steps.canary.outputs.step }}
`)
	b.WriteString(variables(afterwards()))
	return b.String()
}

// afterwards are the inputs of the second step: what the program reads in its post step,
// and what tells it whether the first was a run.
func afterwards() []config.Input {
	var found []config.Input
	for _, input := range config.ForAction() {
		if input.Name == "command" || input.In(config.CommandPost) {
			found = append(found, input)
		}
	}
	return found
}

// variables maps inputs to the environment.
func variables(inputs []config.Input) string {
	var b strings.Builder
	for _, input := range inputs {
		fmt.Fprintf(&b, "        %s: ${{ inputs.%s }}\n", hostVariable(input.Name), input.Name)
	}
	return b.String()
}

func hostVariable(name string) string {
	return "INPUT_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// TestHostMetadata reads host/action.yml as a runner does.
func TestHostMetadata(t *testing.T) {
	t.Parallel()
	var action struct {
		Name, Description, Author string
		Branding                  map[string]string
		Inputs                    map[string]map[string]any
		Outputs                   map[string]struct{ Description, Value string }
		Runs                      struct {
			Using string
			Steps []struct {
				Name, ID, If, Shell, Run string
				Env                      map[string]string
			}
		}
	}
	require.NoError(t, yaml.UnmarshalStrict([]byte(hostMetadata()), &action))
	require.Equal(t, "composite", action.Runs.Using)
	require.Len(t, action.Inputs, len(config.ForAction()))
	require.Len(t, action.Outputs, len(config.Outputs()))
	for name, output := range action.Outputs {
		require.Equal(t, "${{ steps.canary.outputs."+name+" }}", output.Value)
	}
	require.Len(t, action.Runs.Steps, 2)
	first, second := action.Runs.Steps[0], action.Runs.Steps[1]
	require.Equal(t, "canary", first.ID)
	require.Len(t, first.Env, len(config.ForAction()), "every input arrives")
	for _, step := range action.Runs.Steps {
		require.NotContains(t, step.Run, "${{", "a value within a script is a part of the script")
		require.Regexp(t, `^exec `, step.Run, "no shell stays between the runner and the program")
		for variable, value := range step.Env {
			require.Regexp(t, `^[A-Z][A-Z0-9_]*$`, variable)
			if variable != "L4_CANARY_STEP" {
				require.Equal(t, first.Env[variable], value, "both steps see the same")
			}
		}
	}
	require.Equal(t, "${{ steps.canary.outputs.step }}", second.Env["L4_CANARY_STEP"])
	for _, name := range []string{"INPUT_COMMAND", "INPUT_KUBECONFIG", "INPUT_NAMESPACE", "INPUT_MANIFESTS", "INPUT_SERVICE", "INPUT_DRAIN"} {
		require.Contains(t, second.Env, name)
	}
	require.NotContains(t, second.Env, "INPUT_STEPS", "the way back has none")
}

// released is the image of a release: its version, and the very bytes.
var released = regexp.MustCompile(`^docker://ghcr\.io/org/l4-canary:(\d+\.\d+\.\d+)@sha256:[0-9a-f]{64}$`)

// image is what action.yml runs. A release has replaced it, and then host/checksums.txt is
// there and of the same version; a checkout has neither.
func image(t *testing.T) string {
	t.Helper()
	found, err := releasedImage(readOrEmpty(t, filepath.Join(root, "action.yml")), readOrEmpty(t, filepath.Join(root, "host", "checksums.txt")))
	require.NoError(t, err)
	return found
}

func releasedImage(metadata, checksums string) (string, error) {
	var action struct{ Runs struct{ Image string } }
	if err := yaml.Unmarshal([]byte(metadata), &action); err != nil {
		return "", err
	}
	found := action.Runs.Image
	match := released.FindStringSubmatch(found)
	switch {
	case match == nil && found != "Dockerfile":
		return "", fmt.Errorf("action.yml runs %q: allowed are Dockerfile, and the image of a release with its digest", found)
	case match == nil && checksums != "":
		return "", fmt.Errorf("host/checksums.txt is there, and action.yml is no release's")
	case match == nil:
		return found, nil
	}
	for _, platform := range []string{"linux_amd64", "linux_arm64"} {
		line := regexp.MustCompile(`(?m)^[0-9a-f]{64}  l4-canary_v` + regexp.QuoteMeta(match[1]) + `_` + platform + `\.tar\.gz$`)
		if len(line.FindAllString(checksums, -1)) != 1 {
			return "", fmt.Errorf("action.yml is that of %s, and host/checksums.txt has not one line for it on %s", match[1], platform)
		}
	}
	return found, nil
}

// TestReleasedImage: what a release may look like, and what stops it.
func TestReleasedImage(t *testing.T) {
	t.Parallel()
	digest := strings.Repeat("0123456789abcdef", 4)
	pinned := "docker://ghcr.io/org/l4-canary:1.2.3@sha256:" + digest
	lines := func(version string, platforms ...string) string {
		var b strings.Builder
		for _, platform := range platforms {
			fmt.Fprintf(&b, "%s  l4-canary_v%s_%s.tar.gz\n", digest, version, platform)
		}
		return b.String()
	}
	all := []string{"linux_amd64", "linux_arm64"}
	tests := []struct{ name, image, checksums, problem string }{
		{"a checkout", "Dockerfile", "", ""},
		{"a release", pinned, lines("1.2.3", all...), ""},
		{"no digest", "docker://ghcr.io/org/l4-canary:1.2.3", lines("1.2.3", all...), "allowed are Dockerfile"},
		{"another registry", "docker://ghcr.example/org/l4-canary:1.2.3@sha256:" + digest, lines("1.2.3", all...), "allowed are Dockerfile"},
		{"no checksums", pinned, "", "not one line for it on linux_amd64"},
		{"checksums of another version", pinned, lines("1.2.4", all...), "not one line for it on linux_amd64"},
		{"a platform lacks", pinned, lines("1.2.3", all[:1]...), "not one line for it on linux_arm64"},
		{"a platform twice", pinned, lines("1.2.3", "linux_amd64", "linux_arm64", "linux_amd64"), "not one line for it on linux_amd64"},
		{"checksums in a checkout", "Dockerfile", lines("1.2.3", all...), "action.yml is no release's"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := releasedImage("runs:\n  image: "+tt.image+"\n", tt.checksums)
			if tt.problem != "" {
				require.ErrorContains(t, err, tt.problem)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.image, got)
		})
	}
}
