package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// autoscaler is one of either side, called lobby.
type autoscaler struct {
	cluster *cluster
	paused  bool
	most    int
	fail    error // of the next Resume
}

func (a *autoscaler) Pause(_ context.Context, most int) ([]string, error) {
	a.paused, a.most = true, most
	a.call(fmt.Sprintf("pause up to %d", most))
	return []string{"lobby"}, nil
}

func (a *autoscaler) Resume(context.Context) error {
	if err := a.fail; err != nil {
		a.fail = nil
		return err
	}
	a.paused = false
	a.call("resume")
	return nil
}

func (a *autoscaler) call(name string) {
	a.cluster.mu.Lock()
	defer a.cluster.mu.Unlock()
	a.cluster.calls = append(a.cluster.calls, name)
}

// scales puts an autoscaler beside a rollout. It fails the test when a count moves
// while it could fight that.
func scales(t *testing.T, c *cluster, r *rollout.Rollout) *autoscaler {
	t.Helper()
	a := &autoscaler{cluster: c}
	r.Autoscalers = a
	before := c.onScale
	c.onScale = func(c *cluster, side probe.Version, to int) error {
		if !a.paused || to > a.most {
			t.Errorf("%s is scaled to %d while the autoscaler may act", side, to)
		}
		if before != nil {
			return before(c, side, to)
		}
		return nil
	}
	return a
}

// TestAutoscalersArePaused: after the memory is written and before anything else is,
// until the counts are final; those of the manifests come last of all.
func TestAutoscalersArePaused(t *testing.T) {
	t.Parallel()
	for _, finish := range []rollout.Finish{rollout.Keep, rollout.Delete, rollout.Adopt, rollout.Handover} {
		t.Run(string(finish), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, _ := single(t, finish)
				if finish == rollout.Keep || finish == rollout.Delete {
					r.Mode = rollout.Pair
				}
				a, l := scales(t, c, r), &ledger{cluster: c}
				r.Ledger = l
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
				require.Equal(t, []string{"remember stages 0 %", "pause up to 6", "apply surroundings", "apply canary"}, c.calls[:4])
				require.Equal(t, []string{"resume", "apply autoscalers", "remember promoted 100 %"}, c.calls[len(c.calls)-3:])
				require.True(t, l.kept[0].Autoscaled, "another process knows that it may have to end the pause")
				require.False(t, a.paused)
				require.Empty(t, r.Record.Paused)
			})
		})
	}
}

// TestAutoscalersOfTheFirstVersion: nothing is remembered of that, and nothing may
// be left paused by a run that ended.
func TestAutoscalersOfTheFirstVersion(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fails   bool
		outcome rollout.Outcome
		calls   []string
	}{
		"serves": {false, rollout.Promoted, []string{"pause up to 13", "apply surroundings", "apply stable", "scale stable 10", "resume", "apply autoscalers"}},
		"fails":  {true, rollout.Aborted, []string{"pause up to 13", "apply surroundings", "apply stable", "scale stable 10", "resume"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(0, 0)
				c.state.Stable.Exists = false
				r, b, _ := newRollout(t, c)
				r.Mode = rollout.Bootstrap
				if row.fails {
					b.answer = func(float64, *rand.Rand) probe.Flow { return probe.Flow{Class: probe.Refused, Version: probe.None} }
				}
				scales(t, c, r)
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, row.outcome, r.Record.Outcome, r.Record.Message)
				require.Equal(t, row.calls, c.calls)
				require.Empty(t, r.Record.Paused)
			})
		})
	}
}

// TestAutoscalersStayPaused where the rollout is not over: the record says so.
func TestAutoscalersStayPaused(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		outcome rollout.Outcome
		stop    func(*cluster, *rollout.Rollout, context.CancelFunc)
	}{
		"held": {rollout.Held, func(_ *cluster, r *rollout.Rollout, _ context.CancelFunc) { r.Until = 50 }},
		"interrupted": {rollout.Interrupted, func(c *cluster, _ *rollout.Rollout, cancel context.CancelFunc) {
			c.onScale = func(*cluster, probe.Version, int) error { cancel(); return nil }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, _ := parking(t, rollout.Park)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				row.stop(c, r, cancel)
				a := scales(t, c, r)
				require.NoError(t, r.Run(ctx))
				require.Equal(t, row.outcome, r.Record.Outcome, r.Record.Message)
				require.True(t, a.paused)
				require.Equal(t, []string{"lobby"}, r.Record.Paused)
			})
		})
	}
}

// TestAutoscalersAfterARollback go on when stable has its pods again.
func TestAutoscalersAfterARollback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, b := single(t, rollout.Adopt)
		b.answer = func(share float64, random *rand.Rand) probe.Flow { return byShare(share/5, random) }
		a := scales(t, c, r)
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{"scale canary 0", "delete canary", "resume"}, c.calls[len(c.calls)-3:])
		require.NotContains(t, c.calls, "apply autoscalers")
		require.False(t, a.paused)
		require.Empty(t, r.Record.Paused)
	})
}

