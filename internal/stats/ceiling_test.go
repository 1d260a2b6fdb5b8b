package stats

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCleanSize holds the smallest sizes. The table of statistics.md 2.4 was searched on the grid n -> floor(1.01 n)+1 and
// so overshoots by up to 1 %; on that grid the formula gives all twelve of its figures.
func TestCleanSize(t *testing.T) {
	t.Parallel()
	rows := []struct {
		alpha                    float64
		ceiling                  float64
		smallest, table, gambler int
	}{
		{0.05, 0.1, 38, 38, 29}, {0.05, 0.05, 80, 80, 59}, {0.05, 0.02, 204, 206, 149}, {0.05, 0.01, 411, 412, 299},
		{0.05, 0.005, 824, 824, 598}, {0.05, 0.001, 4134, 4166, 2995},
		{0.01, 0.1, 54, 54, 44}, {0.01, 0.05, 113, 114, 90}, {0.01, 0.02, 290, 290, 228}, {0.01, 0.01, 585, 586, 459},
		{0.01, 0.005, 1175, 1176, 919}, {0.01, 0.001, 5894, 5922, 4603},
	}
	for _, row := range rows {
		require.Equal(t, row.smallest, CleanSize(row.ceiling, row.alpha), "%+v", row)
		proves := func(n int) bool {
			return LogMixture(0, n, row.ceiling, Concentration(n, row.alpha)) >= -math.Log(row.alpha)
		}
		n := 10
		for !proves(n) {
			n = int(float64(n)*1.01) + 1
		}
		require.Equal(t, row.table, n, "%+v", row)
		require.InDelta(t, row.gambler, math.Ceil(math.Log(row.alpha)/math.Log1p(-row.ceiling)), 0, "%+v", row)
	}
	require.Equal(t, 1, CleanSize(1, 0.05))
	require.Equal(t, maxPlan, CleanSize(0, 0.05))
	require.Zero(t, CleanSize(-0.1, 0.05))
	require.Zero(t, CleanSize(1.1, 0.05))
	require.Zero(t, CleanSize(math.NaN(), 0.05))
	require.Zero(t, CleanSize(0.1, 0))
}

func TestCeilingProve(t *testing.T) {
	t.Parallel()
	gate := NewCeilingGate(0.01, Prove, 0.95)
	require.Equal(t, Continue, gate.Decide(0, 0, 0).Decision)
	require.Equal(t, Continue, gate.Decide(0, 410, 0).Decision)
	require.Equal(t, Pass, gate.Decide(0, 411, 0).Decision)
	require.Equal(t, Continue, gate.Decide(0, 411, 1).Decision, "an unattributed failure counts against it")
	require.Equal(t, Pass, gate.Decide(1, 1000, 0).Decision)
	require.Equal(t, Fail, gate.Decide(30, 500, 0).Decision)
	require.Equal(t, Fail, gate.Decide(0, 500, 30).Decision)
}

func TestCeilingDetect(t *testing.T) {
	t.Parallel()
	gate := NewCeilingGate(0.01, Detect, 0.95)
	require.Equal(t, Continue, gate.Decide(0, 100_000, 0).Decision, "detect never passes by itself")
	require.Equal(t, Continue, gate.Decide(0, 500, 30).Decision)
	require.Equal(t, Fail, gate.Decide(30, 500, 0).Decision)

	zero := NewCeilingGate(0, Detect, 0.95)
	require.Equal(t, Continue, zero.Decide(0, 1000, 0).Decision)
	require.Equal(t, Fail, zero.Decide(1, 1000, 0).Decision)
}

func TestCeilingAgreesWithInterval(t *testing.T) {
	t.Parallel()
	random := dice(6)
	for range 1000 {
		gate := NewCeilingGate(0.001+0.3*random.Float64(), Prove, 0.9)
		n := 1 + random.IntN(4*gate.CleanSize)
		k := min(n, int(float64(n)*gate.Ceiling*2.5*random.Float64()))
		shown := ConfidenceSequence(k, n, gate.Alpha, gate.Concentration)
		decision := gate.Decide(k, n, 0).Decision
		require.Equal(t, shown.Lo > gate.Ceiling, decision == Fail)
		require.Equal(t, shown.Hi < gate.Ceiling, decision == Pass)
	}
}

func TestCeilingNonsense(t *testing.T) {
	t.Parallel()
	for _, gate := range []CeilingGate{
		{}, NewCeilingGate(-1, Prove, 0.95), NewCeilingGate(2, Detect, 0.95), NewCeilingGate(0.1, Prove, 1),
		NewCeilingGate(math.NaN(), Prove, 0.95),
	} {
		require.Equal(t, Inconclusive, gate.Decide(5, 50, 0).Decision)
	}
	gate := NewCeilingGate(0.1, Prove, 0.95)
	require.Equal(t, Inconclusive, gate.Decide(5, 4, 0).Decision)
	require.Equal(t, Inconclusive, gate.Decide(1, 4, -1).Decision)
}
