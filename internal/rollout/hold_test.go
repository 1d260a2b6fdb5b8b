package rollout_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// TestHeldOutlive: whatever way pods leave, flows that end with them have had their
// drain.
func TestHeldOutlive(t *testing.T) {
	t.Parallel()
	for _, how := range []rollout.Removal{rollout.Park, rollout.ParkByRelease, rollout.Terminate} {
		for _, anonymous := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, anonymous %t", how, anonymous), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					held, r := holding(t, how)
					held.anonymous = anonymous
					held.lasts = 100 * time.Millisecond
					if how == rollout.Terminate {
						held.lasts = r.Drain // a preStop hook
					}
					require.NoError(t, r.Run(t.Context()))
					require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
					require.Equal(t, 8, r.Record.Held.Open)
					require.Equal(t, []rollout.HeldStage{
						{Stage: "50", Open: 8, Outlived: 4, Left: 4}, {Stage: "100", Open: 4, Outlived: 4},
					}, r.Record.Held.Stages)
					for _, end := range r.Record.Held.Ends {
						require.False(t, end.Cut)
						require.Equal(t, anonymous, end.Pod == "")
						require.GreaterOrEqual(t, *end.After, r.Drain)
					}
					require.True(t, held.closed)
				})
			})
		}
	}
}

// TestHeldCut: flows that end too early, or when no pod leaves, were cut.
func TestHeldCut(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		anonymous bool
		how       rollout.Removal
		prepare   func(*clients, *rollout.Rollout)
		want      []rollout.HeldStage
	}{
		{"pods terminate at once", false, rollout.Terminate, func(c *clients, _ *rollout.Rollout) { c.lasts = time.Second },
			[]rollout.HeldStage{{Stage: "50", Open: 8, Cut: 4, Left: 4}, {Stage: "100", Open: 4, Cut: 4}}},
		{"pods terminate at once, anonymous", true, rollout.Terminate, func(c *clients, _ *rollout.Rollout) { c.lasts = time.Second },
			[]rollout.HeldStage{{Stage: "50", Open: 8, Cut: 4, Left: 4}, {Stage: "100", Open: 4, Cut: 4}}},
		{"a parked pod is killed in its drain", false, rollout.Park, killed(10*time.Second, true),
			[]rollout.HeldStage{{Stage: "50", Open: 8, Outlived: 2, Cut: 2, Left: 4}, {Stage: "100", Open: 4, Outlived: 4}}},
		{"a parked pod is killed in its drain, anonymous", true, rollout.Park, killed(10*time.Second, true),
			[]rollout.HeldStage{{Stage: "50", Open: 8, Outlived: 2, Cut: 2, Left: 4}, {Stage: "100", Open: 4, Outlived: 4}}},
		{"a pod that serves is killed in a pause", false, rollout.Park, killed(5*time.Minute, false),
			[]rollout.HeldStage{{Stage: "50", Open: 8, Outlived: 4, Cut: 2, Left: 2}, {Stage: "100", Open: 2, Outlived: 2}}},
		{"a pod that serves is killed in a pause, anonymous", true, rollout.Park, killed(5*time.Minute, false),
			[]rollout.HeldStage{{Stage: "50", Open: 8, Outlived: 4, Cut: 2, Left: 2}, {Stage: "100", Open: 2, Outlived: 2}}},
		{"before the first move", false, rollout.Park, func(c *clients, _ *rollout.Rollout) {
			c.onApply = func(part rollout.Part) {
				if part == rollout.Surroundings {
					c.end("stable-0")
				}
			}
		}, []rollout.HeldStage{
			{Stage: "baseline", Open: 8, Cut: 2, Left: 6}, {Stage: "50", Open: 6, Outlived: 2, Left: 4}, {Stage: "100", Open: 4, Outlived: 4},
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				held, r := holding(t, row.how)
				held.anonymous = row.anonymous
				r.Pauses = map[rollout.Percent]time.Duration{50: 10 * time.Minute}
				row.prepare(held, r)
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.Promoted, r.Record.Outcome, "the flows decide nothing: %s", r.Record.Message)
				require.Equal(t, row.want, r.Record.Held.Stages)
			})
		})
	}
}

// killed lets the pod of two flows die, some time after the first two pods were parked:
// the first of those that are parked, or the first that still serves.
func killed(after time.Duration, parked bool) func(*clients, *rollout.Rollout) {
	return func(c *clients, _ *rollout.Rollout) {
		c.onScale = func(_ *cluster, side probe.Version, to int) error {
			if side != probe.Canary || to != 2 {
				return nil
			}
			victim := map[bool]string{true: "stable-0", false: "stable-2"}[parked]
			time.AfterFunc(readyAfter+after, func() { c.end(victim) })
			return nil
		}
	}
}

