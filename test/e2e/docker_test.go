//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
	"github.com/org/l4-canary/test/runner"
)

// containerAction builds the image as a runner would, with the legacy builder and bases
// made here, and runs it against the cluster with everything a runner gives: once to its
// end, and once as a job that is cancelled.
func containerAction(t *testing.T, l *lab) {
	t.Helper()
	e := harness.Docker(t)
	t.Log(e.Do(t, "build", "--network", "none", "-t", "l4-canary:e2e", e.BuildContext(t)))
	size := e.Compressed(t, "l4-canary:e2e")
	t.Logf("the image has %.1f MB, compressed", float64(size)/1e6)
	require.Less(t, size, 30_000_000)
	t.Run("to its end", func(t *testing.T) { containerPromotes(t, l, e) })
	t.Run("cancelled", func(t *testing.T) { containerCancelled(t, l, e) })
}

// actionStep is the seed's rollout as a step of a job, in a namespace of its own.
func actionStep(t *testing.T, l *lab, e *harness.Engine, namespace string) *runner.Step {
	t.Helper()
	l.namespace(t, namespace)
	r := runner.New(t, "docker")
	r.Env = e.Env()
	r.Socket = e.SocketFile()
	r.Network = "host" // this engine has no bridges
	for _, entry := range step {
		name, value, _ := strings.Cut(entry, "=")
		r.Job[name] = value
	}
	kubeconfig, err := os.ReadFile(l.kubeconfig)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(r.Workspace(), "kubeconfig"), kubeconfig, 0o600))
	require.NoError(t, os.CopyFS(filepath.Join(r.Workspace(), "k8s"), os.DirFS(filepath.Join(root, "testdata/manifests/seed"))))
	return &runner.Step{
		Runner: r, Action: runner.ReadAction(t, filepath.Join(root, "action.yml")), Image: "l4-canary:e2e", Name: "__org_l4-canary",
		With: map[string]string{
			"kubeconfig": filepath.Join(r.Workspace(), "kubeconfig"), "manifests": "k8s/", "namespace": namespace, "stable": "old-nginx",
			"stable-pattern": "(?m)^old$", "canary-pattern": "(?m)^new$", "max-surge": "4", "steps": "50,80,100",
			"rate": "200", "settle": "2s", "drain": "5s", "report-json": "report.json",
		},
	}
}

// containerPromotes is a rollout that nobody disturbs; its post step has nothing to do.
func containerPromotes(t *testing.T, l *lab, e *harness.Engine) {
	t.Helper()
	s := actionStep(t, l, e, "action")
	result := s.Run(t)
	require.Zero(t, result.Exit)
	t.Logf("outputs: %v\nsummary:\n%s", result.Outputs, result.Summary)
	for name, value := range map[string]string{
		"outcome": "promoted", "reason": "PASS", "stage": "100", "observed-weight": "100.00", "expected-weight": "100.00",
		"stable-replicas": "0", "canary-replicas": "1", "report-json": "report.json", "report-markdown": "",
	} {
		require.Contains(t, result.Outputs, name)
		require.Equal(t, value, result.Outputs[name], name)
	}
	require.True(t, strings.HasPrefix(result.Summary, "### ✅ Promoted"), result.Summary)
	l.learn(readReport(t, filepath.Join(s.Runner.Workspace(), "report.json")))
	require.Equal(t, 1, l.replicas(t, "action", "new-nginx"))
	require.Equal(t, 0, l.replicas(t, "action", "old-nginx"))

	post := s.Post(t)
	require.Zero(t, post.Exit)
	require.Contains(t, post.Log, `nothing to finish because="the rollout of Service \"nginx\" is promoted"`)
}

// containerCancelled: the first signal is enough, the report is there, and the post step
// puts the old version back.
func containerCancelled(t *testing.T, l *lab, e *harness.Engine) {
	t.Helper()
	s := actionStep(t, l, e, "action-cancelled")
	s.With["steps"] = "50:5m,80,100" // in its pause nothing moves by itself
	c := s.Start(t)
	require.Eventually(t, func() bool {
		return l.replicas(t, "action-cancelled", "new-nginx") == 1 && l.replicas(t, "action-cancelled", "old-nginx") == 1
	}, soon, 50*time.Millisecond)
	result := c.Cancel(t)
	require.Equal(t, []string{"interrupt"}, result.Signals, "the container had ended before it would have got another")
	require.Equal(t, 130, result.Exit)
	require.Equal(t, "interrupted", result.Outputs["outcome"])
	require.Equal(t, "CANCELLED", result.Outputs["reason"])
	require.NotEmpty(t, result.Summary)
	l.learn(readReport(t, filepath.Join(s.Runner.Workspace(), "report.json")))

	post := s.Post(t)
	require.Zero(t, post.Exit)
	require.Equal(t, 1, l.replicas(t, "action-cancelled", "old-nginx"))
	require.LessOrEqual(t, l.replicas(t, "action-cancelled", "new-nginx"), 0, "at zero pods, or gone")
	again := s.Post(t)
	require.Zero(t, again.Exit)
	require.Contains(t, again.Log, "nothing to finish")
}
