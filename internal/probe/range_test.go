package probe

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestStatsAreOfOneRange: a second range tells nothing of the first, which was longer and
// began later than its schedule said.
func TestStatsAreOfOneRange(t *testing.T) {
	t.Parallel()
	port := serveTCP(t, "127.0.0.1", func(c net.Conn) { say("old\n")(c) })
	sampler, err := NewSampler(Options{Ports: []Port{port}, Addresses: loopback(), Concurrency: 1})
	require.NoError(t, err)
	few := func(n int) (starts []time.Duration) {
		for f := range sampler.Flows(t.Context()) {
			if starts = append(starts, f.Start); len(starts) == n {
				break
			}
		}
		return starts
	}
	few(50)
	sampler.late.observe(time.Hour)
	starts := few(3)
	stats := sampler.Stats()
	require.Equal(t, 3, stats.Sent)
	require.InEpsilon(t, 2/(starts[2]-starts[0]).Seconds(), stats.Rate, 1e-9)
	require.Less(t, stats.Lateness.Max, time.Minute)
	require.Equal(t, int64(3), counted(&sampler.late))
}

// counted is how many durations a histogram holds.
func counted(h *histogram) (n int64) {
	for i := range h.buckets {
		n += h.buckets[i].Load()
	}
	return n
}

// TestWhenDone: whoever ends it may rely on nothing of it being at work any more.
func TestWhenDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		called, ended, letGo := false, false, make(chan struct{})
		end := whenDone(ctx, func() {
			called = true
			<-letGo
		})
		synctest.Wait()
		require.False(t, called, "it is not done yet")
		cancel()
		synctest.Wait()
		require.True(t, called)
		go func() {
			end()
			ended = true
		}()
		synctest.Wait()
		require.False(t, ended, "what was called has not returned")
		close(letGo)
		synctest.Wait()
		require.True(t, ended)
	})
}

// TestWhenDoneIsTakenBack: a context that is done later calls nothing.
func TestWhenDoneIsTakenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		whenDone(ctx, func() { t.Error("it was taken back") })()
		cancel()
		synctest.Wait()
	})
}
