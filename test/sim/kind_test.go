package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
)

// TestJudgedCells: what the judge is told, by kind.
func TestJudgedCells(t *testing.T) {
	t.Parallel()
	byName := map[string]judgedCell{}
	for _, c := range judgedCells() {
		byName[c.name()] = c
		require.Equal(t, judgedTolerance, c.options.Tolerance)
		require.Equal(t, judgedConfidence, c.options.Confidence)
		require.Len(t, c.options.Ports, 1)
		require.NotNil(t, c.options.Baseline, "a stage comes after a baseline")
		if !c.blind {
			require.InDelta(t, float64(c.share), float64(*c.options.Expected), 1e-9, c.name())
		}
	}
	require.Len(t, byName, len(judgedCells()))
	blind := byName["node, then pod, expected by pods alone, 50 %"]
	require.InDelta(t, 100.0/3, float64(*blind.options.Expected), 1e-9)
	require.Equal(t, rollout.ReasonPass, byName["hash of the client, 100 %"].wanted())
	require.Equal(t, rollout.ReasonInvalidSticky, byName["hash of the client, 80 %"].wanted())
	require.Equal(t, rollout.ReasonInvalidClassifier, byName["random, 5 % not recognised, 100 %"].wanted())
	require.NotContains(t, byName, "too many by twice the tolerance, 100 %")
	require.InDelta(t, 0.05, byName["random, 500 flows late, 10 %"].mostFails(), 1e-12)
	require.InDelta(t, 0.001, byName["random, 10 %"].mostFails(), 1e-12)
}

// TestBefore: the stage before is the column before.
func TestBefore(t *testing.T) {
	t.Parallel()
	for share, want := range map[rollout.Percent]rollout.Percent{5: 0, 10: 5, 25: 10, 50: 25, 80: 50, 100: 80} {
		require.Equal(t, want, before(share))
	}
}

// TestDiagnoses: a few stages of each kind that has a name in the judge's mouth.
func TestDiagnoses(t *testing.T) {
	t.Parallel()
	for _, c := range judgedCells() {
		want := c.wanted()
		if c.share != 10 && c.share != 100 || want == "" {
			continue
		}
		t.Run(c.name(), func(t *testing.T) {
			t.Parallel()
			wanted := 0
			for stage := range 40 {
				if c.stage(chanceOf(2, c.name(), stage)).reason == want {
					wanted++
				}
			}
			require.GreaterOrEqual(t, wanted, 37)
		})
	}
}

// TestLongConnectionsLookSticky: everything goes to the fresh pods for longer than a
// stage takes, and a stage never passes by that.
func TestLongConnectionsLookSticky(t *testing.T) {
	t.Parallel()
	c := newJudgedCell(kind{title: "fewest", spread: fewest(crowd{arrivals: 0.4, stay: 12500})}, 10)
	for stage := range 10 {
		got := c.stage(chanceOf(1, "fewest", stage))
		require.Equal(t, rollout.ReasonInvalidSticky, got.reason)
		require.Equal(t, 66, got.flows)
	}
}
