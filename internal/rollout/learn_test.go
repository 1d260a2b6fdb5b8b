package rollout_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

const words = `stable answers contain "1.8.2", canary's "1.9.0", in the banner`

func TestLearnsAndPromotes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, back, _ := newLearner(t, 10, versions)
		l := &ledger{cluster: back.cluster}
		r.Ledger = l
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []rollout.Learned{{Port: "80/TCP", Words: words}}, r.Record.Learned)
		require.ElementsMatch(t, []string{
			"canary-0 80/TCP as 192.0.2.7", "stable-0 80/TCP as 192.0.2.7", "stable-1 80/TCP as 192.0.2.7", "stable-2 80/TCP as 192.0.2.7",
		}, back.asked, "once, when the first canary is ready")
		for _, stage := range r.Record.Stages {
			require.Zero(t, stage.Unknown, stage.Name)
			require.NotNil(t, stage.Observed)
		}
		require.Positive(t, r.Record.Stages[1].Measurement.Canary)
		require.Less(t, *r.Record.Stages[1].Propagation, 10*time.Second)

		read, err := rollout.ReadMemory(mustMarshal(t, l.kept[len(l.kept)-1]))
		require.NoError(t, err)
		require.Equal(t, words, read.Lessons[0].Classifier.String())
		require.NotNil(t, l.kept[2].Lessons, "at once: the process may be killed while it samples")
	})
}

func mustMarshal(t *testing.T, m rollout.Memory) []byte {
	t.Helper()
	data, err := json.Marshal(m)
	require.NoError(t, err)
	return data
}

// TestLearnsTheSeed has one pod of each version, and at a first stage of 100 % none of
// stable is left to be asked.
func TestLearnsTheSeed(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]rollout.Percent{"seed": {50, 80, 100}, "at once": {100}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, back, _ := newLearner(t, 1, versions)
				r.Plan = rollout.PlanOptions{Replicas: 1, MaxSurge: 4, Steps: steps, MaxWeightError: 5}
				var log bytes.Buffer
				r.Log = slog.New(slog.NewTextHandler(&log, nil))
				require.NoError(t, r.Run(t.Context()))
				require.NotContains(t, log.String(), "error=", "nothing went wrong")
				require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
				require.ElementsMatch(t, []string{"canary-0 80/TCP as 192.0.2.7", "stable-0 80/TCP as 192.0.2.7"}, back.asked)
				require.Equal(t, words, r.Record.Learned[0].Words)
			})
		})
	}
}

// TestLearnedSplitIsJudged: what was learned is as good as a pattern.
func TestLearnedSplitIsJudged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, back, _ := newLearner(t, 10, versions)
		fair := r.Prober.(*balancer).answer
		r.Prober.(*balancer).answer = func(share float64, random *rand.Rand) probe.Flow { return fair(share/5, random) }
		r.Plan.Steps = []rollout.Percent{50, 100}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.RolledBack, r.Record.Outcome)
		require.Equal(t, rollout.ReasonFailShare, r.Record.Reason)
		require.Equal(t, "10+0 serving 10+0", back.cluster.pods[len(back.cluster.pods)-1])
	})
}

func TestAlikeIsAnErrorUnderEnforce(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, message string
		logged        string
		says          func(int, probe.Version) string
		fail          func(string, int) error
	}{
		{"the same answers", "on 80/TCP: all answers of both versions are the same", `stable answers \"hello\\n\", the canary \"hello\\n\"`, alike, nil},
		{"a pod that does not answer", "on 80/TCP: connection refused", "because=\"connection refused\"", versions, func(pod string, _ int) error {
			if pod == "canary-0" {
				return errAway
			}
			return nil
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, back, j := newLearner(t, 10, row.says)
				var log bytes.Buffer
				back.fail, r.Log = row.fail, slog.New(slog.NewTextHandler(&log, nil))
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.RolledBack, r.Record.Outcome)
				require.Equal(t, rollout.ReasonInvalidClassifier, r.Record.Reason)
				require.Contains(t, r.Record.Message, row.message)
				require.NotContains(t, r.Record.Message, "hello", "answers are for the log alone")
				require.Contains(t, log.String(), row.logged)
				require.Contains(t, r.Record.Message, "write stable-pattern and canary-pattern, or share-gate: report")
				require.Equal(t, rollout.Invalid, r.Record.Stages[1].Verdict)
				require.Equal(t, []string{"baseline pass", "10 invalid"}, j.judged)
				require.Equal(t, "10+0 serving 10+0", back.cluster.pods[len(back.cluster.pods)-1])
			})
		})
	}
}

