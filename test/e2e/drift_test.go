//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// drift: somebody scales one side while a stage lasts. The run stops, names them and
// what they did, and brings the old counts back once.
func drift(t *testing.T, l *lab, side string, to int, doing meddling, drifted string) {
	t.Helper()
	namespace := "drift-" + side
	l.namespace(t, namespace)
	require.Equal(t, "promoted", l.run(t, single(t, namespace, "single", 3, "0.9.0", "1.0.0")...).report.Outcome)
	users := l.use(t, namespace, 5)
	r := l.start(t, single(t, namespace, "single", 3, "1.0.0", "1.1.0", "--steps", "50:5m,100")...)
	require.Eventually(t, func() bool { return r.passed("50") }, soon, 50*time.Millisecond)
	l.watched(t, namespace).meddle(doing)
	scaled := time.Now()
	l.kubectl(t, "-n", namespace, "scale", "deployment/"+side, fmt.Sprintf("--replicas=%d", to))
	res := r.wait(t)
	require.Equal(t, 1, res.exit)
	require.Equal(t, "rolled-back", res.report.Outcome)
	require.Equal(t, "DRIFT", res.report.Reason)
	require.Equal(t, fmt.Sprintf(`deployment %q was scaled to %d by "kubectl" while the rollout held it at 2`, side, to), res.report.Message)
	t.Logf("rolled back %.1fs after somebody scaled %s", res.report.FinishedAt.Sub(scaled).Seconds(), side)
	moves := movesOf(l.watched(t, namespace).history(), "lobby", "lobby-canary")
	require.Equal(t, []string{"0+0", "3+0", "3+1", "2+1", "2+2", drifted}, moves[:6])
	back := moves[5:]
	require.Equal(t, "3+0", back[len(back)-1])
	slices.Sort(back)
	require.Equal(t, slices.Compact(slices.Clone(back)), back, "it went straight back, and undid nothing twice")
	require.Equal(t, -1, l.replicas(t, namespace, "lobby-canary"))
	l.requireTidy(t, namespace)
	users.RequireNoneLost(t)
}
