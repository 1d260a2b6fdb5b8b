//go:build e2e

package runner

import (
	"bytes"
	"crypto/rand"
	"errors"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Step is one step of the job that uses the action.
type Step struct {
	Runner *Runner
	Action Action
	Image  string            // what "Set up job" has pulled or built
	Name   string            // GITHUB_ACTION
	With   map[string]string // inputs by their names in action.yml

	state map[string]string // what the step has saved for its post step
}

// Result is how a container ended.
type Result struct {
	Exit    int
	Signals []string // what it took to end it
	Log     string
	Outputs map[string]string
	Summary string
}

// Run carries the step out and waits for its end.
func (s *Step) Run(t *testing.T) Result {
	t.Helper()
	return s.Start(t).Wait(t)
}

// Start begins the step.
func (s *Step) Start(t *testing.T) *Container {
	t.Helper()
	return s.begin(t, s.Action.Runs.Entrypoint)
}

// Post carries the post step out: another container of the same image, with the same
// inputs and what the step has saved.
func (s *Step) Post(t *testing.T) Result {
	t.Helper()
	require.NotEmpty(t, s.Action.Runs.PostEntrypoint)
	return s.begin(t, s.Action.Runs.PostEntrypoint).Wait(t)
}

// Container is one that runs.
type Container struct {
	cmd   *exec.Cmd
	log   bytes.Buffer
	step  *Step
	files files
	sent  []string
	ended chan error
}

// begin starts one stage of the step.
func (s *Step) begin(t *testing.T, entrypoint string) *Container {
	t.Helper()
	c := &Container{step: s, files: s.Runner.newFiles(t), ended: make(chan error, 1)}
	env := s.environment(c.files)
	arguments := append(slices.Clone(s.Runner.Client[1:]), s.arguments(env, entrypoint)...)
	c.cmd = exec.Command(s.Runner.Client[0], arguments...) //nolint:noctx // Cancel ends it as a runner does
	// The values are in the client's environment and not in its arguments, which
	// everybody on the machine can read.
	c.cmd.Env = append(os.Environ(), s.Runner.Env...)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		c.cmd.Env = append(c.cmd.Env, name+"="+env[name])
	}
	c.cmd.Dir = s.Runner.Workspace()
	c.cmd.Stdout, c.cmd.Stderr = &c.log, &c.log
	require.NoError(t, c.cmd.Start())
	go func() { c.ended <- c.cmd.Wait() }()
	return c
}

// environment is all that the container gets.
func (s *Step) environment(f files) map[string]string {
	env := map[string]string{
		"HOME": "/github/home", "GITHUB_ACTION": s.Name, "GITHUB_WORKSPACE": s.Runner.Workspace(), "RUNNER_TEMP": s.Runner.temp(), "RUNNER_OS": "Linux",
		"GITHUB_EVENT_PATH": s.Runner.temp("_github_workflow", "event.json"),
	}
	maps.Copy(env, s.Runner.Job)
	maps.Copy(env, f.variables())
	for name, input := range s.Action.Inputs {
		value := input.Default
		if strings.HasPrefix(value, "${{") {
			value = "" // there is no token here, which is the only expression that a default has
		}
		if given, found := s.With[name]; found {
			value = given
		}
		env["INPUT_"+strings.ToUpper(strings.ReplaceAll(name, " ", "_"))] = value // hyphens stay
	}
	for name, value := range s.state {
		env["STATE_"+name] = value
	}
	for name, value := range env {
		env[name] = s.Runner.translate(value)
	}
	return env
}

// arguments are those of docker, in the runner's order.
func (s *Step) arguments(env map[string]string, entrypoint string) []string {
	args := []string{
		"run", "--name", "l4canary_" + strings.ToLower(rand.Text()), "--label", "l4canary-e2e", "--workdir", "/github/workspace", "--rm",
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		args = append(args, "-e", name)
	}
	args = append(args, "-e", "GITHUB_ACTIONS=true")
	if _, set := env["CI"]; !set {
		args = append(args, "-e", "CI=true")
	}
	if entrypoint != "" {
		args = append(args, "--entrypoint", entrypoint)
	}
	if s.Runner.Network != "" {
		args = append(args, "--network", s.Runner.Network)
	}
	for _, m := range s.Runner.mounts() {
		args = append(args, "-v", m.host+":"+m.container)
	}
	return append(args, s.Image)
}

// Wait is for the container's end.
func (c *Container) Wait(t *testing.T) Result {
	t.Helper()
	return c.finish(t, <-c.ended)
}

// finish reads what the container has left.
func (c *Container) finish(t *testing.T, err error) Result {
	t.Helper()
	if err != nil {
		_, exited := errors.AsType[*exec.ExitError](err)
		require.True(t, exited, err)
	}
	r := Result{Exit: c.cmd.ProcessState.ExitCode(), Signals: c.sent, Log: c.log.String(), Outputs: c.files.pairs(t, outputFile), Summary: c.files.text(t, summaryFile)}
	c.step.state = c.files.pairs(t, stateFile)
	t.Logf("exit %d, signals %v\n%s", r.Exit, r.Signals, r.Log)
	return r
}
