package rollout_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// crashes is a canary pod beyond help.
func crashes() rollout.Trouble {
	return rollout.Trouble{Pod: "lobby-green-x", Side: probe.Canary, Reason: rollout.ReasonCrashLoop, Message: "crashes again and again", Fatal: true}
}

// unserving has the canaries crash when the cluster is in a state.
func unserving(s *rollout.State) {
	s.Canary.Serving, s.Canary.Available = 0, 0
	s.Troubles = []rollout.Trouble{crashes()}
}

// when does something as soon as the cluster is in a state, and a second later.
func when(c *cluster, is func(rollout.State) bool, do func()) {
	c.mu.Lock()
	there := is(c.state)
	c.mu.Unlock()
	if there {
		time.AfterFunc(time.Second, do)
		return
	}
	time.AfterFunc(100*time.Millisecond, func() { when(c, is, do) })
}

func parkedStable(s rollout.State) bool { return s.Stable.Parked > 0 }

func half(s rollout.State) bool { return s.Stable.Pods == 2 && s.Canary.Serving == 2 }

// ending is a way in which a rollout of four pods fails.
type ending struct {
	name   string
	change func(*cluster, *rollout.Rollout, *balancer)
	reason rollout.Reason
	calls  []string // from the first move on, with on-failure: hold
	pods   string
}

// endings are one of every kind.
func endings() []ending {
	lie := func(b *balancer) {
		b.answer = func(share float64, random *rand.Rand) probe.Flow { return byShare(share/5, random) }
	}
	return []ending{
		{"the share is wrong", func(_ *cluster, _ *rollout.Rollout, b *balancer) { lie(b) }, rollout.ReasonFailShare,
			[]string{"scale canary 2", "park stable 2", "scale stable 2"}, "2+2 serving 2+2"},
		{"the canary fails its flows", func(_ *cluster, _ *rollout.Rollout, b *balancer) {
			b.answer = func(share float64, random *rand.Rand) probe.Flow {
				flow := byShare(share, random)
				if flow.Version == probe.Canary {
					flow.Class, flow.Version = probe.Reset, probe.None
				}
				return flow
			}
		}, rollout.ReasonFailErrors, []string{"scale canary 2", "park stable 2", "scale stable 2", "scale canary 0"}, "2+0 serving 2+0"},
		{"the canary never serves", func(c *cluster, _ *rollout.Rollout, _ *balancer) {
			c.ready = func(side probe.Version, _ int) bool { return side == probe.Stable }
		}, rollout.ReasonDeadline, []string{"scale canary 2", "scale canary 0"}, "4+0 serving 4+0"},
		{"one of two never serves", func(c *cluster, _ *rollout.Rollout, _ *balancer) {
			c.ready = func(side probe.Version, pod int) bool { return side == probe.Stable || pod < 1 }
		}, rollout.ReasonDeadline, []string{"scale canary 2", "scale canary 1"}, "4+1 serving 4+1"},
		{"the canary breaks while stable drains", func(c *cluster, _ *rollout.Rollout, _ *balancer) {
			when(c, parkedStable, func() { c.change(unserving) })
		}, rollout.ReasonCrashLoop, []string{"scale canary 2", "park stable 2", "unpark stable", "scale canary 0"}, "4+0 serving 4+0"},
		{"the canary breaks where too little else serves", func(c *cluster, _ *rollout.Rollout, _ *balancer) {
			when(c, func(s rollout.State) bool { return s.Stable.Replicas == 0 }, func() { c.change(unserving) })
		}, rollout.ReasonCrashLoop, []string{"scale canary 2", "park stable 2", "scale stable 2", "scale canary 4", "park stable 2", "scale stable 0"}, "0+4 serving 0+0"},
		{"somebody scales", func(c *cluster, _ *rollout.Rollout, _ *balancer) {
			when(c, parkedStable, func() {
				c.change(func(s *rollout.State) { s.Canary.Replicas, s.Canary.Pods, s.Canary.Author = 5, 5, `"kubectl"` })
			})
		}, rollout.ReasonDrift, []string{"scale canary 2", "park stable 2"}, "4+5 serving 2+2"},
		{"the time is up", func(_ *cluster, r *rollout.Rollout, _ *balancer) {
			r.Pauses, r.Timeout = map[rollout.Percent]time.Duration{50: 2 * time.Hour}, time.Hour
		}, rollout.ReasonDeadline, []string{"scale canary 2", "park stable 2", "scale stable 2"}, "2+2 serving 2+2"},
	}
}

