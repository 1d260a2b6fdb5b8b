package rollout_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// TestBroken: only what is proven counts.
func TestBroken(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name            string
		expected        rollout.Percent
		good, failed    int // flows of stable, and of the canary
		known           bool
		baselineFailed  int // of 300
		withoutBaseline bool
		broken          bool
	}{
		{"all of its flows fail", 50, 20, 20, true, 0, false, true},
		{"that it failed is all that is known", 50, 60, 60, false, 0, false, true},
		{"a few flows prove nothing", 50, 3, 2, true, 0, false, false},
		{"at 10 % it takes more", 10, 36, 4, false, 0, false, false},
		{"it failed before", 50, 60, 60, false, 150, false, false},
		{"nothing is known of before", 50, 60, 60, false, 0, true, false},
		{"at the baseline there is no canary", 0, 60, 60, true, 0, false, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			options := rollout.JudgeOptions{
				Ports: []probe.Port{{Number: 80, Protocol: probe.TCP}}, Expected: &row.expected, Tolerance: 5, Confidence: 95,
				Baseline: &rollout.Baseline{Ports: []rollout.Failures{{Failed: row.baselineFailed, Flows: 300}}},
			}
			if row.withoutBaseline {
				options.Baseline = nil
			}
			judge := rollout.NewJudge(options)
			for i := range max(row.good, row.failed) {
				if i < row.good {
					judge.Add(probe.Flow{Class: probe.Answered, Version: probe.Stable})
				}
				if i >= row.failed {
					continue
				}
				flow := probe.Flow{Class: probe.Reset, Version: probe.None}
				if row.known {
					flow.Version = probe.Canary
				}
				judge.Add(flow)
			}
			require.Equal(t, row.broken, judge.Broken())
		})
	}
}