// TestAlikeIsNotMeasuredUnderReport: the other gates decide, on enough flows for the
// balancer to have heard of the canary.
func TestAlikeIsNotMeasuredUnderReport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _, _ := newLearner(t, 10, alike)
		r.ReportShare = true
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, "report", r.Record.ShareGate)
		require.Equal(t, []rollout.Learned{{Port: "80/TCP", Why: "all answers of both versions are the same"}}, r.Record.Learned)
		for _, stage := range r.Record.Stages[1:] {
			require.Equal(t, rollout.Pass, stage.Verdict)
			require.Equal(t, "all answers of both versions are the same", stage.Unmeasured)
			require.Nil(t, stage.Observed)
			require.GreaterOrEqual(t, stage.Samples, 3000, "a minute of propagation at 50/s")
			require.Contains(t, stage.Detail, "whose share is not measured: all answers")
		}
	})
}

func TestFailuresJudgeUnderReport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, back, _ := newLearner(t, 10, alike)
		r.ReportShare = true
		fair := r.Prober.(*balancer).answer
		r.Prober.(*balancer).answer = func(share float64, random *rand.Rand) probe.Flow {
			f := fair(share, random)
			if random.Float64() < share {
				f = probe.Flow{Class: probe.Reset, Address: f.Address}
			}
			return f
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.RolledBack, r.Record.Outcome)
		require.Equal(t, rollout.ReasonFailErrors, r.Record.Reason)
		require.Equal(t, "10+0 serving 10+0", back.cluster.pods[len(back.cluster.pods)-1])
	})
}

// TestShareDecidesNothingUnderReport has a balancer that sends everything to one side.
func TestShareDecidesNothingUnderReport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _, _ := newLearner(t, 10, versions)
		r.ReportShare = true
		fair := r.Prober.(*balancer).answer
		r.Prober.(*balancer).answer = func(_ float64, random *rand.Rand) probe.Flow { return fair(0, random) }
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		stage := r.Record.Stages[1]
		require.Empty(t, stage.Unmeasured)
		require.InDelta(t, 0, float64(*stage.Observed), 0)
		require.Contains(t, stage.Detail, "which decides nothing (share-gate)")
	})
}

// TestOnePortTells: the other is listed with the reason, and failures on it count.
func TestOnePortTells(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _, _ := newLearner(t, 10, func(port int, side probe.Version) string {
			if port == 1 {
				return versions(port, side)
			}
			return alike(port, side)
		})
		r.Ports = []probe.Port{{Number: 80, Protocol: probe.TCP}, {Number: 81, Protocol: probe.TCP}}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Equal(t, []rollout.Learned{{Port: "80/TCP", Why: "all answers of both versions are the same"}, {Port: "81/TCP", Words: words}}, r.Record.Learned)
		for _, stage := range r.Record.Stages[1:] {
			require.Equal(t, "81/TCP", stage.Port, "the one that has a share stands for the stage")
			require.NotNil(t, stage.Observed)
			require.Nil(t, stage.Ports[0].Observed)
			require.NotEmpty(t, stage.Ports[0].Unmeasured)
			require.GreaterOrEqual(t, stage.Ports[0].Samples, 300)
		}
	})
}

