package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
)

// TestArrived: of a pair that is what the manifests say, only the record can tell
// whether the new one serves.
func TestArrived(t *testing.T) {
	t.Parallel()
	last := &rollout.Memory{Mode: rollout.Pair, Stable: "blue", Canary: "green", Phase: rollout.PhasePromoted}
	require.True(t, arrived(last, "green"), "the same release once more")
	require.False(t, arrived(last, "blue"), "somebody has scaled back by hand")
	require.False(t, arrived(nil, "blue"), "a rollback leaves no record")
}
