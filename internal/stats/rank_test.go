package stats

import (
	"math"
	"math/bits"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The samples of V7 in statistics.md: scipy's documentation, R's help page, ties, and a latency toy.
var (
	scipyMales   = []float64{19, 22, 16, 29, 24}
	scipyFemales = []float64{20, 11, 17, 12}
	rFirst       = []float64{.80, .83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, .73, 1.46}
	rSecond      = []float64{1.15, .88, .90, .74, 1.21}
	tiesFirst    = []float64{1, 2, 2, 3, 5, 5, 7}
	tiesSecond   = []float64{2, 3, 3, 4, 6, 8, 9, 9}
	latencyNew   = []float64{1.9, 2.1, 2.4, 2.2, 3.8, 2.0, 2.6, 5.1, 2.3, 2.8}
	latencyOld   = []float64{1.5, 1.7, 1.6, 1.9, 2.0, 1.4, 1.8, 2.2, 1.6, 4.0, 1.7, 1.5}
)

func TestMannWhitneyVectors(t *testing.T) {
	t.Parallel()
	sexes := NewMannWhitney(scipyMales, scipyFemales)
	require.InDelta(t, 17, sexes.U, 0)
	require.InDelta(t, 0.111346886533, sexes.TwoSided, 1e-12)
	require.InDelta(t, 0.055673443266, sexes.Greater, 1e-12)

	help := NewMannWhitney(rFirst, rSecond)
	require.InDelta(t, 35, help.U, 0)
	require.InDelta(t, 0.122311802563, help.Greater, 1e-12)
	require.InDelta(t, 0.305, help.Shift, 1e-12)

	ties := NewMannWhitney(tiesFirst, tiesSecond)
	require.InDelta(t, 16, ties.U, 0)
	require.InDelta(t, 0.179300898212, ties.TwoSided, 1e-12)
	require.InDelta(t, 0.0896504491058, ties.Less, 1e-12)

	latency := NewMannWhitney(latencyNew, latencyOld)
	require.InDelta(t, 105.5, latency.U, 0)
	require.InEpsilon(t, 0.001478123166913, latency.Greater, 1e-11)
	require.InDelta(t, 0.6, latency.Shift, 1e-12)
	require.InDelta(t, 0.879166667, latency.CLES, 1e-9)
}

// TestMannWhitneyExact checks U, and that the normal approximation is near the exact p-values of V7, by enumerating every
// way to deal the values to the two samples.
func TestMannWhitneyExact(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 0.055555556, exactGreater(scipyMales, scipyFemales), 1e-9)
	require.InDelta(t, 0.127206127, exactGreater(rFirst, rSecond), 1e-9)
	require.InDelta(t, 0.0555, NewMannWhitney(scipyMales, scipyFemales).Greater, 0.001)
	require.InDelta(t, 0.1272, NewMannWhitney(rFirst, rSecond).Greater, 0.006)
}

// exactGreater returns the permutation p-value of U.
func exactGreater(x, y []float64) float64 {
	all := slices.Concat(x, y)
	observed := NewMannWhitney(x, y).U
	deals, extreme := 0, 0
	for chosen := range uint(1) << len(all) {
		if bits.OnesCount(chosen) != len(x) {
			continue
		}
		var first, second []float64
		for i, v := range all {
			if chosen>>i&1 == 1 {
				first = append(first, v)
			} else {
				second = append(second, v)
			}
		}
		slices.Sort(first)
		slices.Sort(second)
		deals++
		if exceedances(first, second) >= observed {
			extreme++
		}
	}
	return float64(extreme) / float64(deals)
}

func TestMannWhitneyAgainstPairs(t *testing.T) {
	t.Parallel()
	random := dice(8)
	for range 300 {
		x, y := make([]float64, 1+random.IntN(40)), make([]float64, 1+random.IntN(40))
		for _, sample := range [][]float64{x, y} {
			for i := range sample {
				sample[i] = float64(random.IntN(21) - 10) // small integers: ties, zeros and signs
				if random.IntN(2) == 0 {
					sample[i] += random.NormFloat64()
				}
			}
		}
		var differences []float64
		u := 0.0
		for _, a := range x {
			for _, b := range y {
				differences = append(differences, a-b)
				switch {
				case a > b:
					u++
				case a == b:
					u += 0.5
				}
			}
		}
		slices.Sort(differences)
		before := slices.Clone(x)
		got, mirror := NewMannWhitney(x, y), NewMannWhitney(y, x)
		require.Equal(t, before, x, "the samples are left alone")
		require.InDelta(t, u, got.U, 1e-9)
		require.InDelta(t, Quantile(differences, 0.5), got.Shift, 1e-12)
		require.InDelta(t, got.Greater, mirror.Less, 1e-12)
		require.InDelta(t, got.TwoSided, mirror.TwoSided, 1e-12)
		require.InDelta(t, 1, got.CLES+mirror.CLES, 1e-12)
	}
}

func TestMannWhitneyDegenerate(t *testing.T) {
	t.Parallel()
	same := NewMannWhitney([]float64{3, 3, 3}, []float64{3, 3})
	require.Equal(t, MannWhitney{U: 3, Greater: 1, Less: 1, TwoSided: 1, CLES: 0.5, Shift: 0}, same)
	for name, samples := range map[string][2][]float64{
		"empty":    {nil, {1}},
		"NaN":      {{1, math.NaN()}, {1}},
		"infinite": {{1, 2}, {math.Inf(1)}},
	} {
		require.True(t, math.IsNaN(NewMannWhitney(samples[0], samples[1]).U), name)
		require.True(t, math.IsNaN(NewMannWhitney(samples[1], samples[0]).Shift), name)
	}
}

func BenchmarkMannWhitney(b *testing.B) {
	random := dice(9)
	x, y := make([]float64, 2000), make([]float64, 2000)
	for i := range x {
		x[i], y[i] = random.ExpFloat64(), random.ExpFloat64()
	}
	for b.Loop() {
		NewMannWhitney(x, y)
	}
}
