package stats

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWindowsSpendAlphaOnce: however many windows there are, their alphas sum to that of the confidence at most, and the
// first has nearly all of it.
func TestWindowsSpendAlphaOnce(t *testing.T) {
	t.Parallel()
	for _, confidence := range []float64{0.5, 0.9, 0.95, 0.99, 0.9999} {
		for _, expected := range []float64{0, 0.05, 0.5, 1} {
			whole := NewShareTest(expected, 0.05, confidence)
			sum, previous := 0.0, 1.0
			for r := range 60 {
				w := whole.Window(r)
				spent := w.Alpha
				if expected == 0 || expected == 1 { // what the run of right answers really spends
					spent = math.Exp(float64(w.PlannedSize) * math.Log1p(-allInTolerance))
					require.LessOrEqual(t, spent, w.Alpha*(1+1e-12))
				}
				require.Less(t, w.Alpha, previous)
				sum, previous = sum+spent, w.Alpha
				require.LessOrEqual(t, sum, whole.Alpha*(1+1e-12), "%v at %v, window %d", expected, confidence, r)
			}
			require.GreaterOrEqual(t, whole.Window(0).Alpha, 0.9*whole.Alpha*(1-1e-12))
		}
	}
}

// TestManyWindows: a balancer that lags for minutes makes one begin again dozens of times. The test that then holds takes
// a few times as many answers as the first, and not dozens of times.
func TestManyWindows(t *testing.T) {
	t.Parallel()
	whole := NewShareTest(0.1, 0.05, 0.95)
	require.InDelta(t, 0.0030396, whole.Window(1).Alpha, 1e-7)
	require.InDelta(t, whole.Window(1).Alpha/3600, whole.Window(60).Alpha, 1e-12)
	require.Less(t, whole.Window(60).PlannedSize, 4*whole.PlannedSize)
	require.Less(t, NewShareTest(1, 0.05, 0.95).Window(60).PlannedSize, 6*299)
}

// TestRestartFromFullAlphaOverspends is why Window exists: a first window at the whole alpha and later ones by Restart
// spend 1.44 times of it.
func TestRestartFromFullAlphaOverspends(t *testing.T) {
	t.Parallel()
	whole := NewShareTest(0.1, 0.05, 0.95)
	sum, windows := whole.Alpha, whole.Window(0).Alpha
	for r := 1; r <= 3; r++ {
		sum += whole.Restart(r).Alpha
		windows += whole.Window(r).Alpha
	}
	require.InDelta(t, 1.4375*whole.Alpha, sum, 1e-12)
	require.LessOrEqual(t, windows, whole.Alpha)
}

// TestFirstWindowKeepsThePlan: what plan and documentation promise is not moved by windows that may come.
func TestFirstWindowKeepsThePlan(t *testing.T) {
	t.Parallel()
	for _, expected := range []float64{0.05, 0.1, 0.25, 0.5, 0.8} {
		whole := NewShareTest(expected, 0.05, 0.95)
		first := whole.Window(0)
		require.Equal(t, whole.PlannedSize, first.PlannedSize)
		require.Equal(t, whole.MaxSize, first.MaxSize)
		require.Equal(t, whole.Band, first.Band)
		require.InDelta(t, whole.Concentration, first.Concentration, 0)
		require.InDelta(t, 0.045, first.Alpha, 1e-15)
		require.Equal(t, first, whole.Window(-1))
	}
	for confidence, want := range map[float64]int{0.95: 299, 0.99: 459} {
		for _, expected := range []float64{0, 1} {
			require.Equal(t, want, NewShareTest(expected, 0.05, confidence).Window(0).PlannedSize, "%v", confidence)
		}
	}
	require.Equal(t, Pass, NewShareTest(0.1, 0.05, 0.95).Window(0).Decide(43, 430), "as in the vectors")
	require.Equal(t, 500, NewShareTest(0.1, 0.05, 0.95).WithBudget(500).Window(2).MaxSize)
}

// TestFirstWindowCourse follows the first window by exact dynamic programming, beside the table of statistics.md 2.2 that
// is of the whole alpha: it costs a few percent, within the 15 % that the plan may be off.
func TestFirstWindowCourse(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		expected, tolerance float64
		mean                float64 // of the table
	}{
		{0.05, 0.05, 1034}, {0.10, 0.05, 487}, {0.25, 0.05, 1012}, {0.50, 0.05, 1348}, {0.10, 0.03, 1354},
	} {
		first := NewShareTest(row.expected, row.tolerance, 0.95).Window(0)
		c := follow(row.expected, first.MaxSize, first.Decide)
		t.Logf("%v ± %v: mean %.0f, of the whole alpha %.0f; inconclusive %.1e", row.expected, row.tolerance, c.mean, row.mean, c.open)
		require.Greater(t, c.mean, row.mean)
		require.Less(t, c.mean, 1.05*row.mean)
		require.Less(t, c.open, 2e-3)
		require.Less(t, c.fail, 2.5e-5)
		for _, edge := range []float64{first.Band.Lo, first.Band.Hi} {
			onEdge := follow(edge, first.MaxSize, first.Decide)
			require.Less(t, onEdge.pass, 0.02, "nominally 4.5 %%")
			require.Less(t, onEdge.fail, 0.045)
		}
	}
}

// TestEvidence are the sentence below V1 of statistics.md, and V1's fourth row.
func TestEvidence(t *testing.T) {
	t.Parallel()
	test := NewShareTest(0.10, 0.05, 0.95)
	test.Concentration = 48
	lo, hi, threshold := test.Evidence(43, 430)
	require.InDelta(t, 6.668832280, lo, 1e-9)
	require.InDelta(t, LogMixture(43, 430, test.Band.Hi, 48), hi, 1e-9)
	require.InDelta(t, 2.995732274, threshold, 1e-9)

	scattered, _, _ := test.WithDispersion(2).Evidence(43, 430)
	require.Less(t, scattered, lo, "the counts are worth half of them")

	certain := NewShareTest(1, 0.05, 0.95)
	_, hi, _ = certain.Evidence(9, 10)
	require.True(t, math.IsInf(hi, 1), "a certain share is contradicted")
	for _, impossible := range [][2]int{{-1, 3}, {4, 3}} {
		lo, hi, _ = test.Evidence(impossible[0], impossible[1])
		require.True(t, math.IsNaN(lo) && math.IsNaN(hi))
	}
	lo, _, _ = NewShareTest(2, 0.05, 0.95).Evidence(1, 3)
	require.True(t, math.IsNaN(lo))
}
