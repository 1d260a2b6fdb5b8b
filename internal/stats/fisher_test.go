package stats

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFisherVectors is V6 of statistics.md, from R's fisher.test.
func TestFisherVectors(t *testing.T) {
	t.Parallel()
	convictions := FisherExact(2, 15, 10, 3)
	require.InEpsilon(t, 0.000536724119143, convictions.TwoSided, 1e-11)
	require.InEpsilon(t, 0.000465180943363, convictions.Less, 1e-11)
	tea := FisherExact(3, 1, 1, 3)
	require.InEpsilon(t, 17.0/70, tea.Greater, 1e-13)
	require.InEpsilon(t, 34.0/70, tea.TwoSided, 1e-13)
	rows := []struct {
		k1, n1, k2, n2 int
		greater        float64
	}{
		{3, 100, 4, 900, 0.0252081373294}, {5, 100, 9, 900, 0.00870999235217}, {1, 50, 0, 450, 0.1},
		{10, 250, 8, 750, 0.00503101197404}, {6, 500, 1, 500, 0.0618430964041},
	}
	for _, row := range rows {
		got := FisherExact(row.k1, row.n1-row.k1, row.k2, row.n2-row.k2)
		require.InEpsilon(t, row.greater, got.Greater, 1e-11, "%+v", row)
	}
	require.InEpsilon(t, 0.123686192808, FisherExact(6, 494, 1, 499).TwoSided, 1e-11)
}

func TestFisherProperties(t *testing.T) {
	t.Parallel()
	random := dice(7)
	for range 500 {
		a, b, c, d := random.IntN(40), random.IntN(40), random.IntN(40), random.IntN(40)
		got, swapped, turned := FisherExact(a, b, c, d), FisherExact(c, d, a, b), FisherExact(a, c, b, d)
		require.InDelta(t, got.Less, swapped.Greater, 1e-12, "swapping the rows swaps the sides")
		require.InDelta(t, got.TwoSided, swapped.TwoSided, 1e-12)
		require.InDelta(t, got.TwoSided, turned.TwoSided, 1e-12, "rows and columns are alike")
		require.GreaterOrEqual(t, got.Less+got.Greater, 1-1e-12, "the table itself is on both sides")
		require.LessOrEqual(t, max(got.Less, got.Greater, got.TwoSided), 1.0)
	}
	require.Equal(t, Fisher{Less: 1, Greater: 1, TwoSided: 1}, FisherExact(0, 0, 0, 0))
	require.True(t, math.IsNaN(FisherExact(-1, 1, 1, 1).TwoSided))
	require.InDelta(t, 1, FisherExact(50_000, 50_000, 50_000, 50_000).TwoSided, 1e-9)
}

func TestStationary(t *testing.T) {
	t.Parallel()
	require.True(t, Stationary(20, 200, 25, 200))
	require.False(t, Stationary(10, 200, 40, 200))
	require.True(t, Stationary(0, 0, 0, 0))
	require.False(t, Stationary(5, 4, 1, 4))
}
