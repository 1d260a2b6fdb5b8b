package stats

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSmallestAlarms is the table of gate B1 in statistics.md 2.4: at a known share p0 and alpha 0.05, m = 4, the fewest
// failures of new among f that reject p0. (The gate itself spends half of alpha on the share and needs ln 40.)
func TestSmallestAlarms(t *testing.T) {
	t.Parallel()
	tables := map[float64][][2]int{
		0.05: {{3, 3}, {5, 4}, {10, 5}, {20, 6}, {50, 9}},
		0.10: {{4, 4}, {5, 4}, {6, 5}, {10, 6}, {20, 8}, {50, 13}, {100, 21}},
		0.25: {{6, 6}, {10, 8}, {20, 12}, {50, 23}, {100, 40}},
		0.50: {{10, 10}, {15, 14}, {20, 17}, {50, 36}, {100, 66}},
	}
	for p0, rows := range tables {
		for _, row := range rows {
			failures, k := row[0], 0
			for above(k, failures, p0, failureConcentration, math.Log(20)).Decision != Fail {
				k++
			}
			require.Equal(t, row[1], k, "p0 = %v, f = %d", p0, failures)
		}
	}
	for k := range 4 {
		require.Equal(t, Continue, above(k, 3, 0.10, 4, math.Log(20)).Decision, "three failures are never enough at 10 %%")
	}
}

func TestAttributedGate(t *testing.T) {
	t.Parallel()
	gate := NewAttributedGate(0.95, 1, Concentration(390, 0.05))

	found := gate.Decide(12, 20, 100, 1000)
	require.Equal(t, Fail, found.Decision, "new got 10 %% of the probes but 60 %% of the failures")
	require.InDelta(t, 0.6, found.Observed, 1e-15)
	require.InDelta(t, math.Log(40), found.Threshold, 1e-15)
	require.InDelta(t, ConfidenceSequence(100, 1000, 0.025, gate.ShareConcentration).Hi, found.Bound, 1e-15)
	require.InDelta(t, LogMixture(12, 20, found.Bound, 4), found.Log, 1e-15)

	require.Equal(t, Continue, gate.Decide(2, 20, 100, 1000).Decision, "its fair part")
	require.Equal(t, Continue, gate.Decide(0, 20, 100, 1000).Decision, "fewer than its part never fails")
	require.Equal(t, Continue, gate.Decide(500, 500, 1000, 1000).Decision, "alone, it owns every failure rightly")

	quiet := gate.Decide(0, 0, 100, 1000)
	require.Equal(t, Continue, quiet.Decision)
	require.True(t, math.IsNaN(quiet.Observed))
	require.Zero(t, quiet.Log)
}

func TestAttributedGateRatio(t *testing.T) {
	t.Parallel()
	strict, lenient := NewAttributedGate(0.95, 1, 48), NewAttributedGate(0.95, 3, 48)
	share := strict.Decide(8, 30, 100, 1000).Bound
	require.InDelta(t, 3*share/(3*share+1-share), lenient.Decide(8, 30, 100, 1000).Bound, 1e-15)
	require.Equal(t, Fail, strict.Decide(15, 45, 100, 1000).Decision)
	require.Equal(t, Continue, lenient.Decide(15, 45, 100, 1000).Decision)
	require.Equal(t, strict, NewAttributedGate(0.95, 0.2, 48), "a ratio below 1 counts as 1")
	require.InDelta(t, 1, lenient.Decide(0, 0, 0, 0).Bound, 0, "nothing is known about the share")
}

// TestAttributedGateFalseAlarms draws equal failure rates; statistics.md 2.4 states at most 0.001 at a nominal 0.05.
func TestAttributedGateFalseAlarms(t *testing.T) {
	t.Parallel()
	random := dice(5)
	gate := NewAttributedGate(0.95, 1, Concentration(812, 0.05))
	alarms := 0
	for range 120 {
		failedNew, failed, probesNew := 0, 0, 0
		for n := 1; n <= 600; n++ {
			isNew, fails := random.Float64() < 0.25, random.Float64() < 0.10
			if isNew {
				probesNew++
			}
			if !fails {
				continue
			}
			failed++
			if isNew {
				failedNew++
			}
			if gate.Decide(failedNew, failed, probesNew, n).Decision == Fail {
				alarms++
				break
			}
		}
	}
	require.LessOrEqual(t, alarms, 1)
}

