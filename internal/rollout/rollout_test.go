package rollout_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

func TestRolloutPromotes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(10, 0)
		r, _, j := newRollout(t, c)
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{"baseline", "10", "25", "50", "100"}, j.stages)
		require.Equal(t, []string{"baseline pass", "10 pass", "25 pass", "50 pass", "100 pass"}, j.judged)
		require.Equal(t, []string{
			"apply surroundings", "apply canary",
			"scale canary 1", "scale stable 9",
			"scale canary 3",
			"scale canary 4", "scale stable 6", "scale canary 5", "scale stable 5",
			"scale canary 8", "scale stable 2", "scale canary 10", "scale stable 0",
		}, c.calls)
		require.Empty(t, r.Record.NotReached)
		require.Empty(t, j.twice)
		for _, stage := range r.Record.Stages {
			require.Equal(t, rollout.Pass, stage.Verdict, "%s: %s", stage.Name, stage.Detail)
			require.NotNil(t, stage.Propagation)
		}
		requireInvariants(t, c, 10, 3)
	})
}

// TestRolloutDeploysStable is the seed: nothing is live, the old version goes
// first, and one pod becomes 1+1, 1+4, 0+1.
func TestRolloutDeploysStable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(0, 0)
		r, _, j := newRollout(t, c)
		r.Plan = rollout.PlanOptions{Replicas: 1, MaxSurge: 4, Steps: []rollout.Percent{50, 80, 100}, MaxWeightError: 5}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{"deploy stable", "baseline", "50", "80", "100"}, j.stages)
		require.Equal(t, []string{
			"apply surroundings", "apply stable", "scale stable 1",
			"apply surroundings", "apply canary",
			"scale canary 1", "scale canary 4", "scale stable 0", "scale canary 1",
		}, c.calls)
	})
}

func TestRolloutHoldsBelowHundred(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(10, 0)
		r, _, _ := newRollout(t, c)
		r.Plan.Steps = []rollout.Percent{10, 25}
		r.Pauses = map[rollout.Percent]time.Duration{10: 10 * time.Minute}
		began := time.Now()
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Held, r.Record.Outcome)
		require.Greater(t, time.Since(began), 10*time.Minute)
		require.Equal(t, "9+3 serving 9+3", c.pods[len(c.pods)-1])
	})
}

func TestRolloutDeletesOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(10, 0)
		r, _, _ := newRollout(t, c)
		r.Finish = rollout.Delete
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome)
		require.Equal(t, "delete stable", c.calls[len(c.calls)-1])
	})
}

// TestRolloutRollsBack has one row for every way a canary is turned down. All of
// them end at the counts they began with.
func TestRolloutRollsBack(t *testing.T) {
	t.Parallel()
	crash := rollout.Trouble{Pod: "lobby-green-x", Side: probe.Canary, Reason: rollout.ReasonCrashLoop, Message: "crashes again and again", Fatal: true}
	rows := []struct {
		name   string
		change func(*cluster, *rollout.Rollout, *balancer)
		reason rollout.Reason
		stage  string
	}{
		{
			name: "most of the canary's flows answer as old",
			change: func(_ *cluster, _ *rollout.Rollout, b *balancer) {
				b.answer = func(share float64, random *rand.Rand) probe.Flow { return byShare(share/5, random) }
			},
			reason: rollout.ReasonFailShare, stage: "10",
		},
		{
			name: "the canary fails its flows",
			change: func(_ *cluster, _ *rollout.Rollout, b *balancer) {
				b.answer = func(share float64, random *rand.Rand) probe.Flow {
					flow := byShare(share, random)
					if flow.Version == probe.Canary {
						flow.Class, flow.Version = probe.Reset, probe.None
					}
					return flow
				}
			},
			reason: rollout.ReasonFailErrors, stage: "10",
		},
		{
			name: "the canary crashes before it serves",
			change: func(c *cluster, _ *rollout.Rollout, _ *balancer) {
				c.ready = func(side probe.Version, _ int) bool { return side == probe.Stable }
				c.onScale = afterCanaries(1, func(s *rollout.State) { s.Troubles = []rollout.Trouble{crash} })
			},
			reason: rollout.ReasonCrashLoop, stage: "10",
		},
		{
			name: "the canary restarts while it is sampled",
			change: func(c *cluster, _ *rollout.Rollout, _ *balancer) {
				c.onScale = afterCanaries(3, func(s *rollout.State) { s.Canary.Restarts = 1 })
			},
			reason: rollout.ReasonFailRestarts, stage: "25",
		},
		{
			name: "the canary never becomes ready",
			change: func(c *cluster, _ *rollout.Rollout, _ *balancer) {
				c.ready = func(side probe.Version, pod int) bool { return side == probe.Stable || pod < 4 }
			},
			reason: rollout.ReasonDeadline, stage: "50",
		},
		{
			name: "somebody scales",
			change: func(c *cluster, _ *rollout.Rollout, _ *balancer) {
				c.onScale = afterCanaries(3, func(s *rollout.State) {
					s.Canary.Replicas, s.Canary.Pods, s.Canary.Author = 7, 7, `"kubectl"`
				})
			},
			reason: rollout.ReasonDrift, stage: "25",
		},
		{
			name: "somebody changes a template",
			change: func(c *cluster, _ *rollout.Rollout, _ *balancer) {
				c.onScale = afterCanaries(3, func(s *rollout.State) {
					s.Stable.Foreign, s.Stable.Change = 1, `was changed by "kubectl-set"`
				})
			},
			reason: rollout.ReasonDrift, stage: "25",
		},
		{
			name: "the prober always gets the same side",
			change: func(_ *cluster, _ *rollout.Rollout, b *balancer) {
				b.answer = func(share float64, random *rand.Rand) probe.Flow { return byShare(float64(int(share)), random) }
			},
			reason: rollout.ReasonInvalidSticky, stage: "10",
		},
		{
			name: "the run takes too long",
			change: func(_ *cluster, r *rollout.Rollout, _ *balancer) {
				r.Pauses, r.Timeout = map[rollout.Percent]time.Duration{10: 2 * time.Hour}, time.Hour
			},
			reason: rollout.ReasonDeadline, stage: "10",
		},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(10, 0)
				r, b, j := newRollout(t, c)
				row.change(c, r, b)
				require.NoError(t, r.Run(t.Context()))
				rec := r.Record
				require.Equal(t, rollout.RolledBack, rec.Outcome, rec.Message)
				require.Equal(t, row.reason, rec.Reason, rec.Message)
				require.Equal(t, row.stage, rec.Stages[len(rec.Stages)-1].Name)
				require.Equal(t, "rollback", j.stages[len(j.stages)-1])
				require.NotNil(t, rec.Rollback)
				require.Equal(t, rollout.RollbackRecord{Took: rec.Rollback.Took, Stable: 10, Canary: 0}, *rec.Rollback)
				require.Equal(t, "10+0 serving 10+0", c.pods[len(c.pods)-1])
				require.Equal(t, rec.Troubles, j.troubled)
				if row.reason != rollout.ReasonDrift { // whoever scaled went beyond R+S
					requireInvariants(t, c, 10, 3)
				}
			})
		})
	}
}

