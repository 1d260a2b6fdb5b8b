package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// TestRollbackInterrupted: a signal ends a rollback too. That there is no way but
// back is remembered, and whoever comes next goes it.
func TestRollbackInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, b := parking(t, rollout.Park)
		l := &ledger{cluster: newCluster(0, 0)}
		r.Ledger = l
		b.answer = func(share float64, random *rand.Rand) probe.Flow { return byShare(share/5, random) }
		ctx, cancel := context.WithCancel(t.Context())
		when(c, func(s rollout.State) bool { return s.Canary.Parked > 0 }, cancel)
		require.NoError(t, r.Run(ctx))
		require.Equal(t, rollout.Interrupted, r.Record.Outcome)
		require.Equal(t, rollout.ReasonCancelled, r.Record.Reason)
		require.Contains(t, r.Record.Message, "it was rolling back because: observed")
		require.Equal(t, "it was cancelled", r.Record.Rollback.Err)
		require.Equal(t, "4+2 serving 4+0", c.pods[len(c.pods)-1])
		last := l.kept[len(l.kept)-1]
		require.True(t, last.Undoing)
		require.Equal(t, rollout.PhaseStages, last.Phase)

		next, _, _ := newRollout(t, c)
		next.Options, next.Memory = r.Options, &last
		require.NoError(t, next.Restore(t.Context()))
		require.Equal(t, rollout.RolledBack, next.Record.Outcome)
		require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
		requireInvariants(t, c, 4, 2)
	})
}

// TestRestoreInterrupted: the command rollback stops as well.
func TestRestoreInterrupted(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{true, false} {
		t.Run(fmt.Sprintf("early %t", early), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, _ := parking(t, rollout.Park)
				c.change(func(s *rollout.State) { s.Stable, s.Canary = pods(2), pods(2) })
				ctx, cancel := context.WithCancel(t.Context())
				l := &ledger{cluster: newCluster(0, 0)}
				if early {
					l.fail = func(rollout.Memory) error { cancel(); return errors.New("cut off") }
				} else {
					when(c, func(s rollout.State) bool { return s.Canary.Parked > 0 }, cancel)
				}
				r.Ledger, r.Memory = l, memoryAt(rollout.PhaseStages, 50, rollout.Pair, rollout.Keep)
				require.NoError(t, r.Restore(ctx))
				require.Equal(t, rollout.Interrupted, r.Record.Outcome)
				require.Equal(t, rollout.ReasonCancelled, r.Record.Reason)
				if !early {
					require.True(t, l.kept[0].Undoing)
				}
				requireInvariants(t, c, 4, 2)
			})
		})
	}
}

// TestRollbackLost: somebody else takes the rollout over while it is rolled back.
func TestRollbackLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, b := parking(t, rollout.Park)
		b.answer = func(share float64, random *rand.Rand) probe.Flow { return byShare(share/5, random) }
		held, lose := context.WithCancelCause(t.Context())
		when(c, func(s rollout.State) bool { return s.Canary.Parked > 0 }, func() { lose(fmt.Errorf("%w: by process 7 on b", rollout.ErrLost)) })
		require.NoError(t, r.Run(held))
		require.Equal(t, rollout.Stopped, r.Record.Outcome)
		require.Equal(t, rollout.ReasonTakenOver, r.Record.Reason)
	})
}

// TestRollbackGoesOnUnremembered: that it is one could not be written down. What is
// remembered leads back all the same.
func TestRollbackGoesOnUnremembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, b := parking(t, rollout.Park)
		r.Ledger = &ledger{cluster: newCluster(0, 0), fail: func(m rollout.Memory) error {
			if m.Undoing {
				return errors.New("the API server is away")
			}
			return nil
		}}
		b.answer = func(share float64, random *rand.Rand) probe.Flow { return byShare(share/5, random) }
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.RolledBack, r.Record.Outcome)
		require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
	})
}

// TestRestoreThatFails: nothing that is saved of it says that all is as before, and its
// reason is why it failed.
func TestRestoreThatFails(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name   string
		within time.Duration // what whoever began it has; 0: for ever
		fail   func(c *cluster) error
		end    string
	}{
		{"the API server", 0, func(*cluster) error { return errors.New("the server is on fire") }, "UNREACHABLE: the server is on fire"},
		{"pods of stable", 0, func(c *cluster) error {
			c.change(func(s *rollout.State) {
				s.Troubles = []rollout.Trouble{{Side: probe.Stable, Reason: rollout.ReasonOOM, Fatal: true, Pod: "old-1", Message: "out of memory"}}
			})
			return nil
		}, "OOM: pod old-1 of lobby-blue (stable) does not serve: out of memory"},
		{"its time", 0, func(*cluster) error { time.Sleep(11 * time.Minute); return nil }, "DEADLINE: it took longer than 10m0s: context deadline exceeded"},
		{"the time of who began it", 4 * time.Minute, func(*cluster) error { time.Sleep(5 * time.Minute); return nil }, "DEADLINE: the job is over"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, _ := parking(t, rollout.Park)
				c.change(func(s *rollout.State) { s.Stable, s.Canary = pods(2), pods(2) })
				c.onScale = func(c *cluster, _ probe.Version, _ int) error { return row.fail(c) }
				r.Memory = memoryAt(rollout.PhaseStages, 50, rollout.Pair, rollout.Keep)
				var ends []string
				r.Journal = saves{r.Journal, func(rec *rollout.Record) {
					if rec.Outcome != "" {
						ends = append(ends, fmt.Sprintf("%s %s: %s", rec.Outcome, rec.Reason, rec.Message))
					}
				}}
				ctx := t.Context()
				if row.within > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeoutCause(ctx, row.within, errors.New("the job is over"))
					defer cancel()
				}
				require.NoError(t, r.Restore(ctx))
				require.Equal(t, []string{"rollback-failed " + row.end}, ends)
			})
		})
	}
}

