package rollout_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

var errNoAddress = errors.New("no such host")

// law changes what a balancer of the fake answers.
type law func(flow probe.Flow, random *rand.Rand) probe.Flow

// spoil has a balancer answer by its share, and then as the law says.
func (b *balancer) spoil(l law) {
	b.become(func(share float64, random *rand.Rand) probe.Flow { return l(byShare(share, random), random) })
}

// only applies a law to the canary's answers.
func only(l law) law {
	return func(flow probe.Flow, random *rand.Rand) probe.Flow {
		if flow.Version == probe.Canary {
			return l(flow, random)
		}
		return flow
	}
}

func slowly(flow probe.Flow, _ *rand.Rand) probe.Flow {
	flow.FirstByte = time.Second
	return flow
}

func fails(flow probe.Flow, _ *rand.Rand) probe.Flow {
	flow.Class = probe.Faulty
	return flow
}

func refuses(flow probe.Flow, _ *rand.Rand) probe.Flow {
	flow.Class, flow.Version = probe.Refused, probe.None
	return flow
}

func strange(flow probe.Flow, _ *rand.Rand) probe.Flow {
	flow.Version, flow.Both = probe.Unknown, true
	return flow
}

// TestVerdictsOfTheEngine has every reason code of a stage that the judge gives (those of
// the share are in TestRolloutRollsBack): the pods go back, at every step within bounds.
func TestVerdictsOfTheEngine(t *testing.T) {
	t.Parallel()
	some := rollout.Percent(0.5)
	rows := []struct {
		name    string
		law     law
		options func(*rollout.Options)
		verdict rollout.Verdict
		reason  rollout.Reason
	}{
		{"the canary is slow", only(slowly), nil, rollout.Fail, rollout.ReasonFailLatency},
		{"the canary's flows fail", only(refuses), nil, rollout.Fail, rollout.ReasonFailErrors},
		{"an answer that shows it fails", only(fails), nil, rollout.Fail, rollout.ReasonFailErrors},
		{"more fail than may, whoever's", func(flow probe.Flow, random *rand.Rand) probe.Flow {
			if random.Float64() < 0.08 {
				return fails(flow, random)
			}
			return flow
		}, func(o *rollout.Options) { o.MaxErrors = &some }, rollout.Fail, rollout.ReasonFailCeiling},
		{"both patterns match", only(strange), nil, rollout.Invalid, rollout.ReasonInvalidClassifier},
		{"this machine fails", only(func(flow probe.Flow, _ *rand.Rand) probe.Flow {
			flow.Class, flow.Version = probe.Local, probe.None
			return flow
		}), nil, rollout.Invalid, rollout.ReasonInvalidLocal},
		{"too many are under way", only(func(flow probe.Flow, _ *rand.Rand) probe.Flow {
			flow.Skipped = 1
			return flow
		}), nil, rollout.Invalid, rollout.ReasonInvalidOverload},
		{"too few flows", func(flow probe.Flow, _ *rand.Rand) probe.Flow { return flow },
			func(o *rollout.Options) { o.MaxProbes = 100 }, rollout.Inconclusive, rollout.ReasonInconclusive},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(10, 0)
				r, b, j := newRollout(t, c)
				if row.options != nil {
					row.options(&r.Options)
				}
				c.onApply = func(part rollout.Part) { // the baseline is in order
					if part == rollout.CanaryDeployment {
						b.spoil(row.law)
					}
				}
				require.NoError(t, r.Run(t.Context()))
				requireTurnedDown(t, r.Record, row.reason)
				stage := r.Record.Stages[1]
				require.Equal(t, row.verdict, stage.Verdict, stage.Detail)
				require.Equal(t, row.reason, stage.Reason)
				require.Equal(t, r.Record.Message, stage.Detail)
				require.Equal(t, "10 "+string(row.verdict), j.judged[len(j.judged)-1])
				require.Equal(t, []string{"10+0 serving 10+0", "10+1 serving 10+0", "10+1 serving 10+1", "9+1 serving 9+1"}, c.pods[:4])
				require.Equal(t, "10+0 serving 10+0", c.pods[len(c.pods)-1])
				requireInvariants(t, c, 10, 3)
			})
		})
	}
}