// TestAutoscalersThatCannotGoOn: the end of a pause is part of the rollout. If it
// fails the rollout is undone, and no count moves without a pause.
func TestAutoscalersThatCannotGoOn(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*cluster, *autoscaler){
		"resume": func(_ *cluster, a *autoscaler) { a.fail = errors.New("the API server is away") },
		"memory": func(*cluster, *autoscaler) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, _ := parking(t, rollout.Park)
				a := scales(t, c, r)
				fail(c, a)
				r.Ledger = &ledger{cluster: c, fail: func(m rollout.Memory) error {
					if name == "memory" && m.Phase == rollout.PhasePromoted {
						return errors.New("the API server is away")
					}
					return nil
				}}
				require.ErrorContains(t, r.Run(t.Context()), "the API server is away")
				require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Message)
				require.Equal(t, "resume", c.calls[len(c.calls)-1])
				require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
				require.False(t, a.paused)
			})
		})
	}
}

// TestResumePausesAgain: the process may have ended between its memory and the
// pause, whatever phase it was in.
func TestResumePausesAgain(t *testing.T) {
	t.Parallel()
	for _, phase := range []rollout.Phase{rollout.PhaseStages, rollout.PhaseHeld, rollout.PhaseAdopting, rollout.PhaseHandingOver} {
		t.Run(string(phase), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				finish, passed := rollout.Adopt, rollout.Percent(100)
				if phase == rollout.PhaseHandingOver {
					finish = rollout.Handover
				}
				c, r, _ := single(t, finish)
				c.change(func(s *rollout.State) { s.Stable, s.Canary = pods(0), pods(4) })
				if phase == rollout.PhaseStages || phase == rollout.PhaseHeld {
					passed = 50
					c.change(func(s *rollout.State) { s.Stable, s.Canary = pods(2), pods(2) })
				}
				a, l := scales(t, c, r), &ledger{cluster: c}
				r.Ledger, r.Memory = l, memoryAt(phase, passed, rollout.Single, finish)
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
				require.Equal(t, []string{fmt.Sprintf("remember %s %s", phase, passed), "pause up to 6"}, c.calls[:2])
				require.True(t, l.kept[0].Autoscaled, "also where the first process was not told to pause")
				require.Equal(t, []string{"resume", "apply autoscalers", "remember promoted 100 %"}, c.calls[len(c.calls)-3:])
				require.False(t, a.paused)
			})
		})
	}
}

// TestRestoreWithAutoscalers has a row for what another process can find. After the
// end of the rollout the autoscaler has made of the counts what the load asked for,
// and that many pods serve throughout.
func TestRestoreWithAutoscalers(t *testing.T) {
	t.Parallel()
	undoing := memoryAt(rollout.PhasePromoted, 100, rollout.Pair, rollout.Keep)
	undoing.Undoing, undoing.Replicas = true, 7
	for name, row := range map[string]struct {
		memory         *rollout.Memory
		stable, canary int
		most, ends     int // the last pause leaves room for so many; stable has so many at the end
	}{
		"in a stage":                {memoryAt(rollout.PhaseStages, 50, rollout.Pair, rollout.Keep), 2, 4, 6, 4},
		"promoted":                  {memoryAt(rollout.PhasePromoted, 100, rollout.Pair, rollout.Keep), 0, 4, 6, 4},
		"promoted, and scaled up":   {memoryAt(rollout.PhasePromoted, 100, rollout.Pair, rollout.Keep), 0, 7, 9, 7},
		"promoted, and scaled down": {memoryAt(rollout.PhasePromoted, 100, rollout.Pair, rollout.Keep), 0, 3, 5, 3},
		"adopted, and scaled up":    {memoryAt(rollout.PhasePromoted, 100, rollout.Single, rollout.Adopt), 7, 0, 9, 7},
		"killed while undoing":      {undoing, 5, 4, 9, 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, _ := single(t, row.memory.Finish)
				c.change(func(s *rollout.State) { s.Stable, s.Canary = pods(row.stable), pods(row.canary) })
				c.pods = c.pods[1:]
				a, l := scales(t, c, r), &ledger{cluster: c}
				r.Mode, r.Memory, r.Ledger, r.Plan.Steps, r.Plan.Replicas = row.memory.Mode, row.memory, l, nil, row.memory.Replicas
				require.NoError(t, r.Restore(t.Context()))
				require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Rollback.Err)
				require.Equal(t, row.most, a.most)
				require.Equal(t, row.ends, l.kept[len(l.kept)-1].Replicas)
				require.Equal(t, fmt.Sprintf("%[1]d+0 serving %[1]d+0", row.ends), c.pods[len(c.pods)-1])
				first, last := slices.IndexFunc(c.calls, isMove), len(c.calls)-1
				require.Greater(t, first, slices.Index(c.calls, fmt.Sprintf("pause up to %d", row.most)))
				require.Equal(t, "resume", c.calls[last])
				require.False(t, a.paused)
				requireInvariants(t, c, row.ends, 2)
			})
		})
	}
}

func isMove(call string) bool { return len(call) > 5 && (call[:5] == "scale" || call[:5] == "park ") }
