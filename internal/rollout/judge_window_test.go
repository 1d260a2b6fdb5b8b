package rollout

import (
	"context"
	"encoding/json"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/stats"
)

// TestWorstPortDecides gives three ports laws of their own.
func TestWorstPortDecides(t *testing.T) {
	t.Parallel()
	good, bad := turns(1, 2), turns(1, 5)
	stuck, dead := always(answer(probe.Stable)), always(failure(probe.Refused, probe.None))
	for _, row := range []struct {
		name    string
		laws    []law
		verdict Verdict
		reason  Reason
		port    int
	}{
		{"all pass, the last one decides", []law{turns(1, 2), turns(9, 20), good}, Pass, ReasonPass, 1},
		{"one fails", []law{good, bad, good}, Fail, ReasonFailShare, 1},
		{"one is sticky", []law{good, good, stuck}, Invalid, ReasonInvalidSticky, 2},
		{"one is dead", []law{dead, good, good}, Fail, ReasonFailErrors, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := options(50)
			o.Tolerance = 10
			o.Ports = []probe.Port{port(80), port(443), port(8080)}
			o.Baseline = &Baseline{Ports: []Failures{{0, 300}, {0, 300}, {0, 300}}}
			j := NewJudge(o)
			feed(j, 20000, row.laws...)
			verdict, reason, detail, at := j.Verdict()
			require.Equal(t, row.verdict, verdict, detail)
			require.Equal(t, row.reason, reason)
			require.Equal(t, row.port, at)
			require.Contains(t, detail, o.Ports[at].String())
			require.Len(t, j.Measurements(), 3)
		})
	}
}

// TestInconclusivePortWaits: one port is out of budget first, and another fails
// afterwards.
func TestInconclusivePortWaits(t *testing.T) {
	t.Parallel()
	o := options(50)
	o.Ports, o.MaxProbes = []probe.Port{port(80), port(81)}, 50
	j := NewJudge(o)
	for i := range 50 {
		f := turns(1, 2)(i)
		require.False(t, j.Add(f), "flow %d", i)
	}
	verdict, _, _, at := j.Verdict()
	require.Empty(t, verdict)
	require.Equal(t, 1, at, "the port that is open")
	j.Expire()
	verdict, reason, detail, at := j.Verdict()
	require.Equal(t, []any{Inconclusive, ReasonInconclusive, 0}, []any{verdict, reason, at})
	require.Contains(t, detail, "observed 50 % of 50 flows on 80/TCP")
}

// TestPassIsOverturnedByFailuresOnly: a port that passed waits for the other.
func TestPassIsOverturnedByFailuresOnly(t *testing.T) {
	t.Parallel()
	begin := func() (*Judge, *portJudge) {
		o := options(50)
		o.Tolerance = 10
		o.Ports = []probe.Port{port(80), port(81)}
		o.Baseline = &Baseline{Ports: []Failures{{0, 300}, {0, 300}}}
		j := NewJudge(o)
		for i := range 1000 {
			j.Add(turns(1, 2)(i))
		}
		return j, j.ports[0]
	}
	j, first := begin()
	require.Equal(t, Pass, first.verdict)
	for range 2000 {
		j.Add(answer(probe.Stable))
	}
	require.Equal(t, Pass, first.verdict, "the share was decided when it was looked at")
	for range 100 {
		j.Add(failure(probe.Timeout, probe.None))
	}
	verdict, reason, _, _ := j.Verdict()
	require.Equal(t, []any{Fail, ReasonFailErrors}, []any{verdict, reason})
}

func TestBetween(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		expected Percent
		previous Percent
		law      law
		want     bool
	}{
		{"half way", 50, 25, random(3, 0.36), true},
		{"not yet begun", 50, 0, always(answer(probe.Stable)), true},
		{"still the last stage's", 50, 25, random(3, 0.25), true},
		{"before the last stage", 75, 70, turns(1, 10), false},
		{"beyond this stage", 25, 10, random(3, 0.5), false},
		{"back: half way", 25, 75, random(3, 0.5), true},
		{"almost everything", 100, 80, every(40, always(answer(probe.Stable)), always(answer(probe.Canary))), true},
		{"errors", 50, 25, always(failure(probe.Refused, probe.None)), false},
		{"passed", 50, 25, turns(1, 2), false},
		{"same share", 50, 50, random(3, 0.3), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			j := NewJudge(options(row.expected))
			feed(j, 5000, row.law)
			require.Equal(t, row.want, j.Between(row.previous))
		})
	}
	measuring := NewJudge(JudgeOptions{Ports: []probe.Port{port(80)}, Tolerance: 5, Confidence: 95})
	require.False(t, measuring.Between(0))
}

// TestRestart drops the window but not the failures.
func TestRestart(t *testing.T) {
	t.Parallel()
	j := NewJudge(options(50))
	refused := failure(probe.Refused, probe.None)
	for i := range 5000 {
		if j.Add(random(1, 0.3)(i)) {
			break
		}
	}
	verdict, _, _, _ := j.Verdict()
	require.Equal(t, Invalid, verdict, "the same first draw again and again is constant")
	j.Restart()
	verdict, reason, _, _ := j.Verdict()
	require.Empty(t, verdict)
	require.Empty(t, reason)
	m := j.Measurements()[0]
	require.Zero(t, m.Samples)
	require.Nil(t, m.Observed)

	n := feed(j, 5000, turns(1, 2))
	verdict, _, _, _ = j.Verdict()
	require.Equal(t, Pass, verdict)
	fresh := feed(NewJudge(options(50)), 5000, turns(1, 2))
	require.Greater(t, n, fresh, "a second look costs a smaller error")

	j = NewJudge(options(50))
	j.Add(refused)
	j.Restart()
	require.Equal(t, &Baseline{Ports: []Failures{{1, 1}}, Times: []Pace{{}}}, j.AsBaseline())
	require.Zero(t, j.Measurements()[0].Errors[probe.Refused])
}

