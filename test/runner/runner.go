//go:build e2e

// Package runner does with a container action what GitHub's runner does: the same docker
// run, with its mounts, its environment and its files for commands; the signals of a
// cancelled job; and the post step, in another container.
//
// It was written after
// https://github.com/actions/runner/blob/v2.329.0/src/Runner.Worker/Handlers/ContainerActionHandler.cs
// and DockerCommandManager.cs, FileCommandManager.cs and ProcessInvoker.cs beside it.
package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// Runner is one job on a runner.
type Runner struct {
	Client  []string          // the docker client and what it always gets, such as its host
	Env     []string          // of the client itself
	Job     map[string]string // the job's environment: GITHUB_RUN_ID and the like
	Network string            // empty: the default bridge. A job with a service or a container has a network
	Socket  string            // of the engine, which every container action gets

	// How long a cancelled step has after SIGINT, and then after SIGTERM.
	AfterInterrupt, AfterTerminate time.Duration

	work string // the runner's work folder
}

// New is a runner with an empty workspace, for a client such as {"docker", "-H", …}.
func New(t *testing.T, client ...string) *Runner {
	t.Helper()
	r := &Runner{
		Client: client, Job: map[string]string{}, work: t.TempDir(), Socket: "/var/run/docker.sock",
		AfterInterrupt: 7500 * time.Millisecond, AfterTerminate: 2500 * time.Millisecond,
	}
	for _, dir := range []string{r.Workspace(), r.temp("_github_home"), r.temp("_github_workflow"), r.temp("_runner_file_commands")} {
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	require.NoError(t, os.WriteFile(r.temp("_github_workflow", "event.json"), []byte("{}"), 0o644))
	return r
}

// Workspace is the job's, on the host.
func (r *Runner) Workspace() string { return filepath.Join(r.work, "lobby", "lobby") }

// temp is a path within RUNNER_TEMP.
func (r *Runner) temp(names ...string) string {
	return filepath.Join(append([]string{r.work, "_temp"}, names...)...)
}

// mount is a folder that the container sees.
type mount struct{ host, container string }

// mounts are those of every container action, in the runner's order.
func (r *Runner) mounts() []mount {
	return []mount{
		{r.Socket, "/var/run/docker.sock"},
		{r.temp(), "/github/runner_temp"},
		{r.temp("_github_home"), "/github/home"},
		{r.temp("_github_workflow"), "/github/workflow"},
		{r.temp("_runner_file_commands"), "/github/file_commands"},
		{r.Workspace(), "/github/workspace"},
	}
}

// translate is a value as the container gets it: one that begins with a mounted folder
// leads to where that is mounted. The deepest folder counts.
func (r *Runner) translate(value string) string {
	best, result := "", value
	for _, m := range r.mounts() {
		within := value == m.host || strings.HasPrefix(value, m.host+"/")
		if within && len(m.host) > len(best) {
			best, result = m.host, m.container+strings.TrimPrefix(value, m.host)
		}
	}
	return result
}

// Action is what action.yml says, as far as a runner goes by it.
type Action struct {
	Inputs map[string]struct{ Default string }
	Runs   struct {
		Using, Image, Entrypoint string
		PostEntrypoint           string `json:"post-entrypoint"`
	}
}

// ReadAction reads an action.yml.
func ReadAction(t *testing.T, path string) Action {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var action Action
	require.NoError(t, yaml.Unmarshal(data, &action))
	require.Equal(t, "docker", action.Runs.Using)
	return action
}
