package stats

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRunsVectors is V10 of statistics.md; the first is LEW.DAT of the NIST handbook, section 1.3.5.13.
func TestRunsVectors(t *testing.T) {
	t.Parallel()
	rows := []struct {
		a, b, runs  int
		mean, sd, z float64
	}{
		{100, 100, 120, 101, 7.053278934, 2.693782591},
		{900, 100, 200, 181, 5.679106642, 3.345596622},
		{750, 250, 500, 376, 11.848645087, 10.465331613},
	}
	for _, row := range rows {
		got := RunsFromCounts(row.a, row.b, row.runs)
		require.InDelta(t, row.mean, got.Mean, 1e-9)
		require.InDelta(t, row.sd, got.SD, 1e-9)
		require.InDelta(t, row.z, got.Z, 1e-9)
	}
}

func TestRunsPattern(t *testing.T) {
	t.Parallel()
	sequence := func(n int, isNew func(i int) bool) []bool {
		s := make([]bool, n)
		for i := range s {
			s[i] = isNew(i)
		}
		return s
	}
	random := dice(11)
	require.Equal(t, Alternating, NewRuns(sequence(1000, func(i int) bool { return i%10 == 0 })).Pattern())
	require.Equal(t, Clustered, NewRuns(sequence(500, func(i int) bool { return i < 50 })).Pattern())
	require.Equal(t, Independent, NewRuns(sequence(500, func(int) bool { return random.IntN(10) == 0 })).Pattern())

	short := NewRuns([]bool{true, true, false, true})
	require.Equal(t, 3, short.Runs)
	require.Equal(t, 3, short.New)
	require.Equal(t, 1, short.Old)
	require.InDelta(t, 1, short.Z, 1e-12)
	for _, s := range [][]bool{nil, {true}, {true, false}, make([]bool, 50)} {
		got := NewRuns(s)
		require.True(t, math.IsNaN(got.Z), "%v", s)
		require.Equal(t, Independent, got.Pattern())
	}
	require.True(t, math.IsNaN(RunsFromCounts(-1, 3, 1).Mean))
}

// TestDispersionVectors is V9 of statistics.md.
func TestDispersionVectors(t *testing.T) {
	t.Parallel()
	sizes := []int{100, 100, 100, 100, 100, 100, 100, 100, 100, 100}
	even := NewDispersion([]int{9, 12, 8, 11, 10, 7, 13, 10, 9, 11}, sizes)
	require.Equal(t, 9, even.DF)
	require.InDelta(t, 3.333333, even.ChiSquare, 1e-6)
	require.InDelta(t, 0.370370, even.Phi, 1e-6)
	require.InDelta(t, 0.9496019964, even.PHigh, 1e-10)
	require.InDelta(t, 0.0503980036, even.PLow, 1e-10)
	require.InDelta(t, 1, even.Correction(), 0)

	uneven := NewDispersion([]int{2, 25, 4, 18, 0, 30, 3, 22, 1, 15}, sizes)
	require.InDelta(t, 108.712121, uneven.ChiSquare, 1e-6)
	require.InDelta(t, 12.079125, uneven.Phi, 1e-6)
	require.InEpsilon(t, 2.689e-19, uneven.PHigh, 1e-3)
	require.InDelta(t, 12.079125, uneven.Correction(), 1e-6)
}

// TestDispersionCritical holds the critical values of section 1.5: phi at 1 % high and low.
func TestDispersionCritical(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 0.01, ChiSquareUpperTail(19*1.905, 19), 5e-5)
	require.InDelta(t, 0.01, ChiSquareLowerTail(19*0.402, 19), 5e-5)
	require.InDelta(t, 0.01, ChiSquareUpperTail(9*2.407, 9), 5e-5)
	require.InDelta(t, 0.01, ChiSquareLowerTail(9*0.232, 9), 5e-5)
}

func TestDispersionNonsense(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]Dispersion{
		"nothing":     NewDispersion(nil, nil),
		"one batch":   NewDispersion([]int{3}, []int{10}),
		"one filled":  NewDispersion([]int{3, 0}, []int{10, 0}),
		"lengths":     NewDispersion([]int{3, 4}, []int{10}),
		"constant":    NewDispersion([]int{0, 0}, []int{10, 10}),
		"too many":    NewDispersion([]int{11, 0}, []int{10, 10}),
		"all of them": NewDispersion([]int{10, 10}, []int{10, 10}),
	} {
		require.True(t, math.IsNaN(d.Phi), name)
		require.Zero(t, d.DF, name)
		require.InDelta(t, 1, d.Correction(), 0, name)
	}
	require.Equal(t, NewDispersion([]int{3, 4}, []int{10, 10}), NewDispersion([]int{3, 0, 4}, []int{10, 0, 10}))
}

func TestBatches(t *testing.T) {
	t.Parallel()
	hits, sizes := Batches([]bool{true, false, true, true, false}, 2)
	require.Equal(t, []int{1, 2}, hits)
	require.Equal(t, []int{2, 3}, sizes)
	hits, sizes = Batches([]bool{true}, 0)
	require.Equal(t, []int{1}, hits)
	require.Equal(t, []int{1}, sizes)
	hits, sizes = Batches(nil, 3)
	require.Equal(t, []int{0, 0, 0}, hits)
	require.Equal(t, []int{0, 0, 0}, sizes)
}

// TestChiSquare holds the classical 5 % points and a far tail, which is exactly exp(-x/2) at two degrees of freedom.
func TestChiSquare(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 0.05, ChiSquareUpperTail(3.841458820694124, 1), 1e-13)
	require.InDelta(t, 0.05, ChiSquareUpperTail(18.307038053275146, 10), 1e-13)
	for _, x := range []float64{0.001, 1, 1.99, 2, 4, 50, 1000} {
		require.InEpsilon(t, math.Exp(-x/2), ChiSquareUpperTail(x, 2), 1e-12)
		require.InEpsilon(t, -math.Expm1(-x/2), ChiSquareLowerTail(x, 2), 1e-12)
	}
	require.InDelta(t, 0.5, ChiSquareUpperTail(1e6-2.0/3, 1e6), 1e-4)
	require.InDelta(t, 1, ChiSquareUpperTail(0, 3), 0)
	require.Zero(t, ChiSquareUpperTail(math.Inf(1), 3))
	require.True(t, math.IsNaN(ChiSquareUpperTail(-1, 3)))
	require.True(t, math.IsNaN(ChiSquareUpperTail(1, 0)))
}

func TestHomogeneity(t *testing.T) {
	t.Parallel()
	chiSquare, p := Homogeneity([]int{30, 20, 10})
	require.InDelta(t, 10, chiSquare, 1e-12)
	require.InDelta(t, math.Exp(-5), p, 1e-12)
	for _, counts := range [][]int{nil, {5}, {0, 0}, {5, -1}} {
		_, p = Homogeneity(counts)
		require.True(t, math.IsNaN(p), "%v", counts)
	}
}
