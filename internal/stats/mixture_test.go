package stats

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLogMixtureVectors is V1 of statistics.md; the first two are exact fractions.
func TestLogMixtureVectors(t *testing.T) {
	t.Parallel()
	require.InDelta(t, math.Log(272.0/5), LogMixture(4, 4, 0.1, 4), 1e-14)
	require.InDelta(t, math.Log(7707392.0/78975), LogMixture(6, 10, 0.1, 4), 1e-14)
	rows := []struct {
		k, n    int
		p, m    float64
		logMixt float64
	}{
		{4, 4, 0.1, 4, 3.996364154},
		{6, 10, 0.1, 4, 4.580803801},
		{3, 10, 0.1, 4, 0.039024692},
		{43, 430, 0.05, 48, 6.668832280},
		{60, 300, 0.15, 48, 1.259668677},
		{10, 100, 0.05, 48.14, 0.660252806},
		{10, 100, 0.15, 48.14, 0.247243193},
		{100, 1000, 0.07, 135, 4.273218299},
	}
	for _, row := range rows {
		require.InDelta(t, row.logMixt, LogMixture(row.k, row.n, row.p, row.m), 1e-9, "%+v", row)
	}
}

// TestLogMixtureHoward is V2: the two-sided beta-binomial mixture of the authors' own package, gostevehoward/confseq
// test/uniform_boundaries_unittest.cpp: s = 10, v = 100, v_opt = 100, g = 0.2, h = 0.8 and its boundary at 0.05.
func TestLogMixtureHoward(t *testing.T) {
	t.Parallel()
	const n, p, m = 625, 0.2, 77.75350612
	require.InDelta(t, -0.6941012, LogMixture(135, n, p, m), 1e-7)
	boundary := bisect(n, n*p, func(k float64) bool { return logMixture(k, n, p, m) >= math.Log(20) })
	require.InDelta(t, 31.4308, boundary-n*p, 1e-4)
}

// TestLogMixtureIsAccurate compares the rearranged formula with the product in 160 bits.
func TestLogMixtureIsAccurate(t *testing.T) {
	t.Parallel()
	rows := []struct {
		k, n int
		p, m float64
	}{
		{1, 1, 0.5, 1}, {0, 1, 0.3, 0.001}, {2, 3, 1e-6, 0.01}, {9, 10, 0.999999, 4}, {0, 50, 0.02, 1},
		{7, 40, 0.1, 0.2}, {40, 40, 0.99, 37}, {33, 1000, 0.05, 48.14}, {1000, 1000, 0.001, 4}, {0, 5000, 0.9, 100},
		{640, 9000, 0.07, 135.46}, {8_999, 9000, 1 - 1e-9, 2500}, {3, 9000, 1e-4, 1e6},
	}
	for _, row := range rows {
		want := productLogMixture(row.k, row.n, row.p, row.m)
		require.InDelta(t, want, LogMixture(row.k, row.n, row.p, row.m), 1e-10*(1+math.Abs(want)/1000), "%+v", row)
	}
}

func TestLogMixtureAtAMillion(t *testing.T) {
	t.Parallel()
	require.InDelta(t, productLogMixture(640, 9000, 0.07, 135), summedLogMixture(640, 9000, 0.07, 135), 1e-11, "the reference")
	for _, row := range []struct {
		k, n int
		p, m float64
	}{{100_900, 1_000_000, 0.1, 135.46}, {3, 1_000_000, 1e-5, 49}, {500_500, 1_000_000, 0.5, 1e4}} {
		require.InDelta(t, summedLogMixture(row.k, row.n, row.p, row.m), LogMixture(row.k, row.n, row.p, row.m), 1e-9, "%+v", row)
	}
}

