package stats

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNewShareTest(t *testing.T) {
	t.Parallel()
	got := NewShareTest(0.10, 0.05, 0.95)
	require.Equal(t, ShareTest{
		Expected: 0.10, Tolerance: 0.05, Confidence: 0.95, Band: got.Band, Alpha: 0.05, PlannedSize: 390, MinSize: 20,
		MaxSize: 1560, Concentration: got.Concentration, Dispersion: 1,
	}, got)
	requireInterval(t, 0.05, 0.15, got.Band, 1e-15)
	require.InDelta(t, 48.14, got.Concentration, 0.005)
}

func TestToleranceIsClipped(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ expected, tolerance, want float64 }{
		{0.05, 0.05, 0.025}, {0.95, 0.05, 0.025}, {0.10, 0.05, 0.05}, {0.5, 0.4, 0.25}, {0.5, 0.01, 0.01}, {0, 0.05, 0.01},
		{1, 0.05, 0.01},
	} {
		require.InDelta(t, row.want, NewShareTest(row.expected, row.tolerance, 0.95).Tolerance, 1e-15, "%+v", row)
	}
}

// TestDecideVectors is the sentence below V1 of statistics.md.
func TestDecideVectors(t *testing.T) {
	t.Parallel()
	test := NewShareTest(0.10, 0.05, 0.95)
	require.Equal(t, Pass, test.Decide(43, 430))
	require.Equal(t, Continue, NewShareTest(0.10, 0.03, 0.95).Decide(100, 1000))
	require.Equal(t, Continue, test.Decide(60, 300), "20 % is not yet known to exceed 15 %")
	require.Equal(t, Continue, test.Decide(11, 100))
	require.Equal(t, Fail, test.Decide(120, 300))
	require.Equal(t, Fail, test.Decide(0, 300))
	require.Equal(t, Continue, test.Decide(0, 0))
	require.Equal(t, Continue, test.Decide(234, 1559), "15.01 % sits on the edge")
	require.Equal(t, Inconclusive, test.Decide(234, 1560))
}

func TestDecideAgreesWithInterval(t *testing.T) {
	t.Parallel()
	random := dice(3)
	seen := map[Decision]int{}
	for range 3000 {
		expected := 0.02 + 0.96*random.Float64()
		test := NewShareTest(expected, 0.01+0.2*random.Float64(), 0.5+0.499*random.Float64())
		if random.IntN(2) == 0 {
			test = test.WithDispersion(1 + 3*random.Float64())
		}
		n := 1 + random.IntN(2*test.PlannedSize+50)
		truth := expected + test.Tolerance*4*(random.Float64()-0.5)
		k := max(0, min(n, int(math.Round(truth*float64(n)+3*random.NormFloat64()))))

		shown, decision := test.Interval(k, n), test.Decide(k, n)
		seen[decision]++
		inside := test.Band.Lo < shown.Lo && shown.Hi < test.Band.Hi
		outside := shown.Lo > test.Band.Hi || shown.Hi < test.Band.Lo
		require.Equal(t, outside, decision == Fail, "%d/%d %+v %v", k, n, test, shown)
		require.Equal(t, inside && n >= test.MinSize, decision == Pass, "%d/%d %+v %v", k, n, test, shown)
		require.True(t, shown.Contains(float64(k)/float64(n)))
	}
	for _, decision := range []Decision{Pass, Fail, Continue} {
		require.Greater(t, seen[decision], 100, "the cases must not be one-sided: %v", seen)
	}
}

// TestDecideIsOrdered checks that along k at one n the verdicts come as fail, open, pass, open, fail.
func TestDecideIsOrdered(t *testing.T) {
	t.Parallel()
	test := NewShareTest(0.10, 0.05, 0.95)
	for n := 1; n <= 1600; n += 13 {
		changes := 0
		previous := test.Decide(0, n)
		for k := 1; k <= n; k++ {
			decision := test.Decide(k, n)
			if decision != previous {
				changes++
			}
			previous = decision
		}
		require.LessOrEqual(t, changes, 4, "n = %d", n)
	}
}

func TestNothingPassesBeforeMinSize(t *testing.T) {
	t.Parallel()
	test := NewShareTest(0.5, 0.25, 0.5)
	require.Equal(t, Continue, test.Decide(9, 18))
	require.Equal(t, Pass, test.Decide(10, 20))
}

func TestAllIn(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		confidence float64
		size       int
	}{{0.95, 299}, {0.99, 459}} {
		full, none := NewShareTest(1, 0.05, row.confidence), NewShareTest(0, 0.05, row.confidence)
		require.Equal(t, row.size, full.PlannedSize)
		require.Equal(t, row.size, none.PlannedSize)
		require.Equal(t, Continue, full.Decide(row.size-1, row.size-1))
		require.Equal(t, Pass, full.Decide(row.size, row.size))
		require.Equal(t, Pass, none.Decide(0, row.size))
		require.Equal(t, Fail, full.Decide(0, 1))
		require.Equal(t, Fail, full.Decide(row.size, row.size+1))
		require.Equal(t, Fail, none.Decide(1, row.size+1))
		require.Equal(t, 1, full.Remaining(row.size-1, row.size-1))
		require.Equal(t, row.size, none.Remaining(0, 0))
		require.Zero(t, full.Remaining(0, 1))

		before, after := full.Interval(row.size-1, row.size-1), full.Interval(row.size, row.size)
		require.Less(t, before.Lo, full.Band.Lo)
		require.GreaterOrEqual(t, after.Lo, full.Band.Lo, "the interval enters the band as the test passes")
		requireInterval(t, 0, 1-after.Lo, none.Interval(0, row.size), 1e-12)
	}
	full := NewShareTest(1, 0.05, 0.95)
	require.Equal(t, ConfidenceSequence(90, 100, 0.05, full.Concentration), full.Interval(90, 100))
	require.Equal(t, Inconclusive, full.WithBudget(100).Decide(100, 100))
	require.Equal(t, Continue, full.Decide(0, 0))
}

