//go:build e2e

package act

import (
	"encoding/xml"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// program is the action's image, by the name that the examples have for it.
const program = "ghcr.io/org/l4-canary:1"

// workspace is where containers see the repository's folder.
const workspace = "/builds/acme/lobby"

// hurry is what whoever starts a job may give it, beside what the example does: nothing
// that is asserted here takes the minutes of a rollout that nobody is in a hurry with.
var hurry = map[string]string{"L4_CANARY_RATE": "200", "L4_CANARY_SETTLE": "2s", "L4_CANARY_DRAIN": "2s"}

// container has one of the image run a command in the repository's folder, on the
// machine's network. Mounts are a file or a folder, and where it is seen.
func (r *repository) container(t *testing.T, env, mounts map[string]string, command ...string) (output string, status int) {
	t.Helper()
	args := []string{"run", "--rm", "--network", "host", "--volume", r.dir + ":" + workspace, "--workdir", workspace, "--entrypoint", command[0]}
	for name, value := range env {
		args = append(args, "--env", name+"="+value)
	}
	for from, to := range mounts {
		args = append(args, "--volume", from+":"+to)
	}
	cmd := exec.CommandContext(t.Context(), "docker", append(append(args, program), command[1:]...)...)
	cmd.Env = append(os.Environ(), r.engine.Env()...)
	return finish(t, cmd)
}

// finish runs a process to its end, however that is.
func finish(t *testing.T, cmd *exec.Cmd) (output string, status int) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); !ended {
		require.NoError(t, err)
	}
	t.Logf("%v: %v\n%s", cmd.Args, err, out)
	return string(out), cmd.ProcessState.ExitCode()
}

// read is a file of the repository's folder.
func (r *repository) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, name))
	require.NoError(t, err)
	return string(data)
}

// replace changes a text of the example.
func (r *repository) replace(t *testing.T, from, to string) {
	t.Helper()
	text := strings.ReplaceAll(r.read(t, r.workflow), from, to)
	require.Contains(t, text, to)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, r.workflow), []byte(text), 0o644))
}

// variables are those of the outputs file, which has to be one that GitLab takes:
// https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv
func (r *repository) variables(t *testing.T, name string) map[string]string {
	t.Helper()
	text, found := r.read(t, name), map[string]string{}
	require.Less(t, len(text), 5<<10)
	for line := range strings.Lines(text) {
		require.Regexp(t, `^[A-Za-z_][A-Za-z0-9_]*=[^"'\r\n]*\n$`, line)
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		found[key] = value
	}
	require.LessOrEqual(t, len(found), 20)
	return found
}

// failures are the names of the test cases in a JUnit report that have not passed.
func (r *repository) failures(t *testing.T, name string) []string {
	t.Helper()
	var suites struct {
		Cases []struct {
			Name    string    `xml:"name,attr"`
			Failure *struct{} `xml:"failure"`
			Error   *struct{} `xml:"error"`
		} `xml:"testsuite>testcase"`
	}
	require.NoError(t, xml.Unmarshal([]byte(r.read(t, name)), &suites))
	require.NotEmpty(t, suites.Cases)
	var failed []string
	for _, c := range suites.Cases {
		if c.Failure != nil || c.Error != nil {
			failed = append(failed, c.Name)
		}
	}
	return failed
}
