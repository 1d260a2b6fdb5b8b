package rollout_test

import (
	"context"
	"encoding/json"
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

// ledger keeps every memory it is given, beside the calls of the cluster.
type ledger struct {
	cluster *cluster
	kept    []rollout.Memory
	fail    func(rollout.Memory) error
}

func (l *ledger) Remember(_ context.Context, m rollout.Memory) error {
	if l.fail != nil {
		if err := l.fail(m); err != nil {
			return err
		}
	}
	l.kept = append(l.kept, m)
	l.cluster.mu.Lock()
	defer l.cluster.mu.Unlock()
	l.cluster.calls = append(l.cluster.calls, fmt.Sprintf("remember %s %s", m.Phase, m.Passed))
	return nil
}

// TestMemoryIsWrittenBeforeEachMove and says enough to be read by another process.
func TestMemoryIsWrittenBeforeEachMove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := single(t, rollout.Adopt)
		l := &ledger{cluster: c}
		r.Ledger, r.Objects, r.Record.Release = l, json.RawMessage(`{"a":1}`), "abc"
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, []string{
			"remember stages 0 %", "apply surroundings", "apply canary",
			"remember stages 0 %", "scale canary 2", "park stable 2", "scale stable 2",
			"remember stages 50 %", "scale canary 4", "park stable 2", "scale stable 0",
			"remember adopting 100 %", "apply stable",
		}, c.calls[:13])
		require.Equal(t, "remember promoted 100 %", c.calls[len(c.calls)-1])
		last := l.kept[len(l.kept)-1]
		require.NotNil(t, last.Baseline)
		data, err := json.Marshal(last)
		require.NoError(t, err)
		read, err := rollout.ReadMemory(data)
		require.NoError(t, err)
		require.Equal(t, last, *read)
		require.False(t, read.Unfinished())
	})
}

func TestReadMemory(t *testing.T) {
	t.Parallel()
	m, err := rollout.ReadMemory(nil)
	require.NoError(t, err)
	require.Nil(t, m)
	require.False(t, m.Unfinished())
	_, err = rollout.ReadMemory([]byte("{"))
	require.ErrorContains(t, err, "reading the state of the rollout")
	_, err = rollout.ReadMemory([]byte(`{"schemaVersion":2}`))
	require.ErrorContains(t, err, "schemaVersion is 2")
}

// TestNothingMovesWithoutMemory: what could not be written down is not done.
func TestNothingMovesWithoutMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.Park)
		r.Ledger = &ledger{cluster: c, fail: func(rollout.Memory) error { return errors.New("the lease is gone") }}
		require.ErrorContains(t, r.Run(t.Context()), "the lease is gone")
		require.Empty(t, c.calls)
		require.Equal(t, rollout.Refused, r.Record.Outcome)
	})
}

// memoryAt is what a rollout of parking had written when it was cut off.
func memoryAt(phase rollout.Phase, passed rollout.Percent, mode rollout.Mode, finish rollout.Finish) *rollout.Memory {
	return &rollout.Memory{
		SchemaVersion: 1, Mode: mode, Finish: finish, Stable: "lobby-blue", Canary: "lobby-green",
		Replicas: 4, MaxSurge: 2, Removals: rollout.Removals{Stable: rollout.Park, Canary: rollout.Park},
		Baseline: &rollout.Baseline{Ports: []rollout.Failures{{Flows: 300}}}, Passed: passed, Phase: phase,
	}
}

// TestResume goes on in the middle of a move: parked pods are put back, and what
// had passed is not done again.
func TestResume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.Park)
		c.change(func(s *rollout.State) {
			s.Stable, s.Canary = pods(2), pods(4)
			s.Stable.Parked, s.Stable.Serving = 2, 0
		})
		r.Memory = memoryAt(rollout.PhaseStages, 50, rollout.Pair, rollout.Keep)
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{"unpark stable", "apply canary", "park stable 2", "scale stable 0"}, c.calls)
		require.Len(t, r.Record.Stages, 1)
		require.Equal(t, "100", r.Record.Stages[0].Name)
		require.Empty(t, r.Record.NotReached)
	})
}

// TestResumeWaits for the pods that the process asked for just before it ended:
// nothing may leave before they serve.
func TestResumeWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.Park)
		c.change(func(s *rollout.State) {
			s.Stable, s.Canary = pods(4), rollout.Pods{Exists: true, Current: true, Replicas: 2, Pods: 2}
		})
		time.AfterFunc(readyAfter, func() { c.becomeReady(probe.Canary) })
		r.Memory = memoryAt(rollout.PhaseStages, 0, rollout.Pair, rollout.Keep)
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{"apply canary", "park stable 2", "scale stable 2", "scale canary 4", "park stable 2", "scale stable 0"}, c.calls)
		requireInvariants(t, c, 4, 2)
	})
}

