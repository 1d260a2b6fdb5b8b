package main

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/kube"
)

func TestHolder(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_JOB": "release", "GITHUB_ACTION": "canary", "GITHUB_RUN_NUMBER": "12",
		"GITHUB_SERVER_URL": "https://git.example", "GITHUB_REPOSITORY": "acme/lobby",
		"GITHUB_WORKFLOW_REF": "acme/lobby/.github/workflows/release.yml@refs/heads/main",
	}
	c := &Command{Getenv: func(name string) string { return env[name] }}
	h := c.holder()
	require.Equal(t, "https://git.example/acme/lobby/actions/runs/77, job release", h.String())
	require.Equal(t, 12, h.Number)
	require.Equal(t, "acme/lobby/.github/workflows/release.yml", h.Workflow, "of whatever branch")
	require.NotEqual(t, h.Token, c.holder().Token)

	env = map[string]string{"CI_PIPELINE_ID": "5", "CI_JOB_NAME": "release", "CI_JOB_URL": "https://gitlab.example/5"}
	require.Equal(t, "https://gitlab.example/5, job release", c.holder().String())

	env = nil
	h = c.holder()
	require.Equal(t, os.Getpid(), h.PID)
	require.Empty(t, h.Run)
	require.NotEmpty(t, h.Boot)
}

func TestAlive(t *testing.T) {
	t.Parallel()
	c := &Command{Getenv: func(string) string { return "" }}
	me := c.holder()
	require.True(t, alive(me))
	me.Started += "1"
	require.False(t, alive(me), "another process with that number")

	sleep := exec.CommandContext(t.Context(), "sleep", "60")
	require.NoError(t, sleep.Start())
	other := kube.Holder{PID: sleep.Process.Pid, Started: started(sleep.Process.Pid)}
	require.True(t, alive(other))
	require.NoError(t, sleep.Process.Kill())
	require.Error(t, sleep.Wait())
	require.False(t, alive(other))
}