func TestRolloutAbortsOnBadBaseline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(10, 0)
		r, b, _ := newRollout(t, c)
		b.answer = func(share float64, random *rand.Rand) probe.Flow {
			flow := byShare(share, random)
			if random.Float64() < 0.2 {
				flow.Class, flow.Version = probe.Timeout, probe.None
			}
			return flow
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Aborted, r.Record.Outcome)
		require.Equal(t, rollout.ReasonBaseline, r.Record.Reason)
		require.Empty(t, c.calls)
	})
}

func TestRolloutIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(10, 2)
		r, _, _ := newRollout(t, c)
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Refused, r.Record.Outcome)
		require.Equal(t, rollout.ReasonPreflight, r.Record.Reason)
		require.Empty(t, c.calls)
	})
}

// TestRolloutStopsWhenCancelled: a signal leaves the pods where they are.
func TestRolloutStopsWhenCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(10, 0)
		r, _, _ := newRollout(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		c.onScale = afterCanaries(3, func(*rollout.State) { time.AfterFunc(10*time.Second, cancel) })
		require.NoError(t, r.Run(ctx))
		require.Equal(t, rollout.Interrupted, r.Record.Outcome)
		require.Equal(t, "9+3 serving 9+3", c.pods[len(c.pods)-1])
	})
}

// TestPropagationThatComesLate: a balancer that learns of new endpoints after
// 20 s shows the old split until then, which is no failure.
func TestPropagationThatComesLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(10, 0)
		r, b, _ := newRollout(t, c)
		var known, next float64
		var learns time.Time
		b.answer = func(share float64, random *rand.Rand) probe.Flow {
			if share != next {
				next, learns = share, time.Now().Add(20*time.Second)
			}
			if time.Now().After(learns) {
				known = next
			}
			return byShare(known, random)
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Greater(t, *r.Record.Stages[1].Propagation, 10*time.Second)
	})
}

// TestRolloutThatEndsWithItsTime: what is done when the time is up is not undone.
func TestRolloutThatEndsWithItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.Park)
		r.Ledger = &ledger{cluster: c, fail: func(m rollout.Memory) error {
			if m.Phase == rollout.PhasePromoted {
				time.Sleep(r.Timeout) // the API server takes its time, and writes it down
			}
			return nil
		}}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Nil(t, r.Record.Rollback)
	})
}

// dozing is a cluster whose watcher sleeps for a while, once, when the canary serves.
type dozing struct {
	*cluster
	sleep time.Duration
}

func (d *dozing) Next(ctx context.Context, after uint64) (rollout.State, error) {
	state, err := d.cluster.Next(ctx, after)
	if state.Canary.Serving > 0 {
		time.Sleep(d.sleep)
		d.sleep = 0
	}
	return state, err
}

// TestMoveThatIsDoneIsNotIdle: a machine that slept for longer than move-timeout looks
// first at what has become of the pods.
func TestMoveThatIsDoneIsNotIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.Park)
		r.Cluster = &dozing{c, r.MoveTimeout + time.Second}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
	})
}

// afterCanaries edits the state a second after canaries were scaled to n.
func afterCanaries(n int, edit func(*rollout.State)) func(*cluster, probe.Version, int) error {
	return func(c *cluster, side probe.Version, to int) error {
		if side == probe.Canary && to == n {
			c.onScale = nil
			time.AfterFunc(readyAfter+time.Second, func() { c.change(edit) })
		}
		return nil
	}
}

// requireInvariants holds every state the cluster was in against the bounds.
func requireInvariants(t *testing.T, c *cluster, replicas, surge int) {
	t.Helper()
	for _, line := range c.pods {
		var stable, canary, servingStable, servingCanary int
		_, err := fmt.Sscanf(line, "%d+%d serving %d+%d", &stable, &canary, &servingStable, &servingCanary)
		require.NoError(t, err)
		require.LessOrEqual(t, stable+canary, replicas+surge, "%v", c.pods)
		require.GreaterOrEqual(t, servingStable+servingCanary, replicas, "%v", c.pods)
	}
}