// TestExpect: pods that change begin another window of the same stage.
func TestExpect(t *testing.T) {
	t.Parallel()
	j := NewJudge(paced(options(25)))
	feed(j, 20, slowCanary(50*time.Millisecond))
	j.Restart()
	j.Add(failure(probe.Refused, probe.None))
	next := j.expect(paced(options(50)))
	e := next.ports[0].evidence()
	require.Equal(t, 2, e.Share.Restarts)
	require.InDelta(t, float64(stats.NewShareTest(0.5, 0.05, 0.95).Window(2).Alpha), float64(e.Share.Alpha), 1e-15)
	require.Equal(t, []int{21, 1, 5}, []int{e.Failures.Flows, e.Failures.Failed, e.Latency.CanarySlow})
	require.InDelta(t, 50, float64(*next.Measurements()[0].Expected), 0)
	feed(next, 5000, turns(1, 2))
	verdict, _, detail, _ := next.Verdict()
	require.Equal(t, Pass, verdict, detail)
	require.True(t, j.expect(paced(options(100))).ports[0].gates.times.withoutStable)
}

func TestExpire(t *testing.T) {
	t.Parallel()
	j := NewJudge(options(50))
	feed(j, 100, turns(1, 2))
	j.Expire()
	verdict, reason, detail, _ := j.Verdict()
	require.Equal(t, []any{Inconclusive, ReasonInconclusive}, []any{verdict, reason})
	require.Contains(t, detail, "observed 50 % of 100 flows on 80/TCP")
	require.Contains(t, detail, "more answers would decide")

	j = NewJudge(options(50))
	j.Expire()
	_, reason, detail, _ = j.Verdict()
	require.Equal(t, ReasonInconclusive, reason)
	require.Equal(t, "none of 0 flows on 80/TCP told its version", detail)

	for flows, want := range map[int]Verdict{0: Fail, 100: Inconclusive, 300: Pass} {
		j = NewJudge(baselineOptions())
		feed(j, flows, always(answer(probe.Stable)))
		j.Expire()
		verdict, _, detail, _ = j.Verdict()
		require.Equal(t, want, verdict, "%d flows: %s", flows, detail)
	}
}

// TestNoEarlyStop looks once, after all flows.
func TestNoEarlyStop(t *testing.T) {
	t.Parallel()
	for share, want := range map[int]Verdict{50: Pass, 30: Fail, 44: Inconclusive} {
		o := options(50)
		o.NoEarlyStop = true
		j := NewJudge(o)
		require.NoError(t, Sample(t.Context(), flows(2000, turns(share, 100)), j))
		verdict, _, detail, _ := j.Verdict()
		require.Equal(t, want, verdict, "%d %%: %s", share, detail)
		require.Equal(t, 2000, j.Measurements()[0].Samples)
	}
}

// flows are n flows of a law.
func flows(n int, l law) iter.Seq[probe.Flow] {
	return func(yield func(probe.Flow) bool) {
		for i := range n {
			if !yield(l(i)) {
				return
			}
		}
	}
}

func TestWithoutExpectation(t *testing.T) {
	t.Parallel()
	j := NewJudge(JudgeOptions{Ports: []probe.Port{port(80)}, Tolerance: 5, Confidence: 95})
	n := feed(j, 10000, turns(1, 4))
	require.Equal(t, stats.PlanSize(0.5, 0.05, 0.05), n, "as many as the width asks for")
	j.Expire()
	verdict, reason, detail, _ := j.Verdict()
	require.Empty(t, verdict)
	require.Empty(t, reason)
	require.NotContains(t, detail, "allowed")
	m := j.Measurements()[0]
	require.Nil(t, m.Expected)
	require.Empty(t, m.Verdict)
	require.Less(t, m.Interval.Width(), 0.1)
	require.True(t, m.Interval.Contains(0.25))
}

func TestSampleEndsWithItsContext(t *testing.T) {
	t.Parallel()
	o := options(50)
	j := NewJudge(o)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, Sample(ctx, flows(10, turns(1, 2)), j))
	verdict, _, _, _ := j.Verdict()
	require.Empty(t, verdict)
}

func TestVerdictsAreRepeatable(t *testing.T) {
	t.Parallel()
	run := func() []any {
		j := NewJudge(options(25))
		n := feed(j, 10000, random(11, 0.25))
		verdict, _, detail, _ := j.Verdict()
		figures, err := json.Marshal(j.Measurements())
		require.NoError(t, err)
		return []any{n, verdict, detail, string(figures)}
	}
	require.Equal(t, run(), run())
}

// TestBudgetOnlyShortensTheBaseline: max-probes is a limit, and the baseline has
// a size of its own.
func TestBudgetOnlyShortensTheBaseline(t *testing.T) {
	t.Parallel()
	for budget, want := range map[int]int{0: 300, 20000: 300, 100: 100} {
		o := baselineOptions()
		o.MaxProbes = budget
		j := NewJudge(o)
		require.Equal(t, want, feed(j, 20000, always(answer(probe.Stable))), "max-probes %d", budget)
		verdict, _, detail, _ := j.Verdict()
		require.Equal(t, Pass, verdict, detail)
	}
}
