package rollout_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// scout says that a node comes, or that none does.
type scout bool

func (s scout) Coming(context.Context, string) bool { return bool(s) }

// troubled is a rollout whose canary never gets its pods, for a reason.
func troubled(t *testing.T, reason rollout.Reason) (*cluster, *rollout.Rollout) {
	t.Helper()
	c := newCluster(10, 0)
	c.ready = func(side probe.Version, _ int) bool { return side == probe.Stable }
	r, _, _ := newRollout(t, c)
	c.onScale = func(c *cluster, side probe.Version, to int) error {
		trouble := rollout.Trouble{Pod: "lobby-green-x", Side: probe.Canary, Reason: reason, Message: "it waits"}
		go c.change(func(s *rollout.State) {
			s.Troubles = nil
			if side == probe.Canary && to > 0 {
				s.Troubles = []rollout.Trouble{trouble}
			}
		})
		return nil
	}
	return c, r
}

// TestGrace: trouble that may pass is waited for, and no longer than that.
func TestGrace(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		reason rollout.Reason
		scout  rollout.Scout
		want   rollout.Reason
		after  time.Duration
	}{
		"no node":           {rollout.ReasonUnschedulable, scout(false), rollout.ReasonUnschedulable, rollout.Grace},
		"nobody to ask":     {rollout.ReasonUnschedulable, nil, rollout.ReasonUnschedulable, rollout.Grace},
		"a node is coming":  {rollout.ReasonUnschedulable, scout(true), rollout.ReasonDeadline, 5 * time.Minute},
		"quota":             {rollout.ReasonQuota, scout(true), rollout.ReasonQuota, rollout.Grace},
		"a silent registry": {rollout.ReasonImage, nil, rollout.ReasonImage, rollout.Grace},
		"no reason":         {"", nil, rollout.ReasonDeadline, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r := troubled(t, row.reason)
				r.Scout = row.scout
				var asked time.Time
				scale := c.onScale
				c.onScale = func(c *cluster, side probe.Version, to int) error {
					if side == probe.Canary && to > 0 {
						asked = time.Now()
					}
					return scale(c, side, to)
				}
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Message)
				require.Equal(t, row.want, r.Record.Reason)
				require.Contains(t, r.Record.Message, "it waits")
				require.InDelta(t, row.after.Seconds(), r.Record.FinishedAt.Sub(asked).Seconds(), 15)
			})
		})
	}
}

// TestGraceEnds: what passes in time is no setback, and while pods terminate nobody
// loses patience.
func TestGraceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r := troubled(t, rollout.ReasonUnschedulable)
		c.ready = nil
		c.change(func(s *rollout.State) { s.Stable.Terminating = 1 })
		c.ready = func(probe.Version, int) bool { return false }
		time.AfterFunc(4*time.Minute, func() {
			c.ready, c.onScale = nil, nil
			c.change(func(s *rollout.State) { s.Troubles, s.Stable.Terminating = nil, 0 })
			c.becomeReady(probe.Canary)
		})
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
	})
}
