//go:build e2e

package soak

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

// TestSoakHarm: a rollout answers for what it harmed, also if that is noticed later, and for
// nothing else.
func TestSoakHarm(t *testing.T) {
	t.Parallel()
	began := time.Now()
	at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	h := harms{{span{began, at(10)}, []string{"old"}}, {span{at(20), at(30)}, []string{"old"}}}
	require.True(t, h.lost(harness.Loss{Began: at(9), Ended: at(18)}))
	require.False(t, h.lost(harness.Loss{Began: at(11), Ended: at(12)}), "it was over")
	require.True(t, h.cut(harness.Loss{Began: at(5), Ended: at(12), Pod: "new"}))
	require.False(t, h.cut(harness.Loss{Began: at(5), Ended: at(12), Pod: "old"}))
	require.False(t, h.cut(harness.Loss{Began: at(11), Ended: at(12), Pod: "new"}))
	require.True(t, h.lost(harness.Loss{Began: at(9), Ended: at(31)}), "noticed when the next one was over")
	require.False(t, harms{}.lost(harness.Loss{Began: at(5)}), "none did any harm yet")

	w := world{unready: []span{{began, at(3)}}}
	require.True(t, w.moved(harness.Loss{Protocol: "udp", Ended: at(2)}))
	require.False(t, w.moved(harness.Loss{Protocol: "tcp", Ended: at(2)}))
	require.False(t, w.moved(harness.Loss{Protocol: "udp", Ended: at(4)}))
}