// TestResumeAdopts goes on where only the end was left.
func TestResumeAdopts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := single(t, rollout.Adopt)
		c.change(func(s *rollout.State) { s.Stable, s.Canary = pods(2), pods(4) })
		r.Memory = memoryAt(rollout.PhaseAdopting, 100, rollout.Single, rollout.Adopt)
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []string{"apply stable", "park canary 2", "scale canary 2", "scale stable 4", "park canary 2", "scale canary 0", "delete canary"}, c.calls)
	})
}

// TestRestore has one row for every state in which a rollback can find a rollout.
// All of them end with the pods and the template of before.
func TestRestore(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name           string
		memory         *rollout.Memory
		stable, canary int
		calls          []string
	}{
		{"before the first move", memoryAt(rollout.PhaseStages, 0, rollout.Pair, rollout.Keep), 4, 0, nil},
		{"in the middle", memoryAt(rollout.PhaseStages, 50, rollout.Pair, rollout.Keep), 2, 4,
			[]string{"park canary 2", "scale canary 2", "scale stable 4", "park canary 2", "scale canary 0"}},
		{"hours after the end", memoryAt(rollout.PhasePromoted, 100, rollout.Pair, rollout.Keep), 0, 4,
			[]string{"scale stable 2", "park canary 2", "scale canary 2", "scale stable 4", "park canary 2", "scale canary 0"}},
		{"a copy that never served", memoryAt(rollout.PhaseStages, 0, rollout.Single, rollout.Adopt), 4, 0, []string{"delete canary"}},
		{"adopted", memoryAt(rollout.PhasePromoted, 100, rollout.Single, rollout.Adopt), 4, 0, []string{
			"apply canary", "scale canary 2", "park stable 2", "scale stable 2", "scale canary 4", "park stable 2", "scale stable 0",
			"apply original", "scale stable 2", "park canary 2", "scale canary 2", "scale stable 4", "park canary 2", "scale canary 0", "delete canary",
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, _ := single(t, row.memory.Finish)
				c.change(func(s *rollout.State) { s.Stable, s.Canary = pods(row.stable), pods(row.canary) })
				r.Mode, r.Memory, r.Plan.Steps = row.memory.Mode, row.memory, nil
				require.NoError(t, r.Restore(t.Context()))
				require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Message)
				require.Equal(t, row.calls, c.calls)
				require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
				requireInvariants(t, c, 4, 2)
			})
		})
	}
}

// TestRestoreParked: the process ended when it had just parked canaries, in the
// last move of the rollout or in a rollback.
func TestRestoreParked(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name   string
		memory *rollout.Memory
		calls  []string
	}{
		{"while adopting", memoryAt(rollout.PhaseAdopting, 100, rollout.Single, rollout.Adopt), []string{
			"unpark canary", "park stable 2", "scale stable 2", "scale canary 4", "park stable 2", "scale stable 0",
			"apply original", "scale stable 2", "park canary 2", "scale canary 2", "scale stable 4", "park canary 2", "scale canary 0", "delete canary",
		}},
		{"while rolling back", memoryAt(rollout.PhaseStages, 50, rollout.Pair, rollout.Keep), []string{"scale canary 0"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, _ := single(t, row.memory.Finish)
				c.change(func(s *rollout.State) {
					s.Stable, s.Canary = pods(4), pods(2)
					s.Canary.Parked, s.Canary.Serving = 2, 0
				})
				r.Mode, r.Memory, r.Plan.Steps = row.memory.Mode, row.memory, nil
				began := time.Now()
				require.NoError(t, r.Restore(t.Context()))
				require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Rollback.Err)
				require.Equal(t, row.calls, c.calls)
				require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
				require.GreaterOrEqual(t, time.Since(began), r.Drain, "their flows had time to end")
				requireInvariants(t, c, 4, 2)
			})
		})
	}
}

// TestRestoreHandsOverOnce: a handover that was begun is ended before the way back, and
// the way back may be cut off and begun again: what it has restored by then is not handed
// over once more.
func TestRestoreHandsOverOnce(t *testing.T) {
	t.Parallel()
	for name, there := range map[string]func(rollout.State) bool{
		"while they move":         func(s rollout.State) bool { return s.Stable.Replicas == 2 && s.Canary.Replicas == 4 },
		"with the first old pods": func(s rollout.State) bool { return s.Stable.Replicas == 2 && s.Canary.Parked == 2 },
		"with all old pods":       func(s rollout.State) bool { return s.Stable.Replicas == 4 && s.Canary.Parked > 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, _ := single(t, rollout.Handover)
				c.change(func(s *rollout.State) { s.Stable, s.Canary = pods(0), pods(4) })
				l := &ledger{cluster: c}
				r.Ledger, r.Memory, r.Plan.Steps = l, memoryAt(rollout.PhaseHandingOver, 100, rollout.Single, rollout.Handover), nil
				ctx, cancel := context.WithCancel(t.Context())
				when(c, there, cancel)
				require.NoError(t, r.Restore(ctx))
				require.Equal(t, rollout.Interrupted, r.Record.Outcome, r.Record.Message)

				next, _, _ := newRollout(t, c)
				next.Options, next.Memory, next.Heir = r.Options, &l.kept[len(l.kept)-1], c
				require.NoError(t, next.Restore(t.Context()))
				require.Equal(t, rollout.RolledBack, next.Record.Outcome, next.Record.Message)
				require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
				require.Equal(t, []string{"remember handing over 100 %", "handover 4", "remember adopting 100 %"}, c.calls[:3])
				require.NotContains(t, c.calls[3:], "handover 4")
				requireInvariants(t, c, 4, 2)
			})
		})
	}
}