// TestUndecided: with on-inconclusive: continue a stage whose samples were too few
// is gone on from, and says so.
func TestUndecided(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.Park)
		r.MaxProbes, r.GoOn = 60, true
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, "every other stage showed the split its pods should give; undecided, and gone on from all the same (on-inconclusive): 50, 100", r.Record.Message)
		require.Equal(t, rollout.Inconclusive, r.Record.Stages[1].Verdict)
		require.Equal(t, rollout.ReasonInconclusive, r.Record.Stages[1].Reason)
		require.Equal(t, "0+4 serving 0+4", c.pods[len(c.pods)-1])
		requireInvariants(t, c, 4, 2)
	})
}

// TestUndecidedFails by default, and whatever is decided fails in any case.
func TestUndecidedFails(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name   string
		change func(*cluster, *rollout.Rollout, *balancer)
		reason rollout.Reason
	}{
		{"by default", func(_ *cluster, r *rollout.Rollout, _ *balancer) { r.MaxProbes, r.GoOn = 60, false }, rollout.ReasonInconclusive},
		{"the share is wrong", func(_ *cluster, _ *rollout.Rollout, b *balancer) {
			b.answer = func(share float64, random *rand.Rand) probe.Flow { return byShare(share/5, random) }
		}, rollout.ReasonFailShare},
		{"the sample is worth nothing", func(_ *cluster, _ *rollout.Rollout, b *balancer) {
			b.answer = func(share float64, random *rand.Rand) probe.Flow { return byShare(float64(int(share)), random) }
		}, rollout.ReasonInvalidSticky},
		{"the canary restarts in the pause after it", func(c *cluster, r *rollout.Rollout, _ *balancer) {
			r.MaxProbes, r.Pauses = 60, map[rollout.Percent]time.Duration{50: 10 * time.Minute}
			when(c, half, func() {
				time.AfterFunc(2*time.Minute, func() { c.change(func(s *rollout.State) { s.Canary.Restarts = 1 }) })
			})
		}, rollout.ReasonFailRestarts},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, b := parking(t, rollout.Park)
				r.GoOn = true
				row.change(c, r, b)
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Message)
				require.Equal(t, row.reason, r.Record.Reason)
				require.Equal(t, row.reason, r.Record.Stages[1].Reason)
				require.NotEqual(t, rollout.Pass, r.Record.Stages[1].Verdict)
				require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
			})
		})
	}
}

func TestRollbackThatFailsSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(10, 0)
		r, b, _ := newRollout(t, c)
		b.answer = func(share float64, random *rand.Rand) probe.Flow { return byShare(share/5, random) }
		c.onScale = func(c *cluster, side probe.Version, to int) error {
			if side == probe.Stable && to == 10 {
				return errors.New("the server is on fire")
			}
			return nil
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.RollbackFailed, r.Record.Outcome)
		require.Contains(t, r.Record.Rollback.Err, "the server is on fire")
		require.Equal(t, rollout.ReasonFailShare, r.Record.Reason)
	})
}

// busy is a balancer that shows too small a share, and an API server that fails every write
// of the rollback for so long.
func busy(t *testing.T, duration time.Duration) (*cluster, *rollout.Rollout) {
	t.Helper()
	c := newCluster(10, 0)
	r, b, _ := newRollout(t, c)
	b.answer = func(share float64, random *rand.Rand) probe.Flow { return byShare(share/5, random) }
	var back time.Time
	c.onScale = func(_ *cluster, side probe.Version, to int) error {
		if back.IsZero() && side == probe.Stable && to == 10 {
			back = time.Now().Add(duration)
		}
		if time.Now().Before(back) {
			return fmt.Errorf("scaling deployment %q: %w", side, errBusy)
		}
		return nil
	}
	return c, r
}

// TestRollbackOutlastsTheAPIServer: what a request is repeated for is less than it takes to
// replace a control plane. The rollback has ten minutes.
func TestRollbackOutlastsTheAPIServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r := busy(t, 35*time.Second)
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.RolledBack, r.Record.Outcome)
		require.Equal(t, rollout.ReasonFailShare, r.Record.Reason)
		require.Equal(t, "10+0 serving 10+0", c.pods[len(c.pods)-1])
		require.GreaterOrEqual(t, r.Record.Rollback.Took, 35*time.Second)
	})
}

// TestRollbackGivesTheAPIServerUp: it has ten minutes, and no more.
func TestRollbackGivesTheAPIServerUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, r := busy(t, time.Hour)
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.RollbackFailed, r.Record.Outcome)
		require.Contains(t, r.Record.Rollback.Err, errBusy.Error())
		require.InDelta(t, 10*time.Minute, r.Record.Rollback.Took, float64(5*time.Second))
	})
}

// TestRollbackThatWaitsIsCancelled: nobody waits for an API server after a signal.
func TestRollbackThatWaitsIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r := busy(t, time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		var told time.Time
		fail := c.onScale
		c.onScale = func(c *cluster, side probe.Version, to int) error {
			err := fail(c, side, to)
			if err != nil && told.IsZero() {
				told = time.Now().Add(3 * time.Second)
				time.AfterFunc(3*time.Second, cancel)
			}
			return err
		}
		require.NoError(t, r.Run(ctx))
		require.Equal(t, rollout.Interrupted, r.Record.Outcome)
		require.Less(t, time.Since(told), time.Second)
	})
}
