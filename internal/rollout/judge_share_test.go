package rollout

import (
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/stats"
)

// falling gives the canary a share that falls from one to another over so many flows,
// and stays there.
func falling(seed uint64, from, to float64, over int) law {
	source := rand.New(rand.NewPCG(seed, 5))
	return func(i int) probe.Flow {
		share := to + (from-to)*max(0, 1-float64(i)/float64(over))
		if source.Float64() < share {
			return answer(probe.Canary)
		}
		return answer(probe.Stable)
	}
}

// TestMovingShareBeginsAgain: the average of two splits would pass, and neither of them
// is the expected one. What came before the share stood still does not count.
func TestMovingShareBeginsAgain(t *testing.T) {
	t.Parallel()
	o := options(50)
	o.MaxProbes = 5000
	j := NewJudge(o)
	n := feed(j, 5000, then(600, turns(40, 100), then(1220, turns(62, 100), turns(1, 2))))
	verdict, reason, detail, _ := j.Verdict()
	require.Equal(t, []any{Pass, ReasonPass}, []any{verdict, reason}, detail)
	e := j.Measurements()[0].Evidence
	require.Positive(t, e.Share.Moves, "%d %s", n, detail)
	require.Equal(t, e.Share.Moves, e.Share.Restarts)
	require.InDelta(t, float64(stats.NewShareTest(0.5, 0.05, 0.95).Window(e.Share.Restarts).Alpha), float64(e.Share.Alpha), 1e-12)
	require.Less(t, j.Measurements()[0].Samples, n, "what was dropped is not in the figures")
	require.Greater(t, n, 1220, "it passed after the share stood still")
}

// TestBudgetsOfWindows: a window that is held to more may take more, unless it was said
// how many flows there may be.
func TestBudgetsOfWindows(t *testing.T) {
	t.Parallel()
	j := NewJudge(options(10))
	require.Equal(t, 1560, j.ports[0].budget)
	j.Restart()
	require.Equal(t, 4*stats.NewShareTest(0.1, 0.05, 0.95).Window(1).PlannedSize, j.ports[0].budget)
	o := options(10)
	o.MaxProbes = 700
	j = NewJudge(o)
	j.Restart()
	require.Equal(t, 700, j.ports[0].budget, "counted from the end of the propagation")
	j = NewJudge(baselineOptions())
	j.Restart()
	require.Equal(t, 300, j.ports[0].budget)
}

// TestLateWindowsDecide: a balancer that takes minutes costs many windows, and a good
// share is still found in the one that counts.
func TestLateWindowsDecide(t *testing.T) {
	t.Parallel()
	const runs, windows = 100, 12
	verdicts := map[Verdict]int{}
	for seed := range uint64(runs) {
		j := NewJudge(options(10))
		for range windows {
			j.Restart()
		}
		feed(j, 100000, random(seed, 0.1))
		verdict, _, _, _ := j.Verdict()
		verdicts[verdict]++
	}
	require.GreaterOrEqual(t, verdicts[Pass], runs-2, "%v", verdicts)
}

// TestBudgetIsOfAllWindows: beginning again because the share moved buys no flows beyond
// max-probes.
func TestBudgetIsOfAllWindows(t *testing.T) {
	t.Parallel()
	o := options(50)
	o.MaxProbes = 1500
	j := NewJudge(o)
	n := feed(j, 20000, func(i int) probe.Flow { // the share swings, slower than anything decides
		if i/400%2 == 0 {
			return turns(30, 100)(i)
		}
		return turns(70, 100)(i)
	})
	require.LessOrEqual(t, n, 1500)
	verdict, _, detail, _ := j.Verdict()
	require.NotEqual(t, Pass, verdict, detail)
}

// TestShareThatKeepsMoving passes nothing, and fails where it is far off all the same.
func TestShareThatKeepsMoving(t *testing.T) {
	t.Parallel()
	o := options(10)
	o.MaxProbes = 20000
	j := NewJudge(o)
	n := feed(j, 20000, func(i int) probe.Flow { // each window: first much, then less, and always too much
		if i/25%2 == 0 {
			return answer(probe.Canary)
		}
		return turns(1, 3)(i)
	})
	verdict, reason, detail, _ := j.Verdict()
	require.Equal(t, []any{Fail, ReasonFailShare}, []any{verdict, reason}, "%d: %s", n, detail)
	require.LessOrEqual(t, j.Measurements()[0].Evidence.Share.Moves, mostMoves)

	one := NewJudge(without(options(50))) // one look at a share that moved: what it shows is no split
	one.options.NoEarlyStop, one.ports[0].options.NoEarlyStop = true, true
	feed(one, 2000, then(1000, turns(35, 100), turns(65, 100)))
	one.Expire()
	verdict, reason, detail, _ = one.Verdict()
	require.Equal(t, []any{Inconclusive, ReasonInconclusive}, []any{verdict, reason})
	require.Contains(t, detail, "it moved while it was sampled, from 35 % in the first half to 65 % in the second")
}