func TestLogMixtureEdges(t *testing.T) {
	t.Parallel()
	require.Zero(t, LogMixture(0, 0, 0.1, 4))
	require.Zero(t, LogMixture(0, 10, 0, 4))
	require.Zero(t, LogMixture(10, 10, 1, 4))
	require.True(t, math.IsInf(LogMixture(1, 10, 0, 4), 1))
	require.True(t, math.IsInf(LogMixture(9, 10, 1, 4), 1))
	require.InDelta(t, 0, LogMixture(1, 1, 0.3, 7), 1e-15, "one answer is no evidence: the mixture's mean is p")

	nan := math.NaN()
	for name, got := range map[string]float64{
		"more hits than trials": LogMixture(2, 1, 0.1, 4),
		"negative hits":         LogMixture(-1, 1, 0.1, 4),
		"share above 1":         LogMixture(1, 2, 1.1, 4),
		"share below 0":         LogMixture(1, 2, -0.1, 4),
		"share NaN":             LogMixture(1, 2, nan, 4),
		"concentration 0":       LogMixture(1, 2, 0.1, 0),
		"concentration NaN":     LogMixture(1, 2, 0.1, nan),
		"concentration Inf":     LogMixture(1, 2, 0.1, math.Inf(1)),
	} {
		require.True(t, math.IsNaN(got), name)
	}
}

// TestLogMixtureProperties holds what the decision rests on: M is a martingale from 1 under p, convex in p, and at most 1
// at p = k/n.
func TestLogMixtureProperties(t *testing.T) {
	t.Parallel()
	random := dice(1)
	for range 2000 {
		n := 1 + random.IntN(3000)
		k := random.IntN(n + 1)
		m := math.Exp(random.Float64()*10 - 4)
		p := 0.001 + 0.998*random.Float64()

		up, down, here := LogMixture(k+1, n+1, p, m), LogMixture(k, n+1, p, m), LogMixture(k, n, p, m)
		require.InDelta(t, 1, p*math.Exp(up-here)+(1-p)*math.Exp(down-here), 1e-9, "martingale")

		require.LessOrEqual(t, LogMixture(k, n, float64(k)/float64(n), m), 1e-12, "k/n is never rejected")

		h := 0.9 * min(p, 1-p) * random.Float64()
		left, right := LogMixture(k, n, p-h, m), LogMixture(k, n, p+h, m)
		require.LessOrEqual(t, here, (left+right)/2+1e-9, "convex")

		require.InDelta(t, here, LogMixture(n-k, n, 1-p, m), 1e-9*(1+math.Abs(here)), "symmetric")
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 7.936154601737565, Cost(0.05), 1e-14)
	require.InDelta(t, 11.533741340715226, Cost(0.01), 1e-14)
	for _, alpha := range []float64{0, 1, -1, 2, math.NaN()} {
		require.True(t, math.IsNaN(Cost(alpha)), "%v", alpha)
	}
}

func TestPlanSize(t *testing.T) {
	t.Parallel()
	require.Equal(t, 390, PlanSize(0.10, 0.05, 0.05))
	require.Equal(t, 1578, PlanSize(0.50, 0.05, 0.01), "t_opt of V3")
	require.Equal(t, 1, PlanSize(0.5, 1e6, 0.05))
	require.Equal(t, maxPlan, PlanSize(0.5, 1e-9, 0.05))
	for _, bad := range [][3]float64{{0, 0.05, 0.05}, {1, 0.05, 0.05}, {0.5, 0, 0.05}, {0.5, 0.05, 0}, {0.5, 0.05, 1}} {
		require.Zero(t, PlanSize(bad[0], bad[1], bad[2]), "%v", bad)
	}
	require.Zero(t, PlanSize(math.NaN(), 0.05, 0.05))
}

func TestConcentration(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 48.1421878, Concentration(390, 0.05), 1e-7)
	require.InDelta(t, 1, Concentration(0, 0.05), 0)
	require.True(t, math.IsNaN(Concentration(-1, 0.05)))
	require.True(t, math.IsNaN(Concentration(10, 1)))
}