// TestLost: somebody took the rollout over; the run stops and touches nothing.
func TestLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.Park)
		held, lose := context.WithCancelCause(t.Context())
		c.onScale = func(c *cluster, _ probe.Version, _ int) error {
			time.AfterFunc(time.Second, func() { lose(fmt.Errorf("%w: taken over by process 7 on b", rollout.ErrLost)) })
			return nil
		}
		require.NoError(t, r.Run(held))
		require.Equal(t, rollout.Stopped, r.Record.Outcome)
		require.Equal(t, rollout.ReasonTakenOver, r.Record.Reason)
		require.Contains(t, r.Record.Message, "process 7 on b")
		require.Equal(t, "scale canary 2", c.calls[len(c.calls)-1], "nothing was written after that")
	})
}

// away is the end of a Lease that could not be renewed.
type away struct{}

func (away) Error() string        { return "the lease could not be renewed" }
func (away) Is(target error) bool { return target == rollout.ErrLost || target == rollout.ErrAway }

// TestLostToNobody: the API server was away for so long that anybody may take the rollout
// over. Nobody is known to have, so the record says what is true: that it cannot be reached,
// and that autoscaling is still paused.
func TestLostToNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.Park)
		held, lose := context.WithCancelCause(t.Context())
		c.onScale = func(*cluster, probe.Version, int) error {
			time.AfterFunc(time.Second, func() { lose(away{}) })
			return nil
		}
		scales(t, c, r)
		require.NoError(t, r.Run(held))
		require.Equal(t, rollout.Stopped, r.Record.Outcome)
		require.Equal(t, rollout.ReasonUnreachable, r.Record.Reason)
		require.Equal(t, "the lease could not be renewed", r.Record.Message)
		require.Equal(t, []string{"lobby"}, r.Record.Paused)
		require.Equal(t, "scale canary 2", c.calls[len(c.calls)-1], "nothing was written after that")
	})
}

// TestRollbackIsLost: it was taken over too. What is to be done is somebody else's
// affair, and nothing has failed.
func TestRollbackIsLost(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*rollout.Rollout, context.Context) error{
		"of a run that turned its canary down": func(r *rollout.Rollout, ctx context.Context) error { return r.Run(ctx) },
		"of another process": func(r *rollout.Rollout, ctx context.Context) error {
			r.Memory = &rollout.Memory{SchemaVersion: 1, Mode: rollout.Pair, Phase: rollout.PhaseStages, Replicas: 4, MaxSurge: 2}
			return r.Restore(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, b := parking(t, rollout.Park)
				b.answer = func(share float64, random *rand.Rand) probe.Flow { return byShare(share/5, random) }
				held, lose := context.WithCancelCause(t.Context())
				c.onScale = func(c *cluster, side probe.Version, to int) error {
					if side == probe.Stable && to == 4 {
						lose(fmt.Errorf("%w: taken over by process 7 on b", rollout.ErrLost))
					}
					return nil
				}
				if name == "of another process" {
					c.change(func(s *rollout.State) { s.Stable, s.Canary = pods(2), pods(2) })
				}
				require.NoError(t, begin(r, held))
				require.Equal(t, rollout.Stopped, r.Record.Outcome, r.Record.Message)
				require.Equal(t, rollout.ReasonTakenOver, r.Record.Reason)
				require.Equal(t, "scale stable 4", c.calls[len(c.calls)-1], "nothing was written after that")
			})
		})
	}
}

// TestUntil stops at a weight, as a run that is gone on with another day.
func TestUntil(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, _ := parking(t, rollout.Park)
		l := &ledger{cluster: c}
		r.Ledger, r.Until = l, 50
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Held, r.Record.Outcome)
		require.Equal(t, rollout.PhaseHeld, l.kept[len(l.kept)-1].Phase)
		require.True(t, l.kept[len(l.kept)-1].Unfinished())
		require.Equal(t, "2+2 serving 2+2", c.pods[len(c.pods)-1])
	})
}