func requireTurnedDown(t *testing.T, record *rollout.Record, reason rollout.Reason) {
	t.Helper()
	require.Equal(t, rollout.RolledBack, record.Outcome, record.Message)
	require.Equal(t, reason, record.Reason, record.Message)
}

// TestLatencyOff: nothing is slow then.
func TestLatencyOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(10, 0)
		r, b, _ := newRollout(t, c)
		r.MaxSlower = nil
		b.spoil(only(slowly))
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
	})
}

// TestMemoryKeepsThePace: who goes on with a rollout knows how fast stable was.
func TestMemoryKeepsThePace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(10, 0)
		r, b, _ := newRollout(t, c)
		l := &ledger{cluster: c}
		r.Ledger, r.Plan.Steps = l, []rollout.Percent{10, 25}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Held, r.Record.Outcome)
		memory := l.kept[len(l.kept)-1]
		require.Equal(t, []rollout.Pace{{P95: time.Millisecond, Answers: 300}}, memory.Baseline.Times)

		again, _, _ := newRollout(t, c)
		again.Memory, again.Prober = &memory, b
		b.spoil(only(slowly))
		require.NoError(t, again.Run(t.Context()))
		requireTurnedDown(t, again.Record, rollout.ReasonFailLatency)
		requireInvariants(t, c, 10, 3)
	})
}

// TestPauseIsSampled at a tenth of the rate, and what happens in it does not change what
// was judged.
func TestPauseIsSampled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(10, 0)
		r, b, _ := newRollout(t, c)
		r.Plan.Steps, r.Pauses = []rollout.Percent{10}, map[rollout.Percent]time.Duration{10: 10 * time.Minute}
		c.onScale = func(_ *cluster, _ probe.Version, _ int) error {
			time.AfterFunc(3*time.Minute, func() { // another share, in the pause
				b.become(func(_ float64, random *rand.Rand) probe.Flow { return byShare(0.9, random) })
			})
			return nil
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Held, r.Record.Outcome, r.Record.Message)
		stage := r.Record.Stages[1]
		require.Equal(t, rollout.Pass, stage.Verdict)
		require.InDelta(t, 10, float64(*stage.Observed), 5)
		require.Equal(t, "pause", stage.After.Name)
		require.InDelta(t, 10*time.Minute, stage.After.Took, float64(time.Second))
		require.InDelta(t, 3000, stage.After.Ports[0].Samples, 2, "five a second for ten minutes")
		require.Greater(t, float64(*stage.After.Ports[0].Observed), 50.0)
		require.Empty(t, stage.After.Ports[0].Verdict)
		require.Len(t, r.Quiet.(*quiet).streams, 1)
	})
}

// TestPauseFails: everything but the share can still fail the stage, from the first flow on.
func TestPauseFails(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name    string
		law     law
		verdict rollout.Verdict
		reason  rollout.Reason
	}{
		{"the canary becomes slow", only(slowly), rollout.Fail, rollout.ReasonFailLatency},
		{"the canary breaks", only(refuses), rollout.Fail, rollout.ReasonFailErrors},
		{"the canary becomes strange", only(strange), rollout.Invalid, rollout.ReasonInvalidClassifier},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(10, 0)
				r, b, j := newRollout(t, c)
				r.Plan.Steps, r.Pauses = []rollout.Percent{25, 100}, map[rollout.Percent]time.Duration{25: time.Hour}
				began := time.Now()
				c.onScale = afterCanaries(3, func(*rollout.State) {
					time.AfterFunc(10*time.Minute, func() { b.spoil(row.law) })
				})
				require.NoError(t, r.Run(t.Context()))
				requireTurnedDown(t, r.Record, row.reason)
				require.Less(t, time.Since(began), 20*time.Minute, "it did not wait for the end of the pause")
				stage := r.Record.Stages[1]
				require.Equal(t, row.verdict, stage.Verdict)
				require.Contains(t, stage.Detail, "in the pause after its verdict, ")
				require.Equal(t, row.reason, stage.After.Ports[0].Reason)
				require.Equal(t, rollout.ReasonPass, stage.Measurement.Reason, "what was measured before stays")
				require.Equal(t, []string{"baseline pass", "25 pass", "25 " + string(row.verdict)}, j.judged)
				require.Equal(t, "10+0 serving 10+0", c.pods[len(c.pods)-1])
				requireInvariants(t, c, 10, 3)
			})
		})
	}
}

