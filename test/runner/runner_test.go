//go:build e2e

package runner_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/runner"
)

// TestMain makes the test binary a docker client, where it is called so: the runner is
// tested without an engine.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "docker" {
		os.Exit(client())
	}
	os.Exit(m.Run())
}

// called is what the client saw.
type called struct {
	Arguments []string
	Env       map[string]string
}

// client writes down how it was called and leaves what a step would, on the host's side
// of the mounts. SLOW says how many signals it takes to end it.
func client() int {
	c := called{Arguments: os.Args[1:], Env: map[string]string{}}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		c.Env[name] = value
	}
	data, err := json.Marshal(c)
	if err != nil {
		return 99
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	for variable, text := range map[string]string{
		"GITHUB_OUTPUT": "outcome<<_x_\nheld\n_x_\nempty<<_y_\n\n_y_\nplain=a=b<<c\nmany<<_z_\na\nb<<c\n_z_\n", "GITHUB_STATE": "phase=begun\n", "GITHUB_STEP_SUMMARY": "### held\n",
	} {
		if err := os.WriteFile(c.host(c.Env[variable]), []byte(text), 0o600); err != nil {
			fmt.Println(err)
			return 99
		}
	}
	if err := os.WriteFile(os.Getenv("CALLED"), data, 0o600); err != nil {
		return 99
	}
	for range len(os.Getenv("SLOW")) {
		fmt.Println("got", <-signals)
	}
	return 130 * min(1, len(os.Getenv("SLOW")))
}

// host is where a path of the container is on the host.
func (c called) host(path string) string {
	for i, argument := range c.Arguments {
		if argument != "-v" {
			continue
		}
		host, container, _ := strings.Cut(c.Arguments[i+1], ":")
		if strings.HasPrefix(path, container+"/") {
			return host + strings.TrimPrefix(path, container)
		}
	}
	return path
}

// step is one on a runner whose client is this binary.
func step(t *testing.T, slow string) (*runner.Step, func() called) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	docker := filepath.Join(t.TempDir(), "docker")
	require.NoError(t, os.Symlink(self, docker))
	r := runner.New(t, docker, "-H", "unix:///run/e2e.sock")
	record := filepath.Join(t.TempDir(), "called")
	r.Env = []string{"CALLED=" + record, "SLOW=" + slow}
	r.AfterInterrupt, r.AfterTerminate = 300*time.Millisecond, 300*time.Millisecond
	r.Job["GITHUB_RUN_ID"] = "4711"
	s := &runner.Step{
		Runner: r, Action: runner.ReadAction(t, "../../action.yml"), Image: "l4-canary:e2e", Name: "__self",
		With: map[string]string{"kubeconfig": filepath.Join(r.Workspace(), "kubeconfig"), "max-surge": "4", "manifests": "k8s/"},
	}
	return s, func() called {
		var c called
		require.Eventually(t, func() bool {
			data, err := os.ReadFile(record)
			return err == nil && json.Unmarshal(data, &c) == nil
		}, time.Minute, 5*time.Millisecond)
		require.NoError(t, os.Remove(record))
		return c
	}
}

// TestStep is a whole step and its post step.
func TestStep(t *testing.T) {
	t.Parallel()
	s, saw := step(t, "")
	s.Runner.Network = "github_network_1"
	result := s.Run(t)
	require.Zero(t, result.Exit)
	require.Equal(t, map[string]string{"outcome": "held", "empty": "", "plain": "a=b<<c", "many": "a\nb<<c"}, result.Outputs)
	require.Equal(t, "### held\n", result.Summary)
	first := saw()
	require.Equal(t, []string{"-H", "unix:///run/e2e.sock", "run", "--name"}, first.Arguments[:4])
	require.Equal(t, []string{"--label", "l4canary-e2e", "--workdir", "/github/workspace", "--rm", "-e"}, first.Arguments[5:11])
	tail := first.Arguments[slices.Index(first.Arguments, "GITHUB_ACTIONS=true")+1:]
	require.Equal(t, []string{"-e", "CI=true", "--entrypoint", "/l4-canary", "--network", "github_network_1", "-v"}, tail[:7])
	require.Equal(t, "l4-canary:e2e", tail[len(tail)-1])
	var mounted []string
	for i, argument := range tail {
		if argument == "-v" {
			_, container, _ := strings.Cut(tail[i+1], ":")
			mounted = append(mounted, container)
		}
	}
	require.Equal(t, []string{"/var/run/docker.sock", "/github/runner_temp", "/github/home", "/github/workflow", "/github/file_commands", "/github/workspace"}, mounted)

	require.Contains(t, first.Arguments, "INPUT_MAX-SURGE", "hyphens stay")
	require.NotContains(t, strings.Join(first.Arguments, " "), "INPUT_MAX-SURGE=", "values are not in the arguments")
	for name, value := range map[string]string{
		"INPUT_MAX-SURGE": "4", "INPUT_STEPS": "auto", "INPUT_KUBECONFIG": "/github/workspace/kubeconfig", "INPUT_MANIFESTS": "k8s/", "INPUT_CONTEXT": "",
		"GITHUB_WORKSPACE": "/github/workspace", "RUNNER_TEMP": "/github/runner_temp", "GITHUB_EVENT_PATH": "/github/workflow/event.json", "HOME": "/github/home",
		"GITHUB_RUN_ID": "4711", "GITHUB_ACTION": "__self",
	} {
		require.Equal(t, value, first.Env[name], name)
	}
	require.NotContains(t, first.Env, "STATE_phase")

	require.Zero(t, s.Post(t).Exit)
	second := saw()
	require.Contains(t, second.Arguments, "/l4-canary-post")
	require.Equal(t, "begun", second.Env["STATE_phase"], "what the step has saved")
	require.Equal(t, "4", second.Env["INPUT_MAX-SURGE"])
	require.NotEqual(t, first.Env["GITHUB_OUTPUT"], second.Env["GITHUB_OUTPUT"], "every stage has files of its own")
	require.NotEqual(t, first.Arguments[4], second.Arguments[4], "and a container of its own")
}

// TestCancel: the client gets one signal after the other, and is killed in the end.
func TestCancel(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, slow string
		signals    []string
		exit       int
	}{
		{"obeys", "1", []string{"interrupt"}, 130},
		{"needs two", "11", []string{"interrupt", "terminated"}, 130},
		{"obeys nobody", "111", []string{"interrupt", "terminated", "killed"}, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, saw := step(t, tt.slow)
			c := s.Start(t)
			saw()
			result := c.Cancel(t)
			require.Equal(t, tt.signals, result.Signals)
			require.Equal(t, tt.exit, result.Exit)
			require.Equal(t, "held", result.Outputs["outcome"], "the files are read whatever became of it")
		})
	}
}
