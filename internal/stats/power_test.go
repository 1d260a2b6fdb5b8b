package stats

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPowerNearSimulation compares the one-look approximation with the table of detection in statistics.md 2.4 (2,000
// simulations that look after every probe): probes for a power of 90 %.
func TestPowerNearSimulation(t *testing.T) {
	t.Parallel()
	rows := []struct {
		weight, old, risen float64
		probes             float64
	}{
		{0.10, 0.001, 0.02, 4757}, {0.10, 0.001, 0.05, 1725}, {0.10, 0.001, 0.20, 422}, {0.10, 0.01, 0.05, 4039},
		{0.10, 0.01, 0.10, 1349}, {0.10, 0.05, 0.15, 2848}, {0.10, 0.05, 0.25, 988},
		{0.25, 0.001, 0.02, 2577}, {0.25, 0.001, 0.05, 935}, {0.25, 0.001, 0.20, 239}, {0.25, 0.01, 0.05, 2021},
		{0.25, 0.01, 0.10, 713}, {0.25, 0.05, 0.15, 1411}, {0.25, 0.05, 0.25, 501},
		{0.50, 0.001, 0.01, 4821}, {0.50, 0.001, 0.02, 1953}, {0.50, 0.001, 0.05, 746}, {0.50, 0.01, 0.10, 577},
		{0.50, 0.05, 0.15, 1107}, {0.50, 0.05, 0.25, 413},
	}
	for _, row := range rows {
		gate := NewAttributedGate(0.95, 1, NewShareTest(row.weight, 0.05, 0.95).Concentration)
		below, enough := 1, 10_000
		for enough-below > 1 {
			middle := (below + enough) / 2
			if gate.Power(row.risen, row.old, row.weight, middle) >= 0.9 {
				enough = middle
			} else {
				below = middle
			}
		}
		require.InEpsilon(t, row.probes, enough, 0.10, "%+v", row)
	}
}

func TestDetectableRate(t *testing.T) {
	t.Parallel()
	gate := NewAttributedGate(0.95, 1, NewShareTest(0.10, 0.05, 0.95).Concentration)
	require.InDelta(t, 0.95, gate.Power(0.05, 0.001, 0.10, 2000), 0.005)
	rate := gate.DetectableRate(0.001, 0.10, 1000, 0.9)
	require.InDelta(t, 0.082, rate, 0.0005)
	require.InDelta(t, 0.9, gate.Power(rate, 0.001, 0.10, 1000), 1e-4)
	require.Greater(t, gate.DetectableRate(0.05, 0.10, 1000, 0.9), rate, "more noise hides more")
	require.InDelta(t, 1, gate.DetectableRate(0.001, 0.10, 10, 0.9), 0, "ten probes show nothing")
	require.InDelta(t, 1, gate.DetectableRate(0.001, 1, 1000, 0.9), 0, "nobody to compare with")
}

func TestPowerNonsense(t *testing.T) {
	t.Parallel()
	gate := NewAttributedGate(0.95, 1, 48)
	require.Zero(t, gate.Power(1, 0, 0.1, 0))
	require.InDelta(t, 1, gate.Power(1, 0, 0.1, 1000), 1e-9)
	for name, power := range map[string]float64{
		"rate":          gate.Power(1.1, 0, 0.1, 10),
		"weight":        gate.Power(1, 0, -0.1, 10),
		"probes":        gate.Power(1, 0, 0.1, -1),
		"zero value":    AttributedGate{}.Power(1, 0, 0.1, 10),
		"detected rate": gate.DetectableRate(2, 0.1, 10, 0.9),
		"certainty":     gate.DetectableRate(0.1, 0.1, 10, 1),
	} {
		require.True(t, math.IsNaN(power), name)
	}
}
