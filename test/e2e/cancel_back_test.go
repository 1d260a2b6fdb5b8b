//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

// liar has the new version answer half of its flows as the old one.
func liar(t *testing.T, manifests string) {
	t.Helper()
	edit(t, manifests, "image: registry.example/lobby:1.0.0",
		"image: registry.example/lobby:1.0.0\n        env: [{name: OTHER_SHARE, value: \"0.5\"}, {name: OTHER_VERSION, value: \"1.0.0\"}]")
}

// backAndCancelled is a rollout that was turned down, and cancelled while it rolled
// back.
func backAndCancelled(t *testing.T, l *lab, namespace string) ([]string, *harness.Clients) {
	t.Helper()
	arguments, users := release(t, l, namespace, "--drain", "10s", "--propagation", "2s")
	liar(t, arguments[1])
	r := l.step(t, arguments)
	require.Eventually(t, func() bool { return l.parked(t, namespace, "lobby-canary-") > 0 }, 2*time.Minute, 20*time.Millisecond)
	res := interrupt(t, r)
	require.Contains(t, res.report.Message, "it was rolling back because")
	require.Equal(t, 1, l.replicas(t, namespace, "lobby-canary"))
	return arguments, users
}

// cancelledRollback: a rollback stops as well, and is gone on with.
func cancelledRollback(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "cancelled-rollback"
	_, users := backAndCancelled(t, l, namespace)
	require.Equal(t, 0, l.post(t, namespace).exit)
	requireBack(t, l, namespace, users)
}

// rolledBackFirst: what was being rolled back is no rollout to go on with, not even
// for the same release.
func rolledBackFirst(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "rolled-back-first"
	arguments, users := backAndCancelled(t, l, namespace)
	require.Contains(t, l.command(t, "status", "--namespace", namespace).stdout, "being rolled back")
	res := l.step(t, append(arguments, "--drain", "3s")).wait(t)
	require.Equal(t, 1, res.exit)
	require.Equal(t, "FAIL_SHARE", res.report.Reason)
	require.Equal(t, "baseline", res.report.Stages[0].Name, "it began anew")
	requireBack(t, l, namespace, users)
}