// TestHeldRollback: pods that are put back have not left, and those that had left before
// still have.
func TestHeldRollback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		held, r := holding(t, rollout.Park)
		held.onScale = func(c *cluster, side probe.Version, to int) error {
			if side == probe.Canary && to == 4 {
				time.AfterFunc(readyAfter+10*time.Second, func() { // the last two of stable are parked
					c.change(func(s *rollout.State) {
						require.Equal(t, 2, s.Stable.Parked)
						s.Troubles = []rollout.Trouble{{Side: probe.Canary, Reason: rollout.ReasonCrashLoop, Fatal: true}}
					})
				})
			}
			return nil
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.RolledBack, r.Record.Outcome)
		require.Equal(t, []rollout.HeldStage{
			{Stage: "50", Open: 8, Outlived: 4, Left: 4}, {Stage: "100", Open: 4, Left: 4}, {Stage: "rollback", Open: 4, Left: 4},
		}, r.Record.Held.Stages)
	})
}

// TestHeldTells: the record, from the first save on, and a line a stage.
func TestHeldTells(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		held, r := holding(t, rollout.Park)
		held.unopened = 2
		var log bytes.Buffer
		r.Log = slog.New(slog.NewTextHandler(&log, nil))
		r.Pauses = map[rollout.Percent]time.Duration{50: 10 * time.Minute}
		killed(5*time.Minute, false)(held, r)
		var seen []int
		r.Journal = saves{r.Journal, func(rec *rollout.Record) {
			if rec.Held != nil && !slices.Contains(seen, len(rec.Held.Ends)) {
				seen = append(seen, len(rec.Held.Ends))
			}
		}}
		require.NoError(t, r.Run(t.Context()))
		h := r.Record.Held
		require.Equal(t, 8, h.Asked)
		require.Equal(t, 6, h.Open)
		require.Equal(t, []rollout.HeldPort{{Port: "80/TCP", Asked: 8, Open: 6, Named: 6, Failure: "dialing 192.0.2.7: refused"}}, h.Ports)
		var kinds []string
		for _, e := range h.Ends {
			kinds = append(kinds, fmt.Sprintf("%s %s %s %s cut=%t %d", e.Stage, e.Version, e.Pod, e.How, e.Cut, e.Flows))
		}
		require.Equal(t, []string{
			"50 stable stable-2 closed cut=true 1", "50 stable stable-0 closed cut=false 2", "50 stable stable-1 closed cut=false 2",
			"100 stable stable-3 closed cut=false 1",
		}, kinds)
		require.Nil(t, h.Ends[0].After, "it did not leave")
		require.Equal(t, []int{0, 2, 3, 4}, seen)
		for _, line := range []string{
			`msg="holding flows open" port=80/TCP open=6 of=8 only_watched=0`,
			`msg="flows could not be opened" port=80/TCP because="dialing 192.0.2.7: refused"`,
			`msg="held flows" stage=50 open=6 outlived_drain=4 cut=1 still_open=1`,
			`msg="held flows" stage=100 open=1 outlived_drain=1 cut=0 still_open=0`,
		} {
			require.Contains(t, log.String(), line)
		}
	})
}

// saves passes every saved record on.
type saves struct {
	rollout.Journal
	saved func(*rollout.Record)
}

func (s saves) Save(record *rollout.Record) {
	s.saved(record)
	s.Journal.Save(record)
}

// TestHeldIsACourtesy: a rollout without flows is a rollout.
func TestHeldIsACourtesy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		held, r := holding(t, rollout.Park)
		held.broken = errors.New("no route")
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome)
		require.Nil(t, r.Record.Held)
		require.Equal(t, []string{"the run holds no flows open: no route"}, r.Record.Notices)
	})
}

// TestHeldEndWithTheRun: a cancelled run closes them, and what a run that goes on
// holds is new.
func TestHeldEndWithTheRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		held, r := holding(t, rollout.Park)
		ledger := &ledger{cluster: held.cluster}
		r.Ledger = ledger
		ctx, cancel := context.WithCancel(t.Context())
		held.onScale = func(_ *cluster, side probe.Version, to int) error {
			if side == probe.Canary && to == 4 {
				cancel()
			}
			return nil
		}
		require.NoError(t, r.Run(ctx))
		require.Equal(t, rollout.Interrupted, r.Record.Outcome)
		require.True(t, held.closed)
		require.Equal(t, []rollout.HeldStage{{Stage: "50", Open: 8, Outlived: 4, Left: 4}, {Stage: "100", Open: 4, Left: 4}}, r.Record.Held.Stages)

		held.onScale = nil
		again := &clients{named: held.named}
		held.ended = again.end
		r.Memory, r.Holder, r.Record = &ledger.kept[len(ledger.kept)-1], again, &rollout.Record{}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Len(t, r.Record.Held.Stages, 1)
		require.Equal(t, 8, r.Record.Held.Stages[0].Open)
		require.Positive(t, r.Record.Held.Stages[0].Outlived)
		require.Zero(t, r.Record.Held.Stages[0].Cut)
	})
}
