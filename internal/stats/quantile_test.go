package stats

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestQuantileRanksVectors is V8 of statistics.md: 95 % intervals, each tail at most 2.5 %.
func TestQuantileRanksVectors(t *testing.T) {
	t.Parallel()
	rows := []struct {
		n            int
		q            float64
		lower, upper int
		coverage     float64
	}{
		{100, 0.50, 40, 61, 0.964799800},
		{200, 0.95, 184, 197, 0.967152164},
		{1000, 0.95, 936, 964, 0.958095268},
		{1000, 0.99, 983, 997, 0.976094763},
	}
	for _, row := range rows {
		got := QuantileRanks(row.n, row.q, 0.95)
		require.Equal(t, row.lower, got.Lower, "%+v", row)
		require.Equal(t, row.upper, got.Upper, "%+v", row)
		require.InDelta(t, row.coverage, got.Coverage, 1e-9, "%+v", row)
	}
}

// TestQuantileRanksAgainstSums recomputes the ranks from the binomial probabilities one by one.
func TestQuantileRanksAgainstSums(t *testing.T) {
	t.Parallel()
	random := dice(10)
	for range 100 {
		n, q := 1+random.IntN(150), 0.01+0.98*random.Float64()
		got := QuantileRanks(n, q, 0.95)
		lower, upper, below := 0, n+1, 0.0
		for l := 1; l <= n; l++ {
			if below += binomialProbability(l-1, n, q); below > 0.025 {
				break
			}
			lower = l
		}
		beyond := 0.0
		for u := n; u >= 0; u-- {
			if beyond += binomialProbability(u, n, q); beyond > 0.025 {
				break
			}
			upper = u
		}
		require.Equal(t, lower, got.Lower, "n %d, q %v", n, q)
		require.Equal(t, upper, got.Upper, "n %d, q %v", n, q)
		require.GreaterOrEqual(t, got.Coverage, 0.95)
	}
}

func TestQuantileRanksTooFew(t *testing.T) {
	t.Parallel()
	require.Equal(t, Ranks{Lower: 0, Upper: 1, Coverage: 1}, QuantileRanks(0, 0.5, 0.95))
	require.Equal(t, 11, QuantileRanks(10, 0.95, 0.95).Upper, "ten values do not bound a p95 above")
	require.Equal(t, Ranks{Lower: 0, Upper: 11, Coverage: 1}, QuantileRanks(10, 1, 0.95))
	require.Equal(t, Ranks{Lower: 0, Upper: 11, Coverage: 1}, QuantileRanks(10, 0.5, 1))

	lo, hi := QuantileInterval([]float64{1, 2, 3}, 0.5, 0.95)
	require.True(t, math.IsInf(lo, -1) && math.IsInf(hi, 1))
	values := make([]float64, 100)
	for i := range values {
		values[i] = float64(i + 1)
	}
	lo, hi = QuantileInterval(values, 0.5, 0.95)
	require.InDelta(t, 40, lo, 0)
	require.InDelta(t, 61, hi, 0)
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	values := Sorted([]float64{4, 1, 2})
	require.Equal(t, []float64{1, 2, 4}, values)
	for _, row := range [][2]float64{{0, 1}, {0.25, 1.5}, {0.5, 2}, {0.75, 3}, {1, 4}} {
		require.InDelta(t, row[1], Quantile(values, row[0]), 1e-15)
	}
	require.InDelta(t, 7, Quantile([]float64{7}, 0.95), 0)
	require.True(t, math.IsNaN(Quantile(nil, 0.5)))
	require.True(t, math.IsNaN(Quantile(values, 1.1)))
	require.True(t, math.IsNaN(Quantile(values, math.NaN())))
}

func TestQuantileMinSize(t *testing.T) {
	t.Parallel()
	require.Equal(t, 10, QuantileMinSize(0.5))
	require.Equal(t, 100, QuantileMinSize(0.95))
	require.Equal(t, 500, QuantileMinSize(0.99))
	require.Equal(t, 100, QuantileMinSize(0.05))
	require.Equal(t, maxPlan, QuantileMinSize(1))
}
