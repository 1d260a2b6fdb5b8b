//go:build e2e

package e2e

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// forecast is what plan says a rollout takes.
type forecast struct {
	SchemaVersion, Replicas, MaxSurge, MaxUnavailable int
	Stages                                            []stage
	Problems                                          []string
	Forecast                                          struct {
		Total struct {
			Probes, MaxProbes   int
			Seconds, MaxSeconds float64
		}
	}
}

// planned is the plan of a rollout with these inputs.
func (l *lab) planned(t *testing.T, args ...string) forecast {
	t.Helper()
	res := l.command(t, append([]string{"plan", "--output", "json"}, args...)...)
	require.Equal(t, 0, res.exit)
	var plan forecast
	require.NoError(t, json.Unmarshal([]byte(res.stdout), &plan))
	require.Equal(t, 1, plan.SchemaVersion)
	require.Empty(t, plan.Problems)
	return plan
}

// requireForeseen holds a rollout that was promoted against its plan. A machine that is
// busy with other tests is slower than the plan thinks, but not without end.
func (f forecast) requireForeseen(t *testing.T, res result) {
	t.Helper()
	total := f.Forecast.Total
	probes := 0
	for _, s := range res.report.Stages {
		probes += s.Samples
	}
	t.Logf("plan: %d probes in %.0f s, at most %d in %.0f s; the rollout took %d probes and %.0f s",
		total.Probes, total.Seconds, total.MaxProbes, total.MaxSeconds, probes, res.took.Seconds())
	require.LessOrEqual(t, probes, total.MaxProbes)
	require.Less(t, res.took, time.Duration(total.MaxSeconds*float64(time.Second)))
	require.Greater(t, res.took.Seconds(), total.Seconds/3)
}