func TestRestart(t *testing.T) {
	t.Parallel()
	test := NewShareTest(0.10, 0.05, 0.95)
	for r, alpha := range []float64{0.025, 0.0125, 0.00625} {
		again := test.Restart(r)
		require.InDelta(t, alpha, again.Alpha, 1e-17)
		require.Equal(t, PlanSize(0.10, 0.05, alpha), again.PlannedSize)
		require.InDelta(t, Concentration(again.PlannedSize, alpha), again.Concentration, 1e-12)
		require.Equal(t, 4*again.PlannedSize, again.MaxSize)
		require.InDelta(t, 0.95, again.Confidence, 0, "as asked for")
	}
	require.Equal(t, test.Restart(2), test.Restart(0).Restart(2), "restarts count from the first alpha")
	require.Equal(t, test.Restart(0), test.Restart(-1))
	require.Equal(t, 777, test.WithBudget(777).Restart(1).MaxSize)
	require.Equal(t, test, test.WithBudget(777).WithBudget(0))
	require.Equal(t, 368, NewShareTest(1, 0.05, 0.95).Restart(0).PlannedSize, "ln 0.025 / ln 0.99 = 367.04")
}

func TestDispersionWidens(t *testing.T) {
	t.Parallel()
	test := NewShareTest(0.10, 0.05, 0.95)
	require.Equal(t, Pass, test.Decide(43, 430))
	require.Equal(t, Continue, test.WithDispersion(2).Decide(43, 430))
	require.Equal(t, test.Interval(43, 430), test.WithDispersion(2).Interval(86, 860))
	require.Equal(t, test, test.WithDispersion(0.3), "regularity buys nothing")
}

func TestRemaining(t *testing.T) {
	t.Parallel()
	test := NewShareTest(0.10, 0.05, 0.95)
	require.Equal(t, 214, test.Remaining(20, 200))
	require.Equal(t, 390, test.Remaining(0, 0))
	require.Equal(t, 380, test.Remaining(3, 10))
	require.Zero(t, test.Remaining(43, 430), "passed")
	require.Zero(t, test.Remaining(120, 300), "failed")
	require.Zero(t, test.Remaining(5, 4), "impossible")
	require.Greater(t, test.Remaining(234, 1560), 100_000, "nearly on the edge, and past the budget")

	onEdge := NewShareTest(0.5, 0.25, 0.95)
	require.Equal(t, maxPlan, onEdge.Remaining(75, 100), "exactly on the edge")

	random := dice(4)
	for range 500 {
		n := 20 + random.IntN(1500)
		k := int(float64(n) * (0.02 + 0.2*random.Float64()))
		more, share := test.Remaining(k, n), float64(k)/float64(n)
		if more == 0 || more > 1_000_000 {
			continue
		}
		total := float64(n + more)
		require.NotEqual(t, Continue, test.decideBand(share*total, total), "%d/%d", k, n)
		require.Equal(t, Continue, test.decideBand(share*(total-1), total-1), "%d/%d", k, n)
	}
}

func TestShareTestOfNonsense(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for name, test := range map[string]ShareTest{
		"zero value":          {},
		"share above 1":       NewShareTest(1.2, 0.05, 0.95),
		"share below 0":       NewShareTest(-0.1, 0.05, 0.95),
		"share NaN":           NewShareTest(nan, 0.05, 0.95),
		"no tolerance":        NewShareTest(0.1, 0, 0.95),
		"negative tolerance":  NewShareTest(0.1, -0.05, 0.95),
		"tolerance NaN":       NewShareTest(0.1, nan, 0.95),
		"confidence 1":        NewShareTest(0.1, 0.05, 1),
		"confidence 0":        NewShareTest(0.1, 0.05, 0),
		"confidence 95":       NewShareTest(0.1, 0.05, 95),
		"all-in without odds": NewShareTest(1, 0.05, nan),
	} {
		require.Equal(t, Inconclusive, test.Decide(1, 2), name)
		require.Equal(t, Inconclusive, test.Restart(1).Decide(1, 2), name)
		require.Equal(t, everything, test.Interval(1, 2), name)
		require.Zero(t, test.Remaining(1, 2), name)
	}
	test := NewShareTest(0.10, 0.05, 0.95)
	require.Equal(t, Inconclusive, test.Decide(3, 2))
	require.Equal(t, Inconclusive, test.Decide(-1, 2))
	require.Equal(t, everything, test.Interval(3, 2))
	require.Equal(t, everything, test.Interval(0, 0))
}

func BenchmarkDecide(b *testing.B) {
	test := NewShareTest(0.10, 0.05, 0.95)
	for b.Loop() {
		test.Decide(40, 400)
	}
}

func BenchmarkInterval(b *testing.B) {
	test := NewShareTest(0.10, 0.05, 0.95)
	for b.Loop() {
		test.Interval(40, 400)
	}
}

func BenchmarkRemaining(b *testing.B) {
	test := NewShareTest(0.10, 0.05, 0.95)
	for b.Loop() {
		test.Remaining(20, 200)
	}
}