// TestBakeIsSampled: a canary that breaks while the old pods are warm is found by its flows.
func TestBakeIsSampled(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]law{"FAIL_ERRORS": refuses, "FAIL_LATENCY": slowly, "INVALID_CLASSIFIER": strange} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r := baking(t)
				b := r.Prober.(*balancer)
				time.AfterFunc(5*time.Minute, func() {
					state, err := c.Next(t.Context(), 0)
					require.NoError(t, err)
					require.Equal(t, 2, state.Stable.Parked)
					b.spoil(only(l))
				})
				require.NoError(t, r.Run(t.Context()))
				requireTurnedDown(t, r.Record, rollout.Reason(name))
				stage := r.Record.Stages[len(r.Record.Stages)-1]
				require.Equal(t, "bake", stage.After.Name)
				require.Contains(t, stage.Detail, "in the bake after its verdict, ")
				require.Contains(t, c.calls, "unpark stable")
				require.Equal(t, "4+0 serving 4+0", c.pods[len(c.pods)-1])
				requireInvariants(t, c, 4, 2)
			})
		})
	}
}

// TestResumedBakeIsSampled: another process bakes anew, with the baseline that is remembered.
func TestResumedBakeIsSampled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r := baking(t)
		c.change(func(s *rollout.State) {
			s.Stable, s.Canary = pods(2), pods(4)
			s.Stable.Parked, s.Stable.Serving = 2, 0
		})
		r.Memory = memoryAt(rollout.PhaseBaking, 100, rollout.Pair, rollout.Keep)
		time.AfterFunc(time.Minute, func() { r.Prober.(*balancer).spoil(refuses) })
		require.NoError(t, r.Run(t.Context()))
		requireTurnedDown(t, r.Record, rollout.ReasonFailErrors)
		require.Equal(t, "100", r.Record.Stages[0].Name)
		require.Equal(t, rollout.Fail, r.Record.Stages[0].Verdict)
		require.Contains(t, c.calls, "unpark stable")
		requireInvariants(t, c, 4, 2)
	})
}

// TestPauseWithoutFlows: where none can be made, and where nobody makes any, the pods are
// watched all the same.
func TestPauseWithoutFlows(t *testing.T) {
	t.Parallel()
	for _, prober := range []rollout.Prober{nil, &quiet{err: errNoAddress}} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(10, 0)
			r, _, _ := newRollout(t, c)
			r.Quiet = prober
			r.Plan.Steps, r.Pauses = []rollout.Percent{10}, map[rollout.Percent]time.Duration{10: 10 * time.Minute}
			c.onScale = afterCanaries(1, func(*rollout.State) {
				time.AfterFunc(5*time.Minute, func() { c.change(func(s *rollout.State) { s.Canary.Restarts = 1 }) })
			})
			require.NoError(t, r.Run(t.Context()))
			requireTurnedDown(t, r.Record, rollout.ReasonFailRestarts)
			require.Nil(t, r.Record.Stages[1].After)
		})
	}
}

// TestPauseOutlastsMovedPods: pods that change in a pause and come back begin no new one.
func TestPauseOutlastsMovedPods(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(10, 0)
		r, _, _ := newRollout(t, c)
		r.Plan.Steps, r.Pauses = []rollout.Percent{10}, map[rollout.Percent]time.Duration{10: 10 * time.Minute}
		serving := func(n int) func() {
			return func() { c.change(func(s *rollout.State) { s.Stable.Serving, s.Stable.Available = n, n }) }
		}
		c.onScale = func(_ *cluster, side probe.Version, _ int) error {
			if side == probe.Stable {
				time.AfterFunc(5*time.Minute, serving(8))
				time.AfterFunc(6*time.Minute, serving(9))
			}
			return nil
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Held, r.Record.Outcome, r.Record.Message)
		after := r.Record.Stages[1].After
		require.InDelta(t, 9*time.Minute, after.Took, float64(2*time.Second), "a minute passed without its pods")
		require.InDelta(t, 2700, after.Ports[0].Samples, 20, "of both parts")
		require.Len(t, r.Quiet.(*quiet).streams, 2)
	})
}