// TestHold: nothing is rolled back, canaries that do not serve leave, and the rollout
// can be gone on with or rolled back.
func TestHold(t *testing.T) {
	t.Parallel()
	for _, row := range endings() {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, b := parking(t, rollout.Park)
				l := &ledger{}
				l.cluster = newCluster(0, 0) // its calls are of no interest here
				r.Ledger, r.Stay = l, true
				row.change(c, r, b)
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.Stopped, r.Record.Outcome, r.Record.Message)
				require.Equal(t, row.reason, r.Record.Reason, r.Record.Message)
				require.Nil(t, r.Record.Rollback)
				require.Equal(t, row.calls, c.calls[2:])
				require.Equal(t, row.pods, c.pods[len(c.pods)-1])
				last := l.kept[len(l.kept)-1]
				require.True(t, last.Unfinished())
				require.False(t, last.Undoing)
			})
		})
	}
}

// TestHoldThenBack: what on-failure: hold left is rolled back or gone on with.
func TestHoldThenBack(t *testing.T) {
	t.Parallel()
	for _, back := range []bool{true, false} {
		t.Run(fmt.Sprintf("back %t", back), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, b := parking(t, rollout.Park)
				l := &ledger{cluster: c}
				r.Ledger, r.Stay = l, true
				b.answer = func(share float64, random *rand.Rand) probe.Flow { return byShare(share/5, random) }
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, "2+2 serving 2+2", c.pods[len(c.pods)-1])

				_, again, _ := newRollout(t, c)
				next, _, _ := newRollout(t, c)
				again.answer, next.Options, next.Memory = nil, r.Options, &l.kept[len(l.kept)-1]
				if back {
					require.NoError(t, next.Restore(t.Context()))
					require.Equal(t, rollout.RolledBack, next.Record.Outcome, next.Record.Message)
					require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
				} else {
					require.NoError(t, next.Run(t.Context()))
					require.Equal(t, rollout.Promoted, next.Record.Outcome, next.Record.Message)
					require.Equal(t, "0+4 serving 0+4", c.pods[len(c.pods)-1])
				}
				requireInvariants(t, c, 4, 2)
			})
		})
	}
}

// TestHoldLetsReleasedPodsDrain: what nobody selects any more still has its flows.
func TestHoldLetsReleasedPodsDrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.ParkByRelease)
		r.Stay = true
		var broke time.Time
		when(c, func(s rollout.State) bool { return s.Stable.Released > 0 && s.Stable.Replicas == 2 }, func() { broke = time.Now(); c.change(unserving) })
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Stopped, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{"scale canary 2", "park stable 2", "scale stable 2", "scale canary 0", "discard stable"}, c.calls[2:])
		require.Equal(t, r.Drain, time.Since(broke))
		require.Equal(t, "2+0 serving 2+0", c.pods[len(c.pods)-1])
	})
}

// TestHoldKeepsWarmPods of the old version warm: they are not to get flows.
func TestHoldKeepsWarmPods(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.Park)
		r.Stay, r.Bake = true, 10*time.Minute
		when(c, func(s rollout.State) bool {
			return s.Stable.Replicas == 2 && s.Stable.Parked == 2 && s.Canary.Serving == 4
		}, func() {
			time.AfterFunc(2*time.Minute, func() { c.change(func(s *rollout.State) { s.Canary.Restarts = 1 }) })
		})
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Stopped, r.Record.Outcome, r.Record.Message)
		require.Equal(t, rollout.ReasonFailRestarts, r.Record.Reason)
		require.Equal(t, "2+4 serving 0+4", c.pods[len(c.pods)-1])
	})
}

// announcer is a journal that can be asked which stage it is in.
type announcer struct {
	journal
	now atomic.Value
}

func (a *announcer) Stage(name string) { a.now.Store(name) }