// TestResumesWithWhatWasLearned: a later process asks nobody and judges alike.
func TestResumesWithWhatWasLearned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, back, _ := newLearner(t, 10, versions)
		l := &ledger{cluster: back.cluster}
		r.Ledger, r.Until = l, 25
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Held, r.Record.Outcome, r.Record.Message)
		memory, err := rollout.ReadMemory(mustMarshal(t, l.kept[len(l.kept)-1]))
		require.NoError(t, err)

		again, _, j := newRollout(t, back.cluster)
		again.Learn, again.Asker, again.Prober, again.Memory = true, nil, r.Prober, memory // a question would panic
		require.NoError(t, again.Run(t.Context()))
		require.Equal(t, rollout.Promoted, again.Record.Outcome, again.Record.Message)
		require.Equal(t, []string{"50", "100"}, j.stages)
		require.Equal(t, words, again.Record.Learned[0].Words)
	})
}

// TestResumesUnderAnotherGate: that nothing told the versions apart was good enough for
// shares that decide nothing, and is not where they do.
func TestResumesUnderAnotherGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, back, _ := newLearner(t, 10, alike)
		l := &ledger{cluster: back.cluster}
		r.Ledger, r.Until, r.ReportShare = l, 25, true
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Held, r.Record.Outcome, r.Record.Message)
		memory, err := rollout.ReadMemory(mustMarshal(t, l.kept[len(l.kept)-1]))
		require.NoError(t, err)
		require.NotEmpty(t, memory.Lessons[0].Why)

		again, _, _ := newRollout(t, back.cluster)
		again.Learn, again.Asker, again.Prober, again.Memory = true, back, r.Prober, memory
		require.NoError(t, again.Run(t.Context()))
		require.Equal(t, rollout.RolledBack, again.Record.Outcome)
		require.Equal(t, rollout.ReasonInvalidClassifier, again.Record.Reason)
	})
}

// TestBootstrapLearnsNothing: there is one version.
func TestBootstrapLearnsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, back, _ := newLearner(t, 3, alike)
		r.Mode, r.Plan.Replicas, r.Plan.Steps, r.Smoke = rollout.Bootstrap, 3, []rollout.Percent{100}, true
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Empty(t, back.asked)
		require.Zero(t, back.smoked)
		require.Equal(t, 300, r.Record.Stages[0].Measurement.Stable)
	})
}

// TestPausesAreAttributed: what was learned, or that nothing could be, holds in a pause
// as well, where answers that nobody knows would end the rollout.
func TestPausesAreAttributed(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]func(int, probe.Version) string{"told apart": versions, "alike": alike} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, _, _ := newLearner(t, 10, says)
				r.Plan.Steps = []rollout.Percent{50, 100}
				r.Pauses = map[rollout.Percent]time.Duration{50: 10 * time.Minute}
				r.ReportShare = name == "alike"
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
				after := r.Record.Stages[1].After.Ports[0]
				require.Greater(t, after.Samples, 100)
				if r.ReportShare {
					require.Equal(t, after.Samples, after.Unknown)
					require.NotEmpty(t, after.Unmeasured)
					return
				}
				require.Zero(t, after.Unknown)
				require.Positive(t, after.Stable)
				require.Positive(t, after.Canary)
			})
		})
	}
}

// TestSlowPortWithoutShare: a port that allows few flows a second has as many as go by in
// propagation, and no more.
func TestSlowPortWithoutShare(t *testing.T) {
	t.Parallel()
	for limit, want := range map[float64]int{0: 3000, 10: 600} {
		synctest.Test(t, func(t *testing.T) {
			r, _, _ := newLearner(t, 10, alike)
			r.ReportShare, r.Ports[0].Rate = true, limit
			r.Plan.Steps = []rollout.Percent{50, 100}
			require.NoError(t, r.Run(t.Context()))
			require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
			require.Equal(t, want, r.Record.Stages[1].Samples)
		})
	}
}
