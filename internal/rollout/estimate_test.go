package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
)

func TestForecast(t *testing.T) {
	t.Parallel()
	options := Options{
		Plan:      PlanOptions{Replicas: 10, MaxSurge: 3, Steps: []Percent{10, 25, 50, 100}, MaxWeightError: 5},
		Tolerance: 5, Confidence: 95, Rate: 50, Settle: 5 * time.Second, Drain: 30 * time.Second,
		Propagation: time.Minute, StageTimeout: time.Minute, Pauses: map[Percent]time.Duration{25: time.Hour},
	}
	plan := NewPlan(options.Plan)
	require.Empty(t, plan.Problems)
	f := options.Forecast(plan, 4*time.Second)
	require.Equal(t, Estimate{300, 300, 6 * time.Second, 6 * time.Second}, f.Baseline)
	// One pod comes, one leaves: 4 + 30 + 5 + 390/50 seconds.
	require.Equal(t, Estimate{390, 1560, 46800 * time.Millisecond, 130200 * time.Millisecond}, f.Stages[0])
	// 9+1 → 9+3: two come; the pause belongs to it; 3 000 probes do not fit into the stage's time.
	const paused = 3600 * 5 // a tenth of the rate, for an hour
	require.Equal(t, time.Hour+4*time.Second+5*time.Second, (f.Stages[1].Time - time.Duration(f.Stages[1].Probes-paused)*time.Second/50).Round(time.Second))
	require.Equal(t, time.Hour+4*time.Second+5*time.Second+time.Minute+time.Minute, f.Stages[1].MaxTime)
	// 5+5 → 0+10: 3 come, 3 leave, 2 come, 2 leave.
	require.Equal(t, Estimate{299, 1196, 2*34*time.Second + 5*time.Second + 5980*time.Millisecond, 2*34*time.Second + 65*time.Second + 23920*time.Millisecond}, f.Stages[3])
	require.Zero(t, f.Finish)

	total := f.Total()
	require.Equal(t, 300+390+f.Stages[1].Probes+f.Stages[2].Probes+299, total.Probes)
	require.Greater(t, total.MaxTime, total.Time)

	options.Bake = 10 * time.Minute
	require.Equal(t, Estimate{3000, 3000, options.Bake, options.Bake}, options.Forecast(plan, 0).Finish)
	options.Bake = 0
	options.Mode, options.Finish = Single, Adopt
	require.Equal(t, 4*34*time.Second, options.Forecast(plan, 4*time.Second).Finish.Time, "the pods move back, three at a time")
	options.Ports = append(options.Ports, options.Ports...)
	options.Rate = 0
	require.Zero(t, options.Forecast(plan, 0).Baseline.Time, "as fast as it goes")
}

// TestForecastOfSlowPorts: one port allows a fiftieth of what the other gets.
func TestForecastOfSlowPorts(t *testing.T) {
	t.Parallel()
	options := Options{Rate: 50, Ports: []probe.Port{{Number: 80}, {Number: 22, Rate: 0.5}}}
	got := options.sampling(600, 1200)
	require.Equal(t, Estimate{Probes: 300 + 15_000, MaxProbes: 600 + 30_000, Time: 10 * time.Minute, MaxTime: 20 * time.Minute}, got)
	options.Ports[1].Rate = 100
	require.Equal(t, Estimate{600, 600, 12 * time.Second, 12 * time.Second}, options.sampling(600, 600), "more than it would get")
}

func TestLongestSampling(t *testing.T) {
	t.Parallel()
	options := Options{
		Plan:      PlanOptions{Replicas: 10, MaxSurge: 3, Steps: []Percent{10, 50, 100}, MaxWeightError: 5},
		Tolerance: 5, Confidence: 95, Rate: 50, StageTimeout: time.Minute,
	}
	plan := NewPlan(options.Plan)
	require.Equal(t, 21660*time.Millisecond, options.LongestSampling(plan), "1 083 flows for 50 %, at 50 a second")
	options.Ports = []probe.Port{{Number: 80}, {Number: 22, Rate: 0.5}}
	require.Equal(t, 2166*time.Second, options.LongestSampling(plan), "at half a flow a second on the slow port")
	options.MaxProbes = 30
	require.Equal(t, time.Minute, options.LongestSampling(plan))
	require.Zero(t, options.LongestSampling(Plan{}))
}
