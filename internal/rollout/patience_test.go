package rollout_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// scout says that nodes come for some pods, and counts how often it was asked.
type scout struct {
	coming map[string]bool
	asked  int
}

func (s *scout) Coming(context.Context) map[string]bool {
	s.asked++
	return s.coming
}

// coming is a scout that knows of nodes for these pods.
func coming(pods ...string) *scout {
	s := &scout{coming: map[string]bool{}}
	for _, pod := range pods {
		s.coming[pod] = true
	}
	return s
}

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
		"no node":            {rollout.ReasonUnschedulable, coming(), rollout.ReasonUnschedulable, rollout.Grace},
		"a node for another": {rollout.ReasonUnschedulable, coming("lobby-green-y"), rollout.ReasonUnschedulable, rollout.Grace},
		"nobody to ask":      {rollout.ReasonUnschedulable, nil, rollout.ReasonUnschedulable, rollout.Grace},
		"a node is coming":   {rollout.ReasonUnschedulable, coming("lobby-green-x"), rollout.ReasonDeadline, 5 * time.Minute},
		"quota":              {rollout.ReasonQuota, coming("lobby-green-x"), rollout.ReasonQuota, rollout.Grace},
		"a silent registry":  {rollout.ReasonImage, nil, rollout.ReasonImage, rollout.Grace},
		"no reason":          {"", nil, rollout.ReasonDeadline, 5 * time.Minute},
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

// TestGraceOfManyPods: whoever knows of nodes is asked for all pods at once, and not with
// every one that changes.
func TestGraceOfManyPods(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many = 1000
		c, r := troubled(t, rollout.ReasonUnschedulable)
		var waiting []rollout.Trouble
		var names []string
		for i := range many {
			names = append(names, fmt.Sprintf("lobby-green-%d", i))
			waiting = append(waiting, rollout.Trouble{Pod: names[i], Side: probe.Canary, Reason: rollout.ReasonUnschedulable, Message: "it waits"})
		}
		scout := coming(names...)
		r.Scout = scout
		c.onScale = func(c *cluster, side probe.Version, to int) error {
			if side != probe.Canary || to == 0 {
				go c.change(func(s *rollout.State) { s.Troubles = nil })
				return nil
			}
			go c.change(func(s *rollout.State) { s.Troubles = waiting })
			for second := range int(4 * time.Minute / time.Second) { // one after another says that it still waits
				time.AfterFunc(time.Duration(second)*time.Second, func() { c.change(func(*rollout.State) {}) })
			}
			return nil
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.ReasonDeadline, r.Record.Reason, r.Record.Message)
		require.InDelta(t, (5*time.Minute-rollout.Grace)/(10*time.Second), scout.asked, 2)
		require.Contains(t, r.Record.Message, "lobby-green-0: it waits; ")
		require.Contains(t, r.Record.Message, "; and 990 pods more", "a message that can be read")
		require.Len(t, r.Record.Troubles, many)
	})
}

// TestWaitsAreNotTalkative: the log shows that a long wait goes on, and not each pod of it.
func TestWaitsAreNotTalkative(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const seconds = 240
		c := newCluster(10, 0)
		c.ready = func(side probe.Version, _ int) bool { return side == probe.Stable }
		r, _, _ := newRollout(t, c)
		var log bytes.Buffer
		r.Log = slog.New(slog.NewTextHandler(&log, nil))
		c.onScale = func(c *cluster, side probe.Version, to int) error {
			for second := range seconds {
				if side == probe.Canary && to > 0 {
					time.AfterFunc(time.Duration(second)*time.Second, func() { c.change(func(s *rollout.State) { s.Canary.Terminating = second }) })
				}
			}
			return nil
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.ReasonDeadline, r.Record.Reason, r.Record.Message)
		lines := strings.Count(log.String(), "waiting for pods")
		require.InDelta(t, 4+(seconds-15)/10, lines, 3, log.String())
	})
}

// TestGraceEnds: what passes in time is no setback, and while pods terminate nobody
// loses patience.
func TestGraceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r := troubled(t, rollout.ReasonUnschedulable)
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
