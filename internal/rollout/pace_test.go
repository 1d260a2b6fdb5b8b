package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
)

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
