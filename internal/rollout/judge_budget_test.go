package rollout

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/stats"
)

// TestBudgetGrowsWithStrictness: a window that began again is judged at a smaller
// alpha and takes more flows, so that the budget of the first window would leave one
// honest stage of forty undecided. What the user allows stays what it is.
func TestBudgetGrowsWithStrictness(t *testing.T) {
	t.Parallel()
	for restarts := range 5 {
		want := stats.NewShareTest(0.8, 0.05, 0.95).Window(restarts).MaxSize
		own, limited := options(80), options(80)
		limited.MaxProbes = 500
		require.Equal(t, want, untilInconclusive(t, own, restarts), "after %d restarts", restarts)
		require.Equal(t, 500, untilInconclusive(t, limited, restarts), "after %d restarts", restarts)
	}
}

// untilInconclusive is how many flows a window takes that lies on the edge.
func untilInconclusive(t *testing.T, o JudgeOptions, restarts int) int {
	t.Helper()
	j := NewJudge(o)
	for range restarts {
		j.Restart()
	}
	n := feed(j, 100000, turns(75, 100))
	_, reason, detail, _ := j.Verdict()
	require.Equal(t, ReasonInconclusive, reason, detail)
	return n
}
