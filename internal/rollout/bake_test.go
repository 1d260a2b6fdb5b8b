package rollout_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// baking is a rollout of R=4 S=2 that keeps old pods warm for ten minutes.
func baking(t *testing.T) (*cluster, *rollout.Rollout) {
	t.Helper()
	c, r, _ := parking(t, rollout.Park)
	r.Bake = 10 * time.Minute
	r.Ledger = &ledger{cluster: c}
	return c, r
}

// TestBake: the last old pods are parked and stay, and go when the time is up.
func TestBake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r := baking(t)
		var baked time.Duration
		began := time.Now()
		c.onScale = func(c *cluster, side probe.Version, to int) error {
			if side == probe.Stable && to == 0 {
				baked = time.Since(began)
				require.Equal(t, 2, c.state.Stable.Parked)
			}
			began = time.Now()
			return nil
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{
			"scale canary 2", "park stable 2", "scale stable 2", "remember stages 50 %",
			"scale canary 4", "park stable 2", "remember baking 100 %", "scale stable 0", "remember promoted 100 %",
		}, c.calls[4:])
		require.Greater(t, baked, r.Bake)
		require.Zero(t, r.Record.Stages[len(r.Record.Stages)-1].PlannedStage.Stable, "none of the old pods is in the Service")
		requireInvariants(t, c, 4, 2)
	})
}

// TestBakeFails: the canary breaks while the old pods are warm. They serve again at
// once, before anything else.
func TestBakeFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r := baking(t)
		time.AfterFunc(5*time.Minute, func() {
			c.change(func(s *rollout.State) {
				require.Equal(t, 2, s.Stable.Parked)
				s.Canary.Restarts = 1
			})
		})
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Message)
		require.Equal(t, rollout.ReasonFailRestarts, r.Record.Reason)
		require.Equal(t, []string{"remember baking 100 %", "unpark stable", "scale canary 2", "scale stable 4", "scale canary 0"}, c.calls[len(c.calls)-5:])
		requireInvariants(t, c, 4, 2)
	})
}

// TestWarmPodDeleted: the one that takes its place is parked as well.
func TestWarmPodDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r := baking(t)
		time.AfterFunc(5*time.Minute, func() { c.replace(probe.Stable) })
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{"remember baking 100 %", "park stable 2", "scale stable 0", "remember promoted 100 %"}, c.calls[len(c.calls)-4:])
	})
}

// TestResumeBake: whoever goes on leaves the old pods where they are, and bakes anew.
func TestResumeBake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r := baking(t)
		c.change(func(s *rollout.State) {
			s.Stable, s.Canary = pods(2), pods(4)
			s.Stable.Parked, s.Stable.Serving = 2, 0
		})
		r.Memory = memoryAt(rollout.PhaseBaking, 100, rollout.Pair, rollout.Keep)
		began := time.Now()
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{"remember baking 100 %", "scale stable 0", "remember promoted 100 %"}, c.calls)
		require.GreaterOrEqual(t, time.Since(began), r.Bake)
	})
}

// TestRestoreFromBake: the rollback of another process begins with the warm pods.
func TestRestoreFromBake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r := baking(t)
		c.change(func(s *rollout.State) {
			s.Stable, s.Canary = pods(2), pods(4)
			s.Stable.Parked, s.Stable.Serving = 2, 0
		})
		r.Memory = memoryAt(rollout.PhaseBaking, 100, rollout.Pair, rollout.Keep)
		r.Plan.Steps = nil
		require.NoError(t, r.Restore(t.Context()))
		require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Message)
		require.Equal(t, "unpark stable", c.calls[1])
		require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
		requireInvariants(t, c, 4, 2)
	})
}
