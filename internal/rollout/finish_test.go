package rollout_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// single is a rollout of R=4 S=2 of one Deployment and its copy.
func single(t *testing.T, finish rollout.Finish) (*cluster, *rollout.Rollout, *balancer) {
	t.Helper()
	c, r, b := parking(t, rollout.Park)
	r.Mode, r.Finish, r.Heir = rollout.Single, finish, c
	return c, r, b
}

func TestBootstrap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(0, 0)
		c.state.Stable.Exists = false
		r, _, j := newRollout(t, c)
		r.Mode = rollout.Bootstrap
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{"deploy stable", "baseline"}, j.stages)
		require.Equal(t, []string{"apply surroundings", "apply stable", "scale stable 10"}, c.calls)
		require.Empty(t, r.Record.NotReached)
	})
}

// TestAdopt: the copy takes the flows, stable gets the new template while it has
// no pods, and the pods move back in the same batches.
func TestAdopt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := single(t, rollout.Adopt)
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{
			"scale canary 4", "park stable 2", "scale stable 0",
			"apply stable", "scale stable 2", "park canary 2", "scale canary 2",
			"scale stable 4", "park canary 2", "scale canary 0", "delete canary",
		}, c.calls[5:])
		requireInvariants(t, c, 4, 2)
	})
}

// TestAdoptRollsBack: the new template does not serve in stable's Deployment. The
// copy takes all flows again, stable gets its old template, and the old pods come
// back: at no instant are there fewer than R.
func TestAdoptRollsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := single(t, rollout.Adopt)
		adopted := false
		c.onScale = func(c *cluster, side probe.Version, to int) error {
			if side == probe.Stable && to == 2 && c.state.Stable.Pods == 0 && !adopted {
				adopted = true
				c.ready = func(side probe.Version, _ int) bool { return side == probe.Canary }
			}
			return nil
		}
		c.onApply = func(part rollout.Part) {
			if part == rollout.OriginalStable {
				c.ready = nil
			}
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.RolledBack, r.Record.Outcome, "%s %v", r.Record.Message, r.Record.Rollback)
		require.Equal(t, rollout.ReasonDeadline, r.Record.Reason)
		require.Equal(t, []string{
			"apply stable", "scale stable 2", "scale stable 0", "apply original",
			"scale stable 2", "park canary 2", "scale canary 2",
			"scale stable 4", "park canary 2", "scale canary 0", "delete canary",
		}, c.calls[8:])
		requireInvariants(t, c, 4, 2)
	})
}

func TestHandover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := single(t, rollout.Handover)
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, "handover 4", c.calls[len(c.calls)-1])
		require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
		requireInvariants(t, c, 4, 2)
	})
}

// TestSingleRollsBack leaves no copy behind.
func TestSingleRollsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := single(t, rollout.Adopt)
		c.ready = func(side probe.Version, _ int) bool { return side == probe.Stable }
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{"scale canary 2", "scale canary 0", "delete canary"}, c.calls[2:])
	})
}
