package stats

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEquivalenceVectors is V5 of statistics.md, from statsmodels' binom_tost: the overall p-value, then the two tests.
// For 25 of 100 at 0.2 it prints 0.131352017; summing in rational numbers gives 0.1313532173, which stands here.
func TestEquivalenceVectors(t *testing.T) {
	t.Parallel()
	rows := []struct {
		k, n         int
		band         Interval
		p, low, high float64
	}{
		{50, 500, Interval{0.05, 0.15}, 0.000652381789, 3.575815e-6, 0.000652381789},
		{104, 1000, Interval{0.07, 0.13}, 0.006970654718, 4.580331e-5, 0.006970654718},
		{25, 100, Interval{0.2, 0.3}, 0.163130104466, 0.1313532173, 0.163130104466},
	}
	for _, row := range rows {
		require.InDelta(t, row.p, EquivalenceP(row.k, row.n, row.band), 1e-12)
		require.InEpsilon(t, row.low, BinomialAtLeast(row.k, row.n, row.band.Lo), 1e-6)
		require.InEpsilon(t, row.high, BinomialAtMost(row.k, row.n, row.band.Hi), 1e-9)
	}
}

// TestEquivalencePower is the other half of V5, and the TOST column of the table of required probes.
func TestEquivalencePower(t *testing.T) {
	t.Parallel()
	rows := []struct {
		n, first, last int
		share          float64
		band           Interval
		power          float64
	}{
		{423, 30, 51, 0.10, Interval{0.05, 0.15}, 0.913495475},
		{1147, 96, 130, 0.10, Interval{0.07, 0.13}, 0.910952692},
		{838, 188, 229, 0.25, Interval{0.20, 0.30}, 0},
		{1104, 525, 579, 0.50, Interval{0.45, 0.55}, 0},
		{645, 20, 40, 0.05, Interval{0.02, 0.08}, 0},
		{263, 0, 18, 0.05, Interval{0, 0.10}, 0},
	}
	for _, row := range rows {
		first, last, power := -1, -1, 0.0
		for k := 0; k <= row.n; k++ {
			lowOK := row.band.Lo == 0 || BinomialAtLeast(k, row.n, row.band.Lo) <= 0.05
			if !lowOK || BinomialAtMost(k, row.n, row.band.Hi) > 0.05 {
				continue
			}
			if first < 0 {
				first = k
			}
			last = k
			power += binomialProbability(k, row.n, row.share)
		}
		require.Equal(t, row.first, first, "%+v", row)
		require.Equal(t, row.last, last, "%+v", row)
		require.GreaterOrEqual(t, power, 0.90-1e-9, "%+v", row)
		if row.power > 0 {
			require.InDelta(t, row.power, power, 1e-9)
		}
	}
	require.True(t, math.IsNaN(EquivalenceP(5, 4, everything)))
	require.True(t, math.IsNaN(EquivalenceP(0, 0, everything)))
}

// TestDifferenceVectors is the Newcombe interval of V6, from statsmodels and the paper.
func TestDifferenceVectors(t *testing.T) {
	t.Parallel()
	lo, hi := DifferenceInterval(56, 70, 48, 80, 0.95)
	require.InDelta(t, 0.052431472402, lo, 1e-12)
	require.InDelta(t, 0.333872654037, hi, 1e-12)
	lo, hi = DifferenceInterval(5, 100, 9, 900, 0.95)
	require.InDelta(t, 0.010185759406, lo, 1e-12)
	require.InDelta(t, 0.101931373570, hi, 1e-12)
	for _, bad := range [][4]int{{1, 0, 1, 2}, {1, 2, 0, 0}, {3, 2, 1, 2}} {
		lo, hi = DifferenceInterval(bad[0], bad[1], bad[2], bad[3], 0.95)
		require.InDelta(t, -1, lo, 0)
		require.InDelta(t, 1, hi, 0)
	}
}

// TestBeta holds closed forms and identities of the incomplete beta function.
func TestBeta(t *testing.T) {
	t.Parallel()
	random := dice(12)
	for range 300 {
		x, b := random.Float64(), 0.1+30*random.Float64()
		require.InDelta(t, x, RegularizedBeta(x, 1, 1), 1e-14)
		require.InDelta(t, 1-math.Pow(1-x, b), RegularizedBeta(x, 1, b), 1e-13)
		require.InDelta(t, 1, RegularizedBeta(x, 3, b)+RegularizedBeta(1-x, b, 3), 1e-13)

		n := 1 + random.IntN(200)
		k := random.IntN(n + 1)
		sum := 0.0
		for i := k; i <= n; i++ {
			sum += binomialProbability(i, n, x)
		}
		require.InDelta(t, sum, BinomialAtLeast(k, n, x), 1e-12)
		require.InDelta(t, 1, BinomialAtLeast(k, n, x)+BinomialAtMost(k-1, n, x), 1e-12)
	}
	require.InDelta(t, 0.5, RegularizedBeta(0.5, 5e5, 5e5), 1e-10)
	require.InDelta(t, 0.0523, BinomialAtLeast(2, 4, 0.1), 1e-14)
	require.InDelta(t, 1, BinomialAtLeast(0, 4, 0.1), 0)
	require.Zero(t, BinomialAtLeast(5, 4, 0.1))
	require.True(t, math.IsNaN(BinomialAtLeast(1, -1, 0.1)))
	require.True(t, math.IsNaN(RegularizedBeta(1.5, 1, 1)))
	require.True(t, math.IsNaN(RegularizedBeta(0.5, 0, 1)))
}

func TestObservedShare(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 0.05/0.95, ObservedShare(0.1, 0.5, 0), 1e-15)
	require.InDelta(t, 0.1, ObservedShare(0.1, 0.3, 0.3), 1e-15)
	require.True(t, math.IsNaN(ObservedShare(0.5, 1, 1)))
}

// TestDesignEffect holds the figures of section 1.3.
func TestDesignEffect(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 1.04, DesignEffect(1000, 28_232), 0.005)
	require.InDelta(t, 1.35, DesignEffect(10_000, 28_232), 0.005)
	require.InDelta(t, 1.98, DesignEffect(1000, 1024), 0.005)
	require.InDelta(t, 5.9, DesignEffect(5000, 1024), 0.05)
	require.True(t, math.IsNaN(DesignEffect(0, 5)))
	require.True(t, math.IsNaN(DesignEffect(5, 0)))
}