// TestInterrupted has one row for every part of a rollout: the pods stay where they
// are, to the last one.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	stage := func(name string) func(rollout.State, *announcer) bool {
		return func(_ rollout.State, a *announcer) bool { return a.now.Load() == name }
	}
	in := func(is func(rollout.State) bool) func(rollout.State, *announcer) bool {
		return func(s rollout.State, _ *announcer) bool { return is(s) }
	}
	rows := []struct {
		name  string
		there func(rollout.State, *announcer) bool // when to interrupt
		pods  string
	}{
		{"baseline", stage("baseline"), "4+0 serving 4+0"},
		{"pods start", in(func(s rollout.State) bool { return s.Canary.Pods == 2 && s.Canary.Serving == 0 }), "4+2 serving 4+0"},
		{"pods drain", in(parkedStable), "4+2 serving 2+2"},
		{"sampling", in(half), "2+2 serving 2+2"},
		{"the last stage", stage("100"), "2+4 serving 2+2"},
		{"adopting", stage("adopt"), "2+4 serving 0+4"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, _ := single(t, rollout.Adopt)
				j := &announcer{}
				l := &ledger{cluster: newCluster(0, 0)}
				r.Journal, r.Ledger = j, l
				ctx, cancel := context.WithCancel(t.Context())
				var stopped time.Time
				when(c, func(s rollout.State) bool { return row.there(s, j) }, func() { stopped = time.Now(); cancel() })
				require.NoError(t, r.Run(ctx))
				require.Equal(t, rollout.Interrupted, r.Record.Outcome, r.Record.Message)
				require.Equal(t, rollout.ReasonCancelled, r.Record.Reason)
				require.Zero(t, time.Since(stopped))
				require.Equal(t, row.pods, c.pods[len(c.pods)-1])
				requireInvariants(t, c, 4, 2)
				if len(l.kept) == 0 {
					return
				}
				next, _, _ := newRollout(t, c) // the post step
				next.Options, next.Memory, next.Heir = r.Options, &l.kept[len(l.kept)-1], c
				require.NoError(t, next.Restore(t.Context()))
				require.Equal(t, rollout.RolledBack, next.Record.Outcome, next.Record.Message)
				require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
				requireInvariants(t, c, 4, 2)
			})
		})
	}
}

// TestInterruptedWithBrokenCanaries: those leave, and nothing else moves.
func TestInterruptedWithBrokenCanaries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.Park)
		ctx, cancel := context.WithCancel(t.Context())
		when(c, half, func() { cancel(); c.change(unserving) })
		require.NoError(t, r.Run(ctx))
		require.Equal(t, rollout.Interrupted, r.Record.Outcome)
		require.Contains(t, r.Record.Message, "were removed")
		require.Equal(t, "scale canary 0", c.calls[len(c.calls)-1])
		require.Equal(t, "2+0 serving 2+0", c.pods[len(c.pods)-1])
	})
}

// TestInterruptedWithFailingCanaries: they say that they are ready, and most of
// their flows fail. One more failure, and the stage would have failed.
func TestInterruptedWithFailingCanaries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, b := parking(t, rollout.Park)
		ctx, cancel := context.WithCancel(t.Context())
		failed := 0
		b.answer = func(share float64, random *rand.Rand) probe.Flow {
			flow := byShare(share, random)
			if flow.Version == probe.Canary {
				if failed++; failed == 3 {
					cancel()
				}
				flow.Class, flow.Version = probe.Reset, probe.None
			}
			return flow
		}
		require.NoError(t, r.Run(ctx))
		require.Equal(t, rollout.Interrupted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, "2+0 serving 2+0", c.pods[len(c.pods)-1])
	})
}

// sluggish is a cluster whose writes hang from some moment on.
type sluggish struct {
	*cluster
	hang bool
}

func (s *sluggish) Scale(ctx context.Context, side probe.Version, from, to int) error {
	if s.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.cluster.Scale(ctx, side, from, to)
}

// TestInterruptedInTime: an API server that says nothing any more does not keep a
// run from stopping.
func TestInterruptedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.Park)
		slow := &sluggish{cluster: c}
		r.Cluster = slow
		ctx, cancel := context.WithCancel(t.Context())
		var stopped time.Time
		when(c, half, func() { stopped, slow.hang = time.Now(), true; cancel(); c.change(unserving) })
		require.NoError(t, r.Run(ctx))
		require.Equal(t, rollout.Interrupted, r.Record.Outcome)
		require.Less(t, time.Since(stopped), 2*time.Second)
		require.Equal(t, "2+2 serving 2+0", c.pods[len(c.pods)-1])
	})
}
