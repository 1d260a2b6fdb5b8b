package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAskPace: a server that punishes is asked no faster than its port may be, and all of
// it ends before the asking is given up.
func TestAskPace(t *testing.T) {
	t.Parallel()
	for limit, want := range map[float64]struct {
		times int
		over  time.Duration
	}{
		0: {8, 2 * time.Second}, 50: {8, 2 * time.Second}, 1: {8, 8 * time.Second}, 0.2: {4, 20 * time.Second}, 0.01: {1, 100 * time.Second},
	} {
		times, over := askPace(limit)
		require.Equal(t, want.times, times, "%v a second", limit)
		require.Equal(t, want.over, over, "%v a second", limit)
		require.Less(t, over*time.Duration(times-1)/time.Duration(times), askLimit, "between the first and the last")
	}
}