// TestLeastConnections is named where the share is far above the expected one and falls.
func TestLeastConnections(t *testing.T) {
	t.Parallel()
	fell := 0
	for seed := range uint64(20) {
		o := options(10)
		o.Tolerance = 2
		j := NewJudge(o)
		l := falling(seed, 0.95, 0.36, 120)
		feed(j, 20000, l)
		verdict, reason, detail, _ := j.Verdict()
		require.Equal(t, []any{Fail, ReasonFailShare}, []any{verdict, reason}, detail)
		require.Contains(t, detail, "least connections", "seed %d", seed)

		j.Restart() // as while the balancer may lag
		feed(j, 20000, func(i int) probe.Flow { return l(i + 100) })
		_, _, detail, _ = j.Verdict()
		fell += one(regexp.MustCompile(`and it fell from [\d.]+ to [\d.]+ %, as it does`).MatchString(detail))
	}
	require.GreaterOrEqual(t, fell, 15, "from about 85 to 36 %: of few flows, but most often visible")
	for seed := range uint64(20) {
		for _, steady := range []struct{ expected, share float64 }{{10, 0.18}, {25, 0.4}, {50, 0.9}, {50, 0.1}} {
			j := NewJudge(options(Percent(steady.expected)))
			feed(j, 20000, random(seed, steady.share))
			_, reason, detail, _ := j.Verdict()
			require.NotEqual(t, ReasonPass, reason)
			require.NotContains(t, detail, "least connections", "seed %d", seed)
		}
	}
}

// clumps answers in stretches of one version: each draw is repeated.
func clumps(seed uint64, share float64, length int) law {
	source := rand.New(rand.NewPCG(seed, 6))
	isNew := false
	return func(i int) probe.Flow {
		if i%length == 0 {
			isNew = source.Float64() < share
		}
		if isNew {
			return answer(probe.Canary)
		}
		return answer(probe.Stable)
	}
}

// TestScatterCosts: answers that come in clumps are worth fewer independent ones. The
// plain test fails a share that is right far too often then.
func TestScatterCosts(t *testing.T) {
	t.Parallel()
	const runs, length = 200, 25
	failed, plain := 0, 0
	for seed := range uint64(runs) {
		j := NewJudge(options(25))
		feed(j, 100000, clumps(seed, 0.25, length))
		verdict, _, _, _ := j.Verdict()
		failed += one(verdict == Fail)

		test, l, k := stats.NewShareTest(0.25, 0.05, 0.95), clumps(seed, 0.25, length), 0
		for n := 1; n <= test.MaxSize; n++ {
			k += one(l(n-1).Version == probe.Canary)
			if d := test.Decide(k, n); d != stats.Continue {
				plain += one(d == stats.Fail)
				break
			}
		}
	}
	t.Logf("a right share in clumps of %d: %d of %d fail, %d without the correction", length, failed, runs, plain)
	require.Greater(t, plain, 60, "the plain test is fooled")
	require.LessOrEqual(t, failed, plain/4)

	o := options(25)
	o.NoEarlyStop = true
	j := NewJudge(o)
	feed(j, 2000, clumps(1, 0.25, length))
	j.Expire()
	m := j.Measurements()[0]
	require.Greater(t, float64(m.Evidence.Sequence.Divided), 2.0, "%+v", m.Evidence.Sequence)
	require.Greater(t, m.Interval.Width(), stats.NewShareTest(0.25, 0.05, 0.95).Interval(m.Canary, m.Stable+m.Canary).Width())
	require.Contains(t, m.Evidence.Warnings[0], "scatters")
	require.Contains(t, m.Evidence.Warnings[1], "clustered")
}

// TestRegularityBuysNothing: turns are judged as random draws are.
func TestRegularityBuysNothing(t *testing.T) {
	t.Parallel()
	j := NewJudge(options(25))
	n := feed(j, 5000, turns(1, 4))
	e := j.Measurements()[0].Evidence
	require.Less(t, float64(e.Sequence.Phi), 0.1)
	require.InDelta(t, 1, float64(e.Sequence.Divided), 0)
	require.Greater(t, float64(e.Sequence.Z), 3.0)
	require.Equal(t, stats.Alternating, e.Sequence.Pattern)
	require.Equal(t, []string{"the versions take turns (round-robin-like): the interval errs on the safe side"}, e.Warnings)
	require.GreaterOrEqual(t, n, 733, "the table's figure for a perfect round robin")
}

// TestScatterOfIndependentDraws: chance alone is rarely taken for scatter, also at small
// shares and short windows.
func TestScatterOfIndependentDraws(t *testing.T) {
	t.Parallel()
	const runs = 300
	for _, expected := range []Percent{3, 5, 10, 50} {
		held := 0
		for seed := range uint64(runs) {
			j := NewJudge(options(expected))
			feed(j, 100000, random(seed, expected.Fraction()))
			held += one(j.ports[0].course.again > 0)
		}
		t.Logf("%v: scatter held up %d of %d decisions", expected, held, runs)
		// At 1 %: Binomial(300, 0.01) exceeds 12 with a probability of 1e-5.
		require.LessOrEqual(t, held, 12)
	}
}

// TestFalsePassesOverRestarts: a share on the edge of the band, and a window that begins
// again after every verdict but a pass. What is promised is of all windows together.
func TestFalsePassesOverRestarts(t *testing.T) {
	t.Parallel()
	const runs = 400
	for _, share := range []float64{0.05, 0.15} {
		passed := 0
		for seed := range uint64(runs) {
			j, l := NewJudge(options(10)), random(seed, share)
			for range 4 {
				feed(j, 100000, l)
				if verdict, _, _, _ := j.Verdict(); verdict == Pass {
					passed++
					break
				}
				j.Restart()
			}
		}
		t.Logf("share %v: %d of %d stages passed in one of four windows", share, passed, runs)
		// Binomial(400, 0.05) exceeds 40 with a probability of 2e-5.
		require.LessOrEqual(t, passed, 40)
	}
}
