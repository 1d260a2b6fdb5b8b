//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/test/harness"
)

// baked: hours after the last stage, or minutes, the old pods are warm: a rollback
// begins with them.
func baked(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "baked"
	l.namespace(t, namespace)
	first := l.run(t, single(t, namespace, "single", 3, "0.9.0", "1.0.0")...)
	require.Equal(t, "promoted", first.report.Outcome)
	release := single(t, namespace, "single", 3, "1.0.0", "1.1.0", "--steps", "50,100", "--max-surge", "2", "--bake", "10m")
	r := l.start(t, release...)
	require.Eventually(t, func() bool {
		return strings.Contains(l.command(t, "status", "--namespace", namespace).stdout, "baking")
	}, soon, time.Second)
	require.Equal(t, 2, l.replicas(t, namespace, "lobby"), "two pods are warm")

	users := l.use(t, namespace, 5)
	listener := harness.Listen(t, harness.Address(t, l, namespace))
	began := time.Now()
	back := l.command(t, "rollback", "--namespace", namespace, "--drain", "2s")
	took := time.Since(began)
	require.Equal(t, 0, back.exit, back.stderr)
	old, _, silent := listener.End("1.0.0", began)
	_, last, _ := listener.End("1.1.0", began)
	require.False(t, old.IsZero())
	t.Logf("from rollback in bake: the first old answer after %.2fs, all answers old after %.2fs, done after %.2fs (three pods, drain 2 s)",
		old.Sub(began).Seconds(), max(last.Sub(began), 0).Seconds(), took.Seconds())
	require.Zero(t, silent)
	users.RequireNoneLost(t)

	res := r.wait(t)
	require.Equal(t, "TAKEN_OVER", res.report.Reason)
	require.Equal(t, 3, l.replicas(t, namespace, "lobby"))
	require.Equal(t, -1, l.replicas(t, namespace, "lobby-canary"))
	require.Contains(t, l.image(t, namespace), "1.0.0")
	l.requireTidy(t, namespace)

	res = l.run(t, append(release, "--bake", "3s")...)
	require.Equal(t, "promoted", res.report.Outcome)
	require.Contains(t, l.image(t, namespace), "1.1.0")
	require.Equal(t, 3, l.replicas(t, namespace, "lobby"))
}

// crashed: from the moment in which a canary crashes to the last answer of any canary.
func crashed(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "crashed"
	l.namespace(t, namespace)
	first := l.run(t, single(t, namespace, "single", 3, "0.9.0", "1.0.0")...)
	require.Equal(t, "promoted", first.report.Outcome)
	release := single(t, namespace, "single", 3, "1.0.0", "1.1.0", "--steps", "50:5m,100", "--max-surge", "1")
	edit(t, release[1], "image: registry.example/lobby:1.0.0", "image: registry.example/lobby:1.0.0\n        env: [{name: CRASH_AFTER, value: 25s}]")
	listener := harness.Listen(t, harness.Address(t, l, namespace))
	r := l.start(t, release...)
	crash := l.awaitCrash(t, namespace)
	res := r.wait(t)
	require.Equal(t, "rolled-back", res.report.Outcome)
	require.Contains(t, []string{"CRASH_LOOP", "FAIL_RESTARTS", "FAIL_ERRORS"}, res.report.Reason)
	_, last, _ := listener.End("1.1.0", crash.Add(-time.Second))
	t.Logf("from a crashing canary (%s) to the last answer of any canary: %.2fs; the run ended %.2fs after it",
		res.report.Reason, max(last.Sub(crash), 0).Seconds(), res.report.FinishedAt.Sub(crash).Seconds())
	require.Equal(t, 3, l.replicas(t, namespace, "lobby"))
}

// awaitCrash is when the API server learns that a container has ended.
func (l *lab) awaitCrash(t *testing.T, namespace string) time.Time {
	t.Helper()
	events, err := l.CoreV1().Pods(namespace).Watch(t.Context(), metav1.ListOptions{TimeoutSeconds: new(int64(soon / time.Second))})
	require.NoError(t, err)
	defer events.Stop()
	for event := range events.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok {
			continue
		}
		for _, status := range pod.Status.ContainerStatuses {
			if status.State.Terminated != nil && status.State.Terminated.ExitCode != 0 || status.RestartCount > 0 {
				return time.Now()
			}
		}
	}
	require.Fail(t, "no container crashed")
	return time.Time{}
}
