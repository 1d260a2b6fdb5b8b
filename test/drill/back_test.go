//go:build e2e

package drill

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

// back is one case in which the way back itself is killed, and then gone again.
type back struct {
	mode
	at    point
	after bool
}

// place implements drilled.
func (b back) place() place {
	return place{b.kind + ": the rollback is killed", b.at.String(), when(b.after)}
}

// begun is where the rollout is that is rolled back: as far from where it began as
// it comes while its pods still move.
func (m mode) begun() point {
	switch m.finish {
	case "adopt":
		return point{"park a pod of " + m.canary, 1}
	case "handover":
		return point{"create deployment", 1}
	}
	return point{"park a pod of " + m.stable, 2}
}

// carry implements drilled.
func (b back) carry(t *testing.T, l *harness.Lab, namespace string) result {
	t.Helper()
	res, _ := b.undo(t, l, namespace)
	return res
}

// undo carries the case out and returns the writes of the rollback, all of them if
// there is no point to kill it at.
func (b back) undo(t *testing.T, l *harness.Lab, namespace string) (res result, points []point) {
	t.Helper()
	began := time.Now()
	original := b.deploy(t, l, namespace)
	u := attend(t, l, namespace)
	begun, _ := strike(t, l, b.begun(), true, func(kubeconfig string) []string {
		return b.arguments(kubeconfig, namespace, b.write(t, true))
	})
	require.Equal(t, -1, begun.Exit)

	end, p := strike(t, l, b.at, b.after, func(kubeconfig string) []string { return rollback(kubeconfig, namespace) })
	if b.at.name != "" {
		if end.Exit != -1 {
			res.problems = append(res.problems, fmt.Sprintf("the write did not come: exit %d", end.Exit))
		}
		pass(t, alone)
		end = newRunner().run(t, rollback(l.Kubeconfig, namespace)...)
	}
	res.outcome = end.Outcome
	undone := end.Outcome == "rolled-back" || b.at.name == "delete the Lease" && b.after && end.Outcome == "nothing-to-do"
	if end.Exit != 0 || !undone {
		res.problems = append(res.problems, fmt.Sprintf("the rollback ended %q with exit %d: %s", end.Outcome, end.Exit, end.Message))
	}
	res.problems = append(res.problems, b.restored(b.look(t, l, namespace), original)...)
	u.leave(t, &res)
	res.took = time.Since(began)
	return res, p.writes()
}