func TestAttributedGateNonsense(t *testing.T) {
	t.Parallel()
	gate := NewAttributedGate(0.95, 1, 48)
	for _, counts := range [][4]int{{2, 1, 5, 9}, {-1, 1, 5, 9}, {1, 1, 10, 9}, {3, 3, 2, 9}, {0, 5, 5, 9}} {
		require.Equal(t, Inconclusive, gate.Decide(counts[0], counts[1], counts[2], counts[3]).Decision, "%v", counts)
	}
	for _, broken := range []AttributedGate{
		{}, NewAttributedGate(1, 1, 48), NewAttributedGate(0.95, 1, 0), NewAttributedGate(0.95, math.NaN(), 48),
	} {
		require.Equal(t, Inconclusive, broken.Decide(5, 5, 10, 100).Decision)
	}
}

func TestSlowThreshold(t *testing.T) {
	t.Parallel()
	require.Equal(t, 10*time.Millisecond, SlowThreshold(5*time.Millisecond, 8*time.Millisecond, 0.25))
	require.Equal(t, 5*time.Millisecond, SlowThreshold(5*time.Millisecond, time.Millisecond, 0.25))
	require.Equal(t, 8*time.Millisecond, SlowThreshold(5*time.Millisecond, 8*time.Millisecond, -1))
}

func TestBaselineGate(t *testing.T) {
	t.Parallel()
	gate := NewBaselineGate(1, 1000, 0.10, 0, 0.95)
	require.InDelta(t, 0.005558924, gate.Bound, 1e-9)
	require.InDelta(t, 400/7.936154601737565-1, gate.Concentration, 1e-12)
	require.Equal(t, Continue, gate.Decide(0, 0).Decision)
	require.Equal(t, Continue, gate.Decide(0, 500).Decision)
	require.Equal(t, Fail, gate.Decide(4, 30).Decision)
	require.InDelta(t, math.Log(40), gate.Decide(4, 30).Threshold, 1e-15)
	require.Equal(t, Inconclusive, gate.Decide(2, 1).Decision)

	require.InDelta(t, 0.005558924+0.002, NewBaselineGate(1, 1000, 0.10, 0.02, 0.95).Bound, 1e-9)
	require.InDelta(t, gate.Bound, NewBaselineGate(1, 1000, 0.10, -1, 0.95).Bound, 0)
	require.InDelta(t, 0.0122209746943, NewBaselineGate(0, 300, 0.10, 0, 0.95).Bound, 1e-12)
}

func TestImpliedNewRate(t *testing.T) {
	t.Parallel()
	gate := NewBaselineGate(0, 300, 0.10, 0, 0.95)
	require.InDelta(t, 0.5, gate.ImpliedNewRate(5, 100), 1e-12)
	require.InDelta(t, 1, gate.ImpliedNewRate(50, 100), 0, "more than new can explain")
	require.Zero(t, NewBaselineGate(30, 300, 0.10, 0, 0.95).ImpliedNewRate(1, 100))
	require.True(t, math.IsNaN(gate.ImpliedNewRate(0, 0)))
	require.True(t, math.IsNaN(NewBaselineGate(0, 300, 0, 0, 0.95).ImpliedNewRate(1, 10)))
	require.True(t, math.IsNaN(NewBaselineGate(0, 0, 0.1, 0, 0.95).ImpliedNewRate(1, 10)))
}

func TestBaselineGateNonsense(t *testing.T) {
	t.Parallel()
	for _, gate := range []BaselineGate{
		NewBaselineGate(0, 0, 0.1, 0, 0.95), NewBaselineGate(5, 4, 0.1, 0, 0.95), NewBaselineGate(1, 4, 1.1, 0, 0.95),
		NewBaselineGate(1, 4, math.NaN(), 0, 0.95),
	} {
		require.Equal(t, Continue, gate.Decide(50, 50).Decision, "without a baseline nothing is excessive")
	}
	require.Equal(t, Inconclusive, NewBaselineGate(0, 300, 0.1, 0, 1).Decide(50, 50).Decision)
	require.Equal(t, Inconclusive, BaselineGate{}.Decide(50, 50).Decision)
}

func TestRateInterval(t *testing.T) {
	t.Parallel()
	requireInterval(t, 0, 0.0146257, RateInterval(0, 300, 0.95), 1e-7)
	require.Equal(t, everything, RateInterval(0, 300, 1))
}
