package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
)

// TestWatch: after the verdict nobody asks for the share, and everything else can still fail.
func TestWatch(t *testing.T) {
	t.Parallel()
	unknown := always(answer(probe.Unknown))
	for _, row := range []struct {
		name     string
		expected Percent
		law      law
		verdict  Verdict // empty: nothing is wrong
		reason   Reason
	}{
		{"as before", 25, turns(1, 4), "", ""},
		{"another share", 25, turns(3, 4), "", ""},
		{"one side only", 25, always(answer(probe.Stable)), "", ""},
		{"stable answers at 100 %", 100, always(answer(probe.Stable)), "", ""},
		{"failures", 25, always(failure(probe.Refused, probe.None)), Fail, ReasonFailErrors},
		{"failures of the canary", 25, every(4, always(failure(probe.Faulty, probe.Canary)), always(answer(probe.Stable))), Fail, ReasonFailErrors},
		{"a slow canary", 25, slowCanary(time.Second), Fail, ReasonFailLatency},
		{"a slow canary at 100 %", 100, slowAll(always(answer(probe.Canary))), Fail, ReasonFailLatency},
		{"answers that nobody knows", 100, unknown, Invalid, ReasonInvalidClassifier},
		{"this machine fails", 25, always(failure(probe.Local, probe.None)), "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			j := NewJudge(paced(options(row.expected)))
			feed(j, 5000, turns(int(row.expected), 100))
			before, _, _, _ := j.Verdict()
			require.Equal(t, Pass, before)
			w := j.Watch()
			n := feed(w, 3000, row.law)
			verdict, reason, detail, _ := w.Verdict()
			require.Equal(t, []any{row.verdict, row.reason}, []any{verdict, reason}, detail)
			require.Equal(t, row.verdict == "", n == 3000, "%d flows", n)
			after, _, _, _ := j.Verdict()
			require.Equal(t, Pass, after, "what was judged stays so")
		})
	}
}

// TestWatchGoesOn: the counts of the gates are the stage's and the pause's together.
func TestWatchGoesOn(t *testing.T) {
	t.Parallel()
	j := NewJudge(options(50))
	feed(j, 5000, turns(1, 2))
	flows := j.AsBaseline().Ports[0].Flows
	w := j.Watch()
	require.Zero(t, w.Measurements()[0].Samples)
	feed(w, 10, turns(1, 2))
	require.Equal(t, flows+10, w.AsBaseline().Ports[0].Flows)
	require.Equal(t, flows, j.AsBaseline().Ports[0].Flows, "the stage's own figures are left alone")
	require.Empty(t, w.Measurements()[0].Verdict)
}
