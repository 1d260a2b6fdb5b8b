//go:build e2e

package e2e

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/org/l4-canary/test/harness"
)

// muted is a way to the API server that can fall silent: it takes requests, and
// answers none.
type muted struct {
	kubeconfig string
	silent     atomic.Bool
	asked      atomic.Int64 // while it was silent
}

// mute begins to listen.
func (l *lab) mute(t *testing.T) *muted {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", l.kubeconfig)
	require.NoError(t, err)
	m := &muted{}
	over := make(chan struct{})
	m.kubeconfig = harness.NewProxy(t, config, func(passing http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if m.silent.Load() {
				m.asked.Add(1)
				<-over
				return
			}
			passing.ServeHTTP(w, r)
		})
	}).Kubeconfig
	t.Cleanup(func() { close(over) }) // before the server waits for what it has begun
	return m
}

// cancelledInSilence: an API server that answers nothing any more keeps no run from
// stopping in time. The Lease says that the run still holds it, as after a kill.
func cancelledInSilence(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "cancelled-silence"
	arguments, users := release(t, l, namespace)
	m := l.mute(t)
	r := l.stepBy(t, m.kubeconfig, arguments)
	require.Eventually(t, func() bool { return l.replicas(t, namespace, "lobby") == 1 }, time.Minute, 20*time.Millisecond)
	m.silent.Store(true)
	interrupt(t, r)
	require.Positive(t, m.asked.Load())
	require.Equal(t, 0, l.post(t, namespace).exit)
	requireBack(t, l, namespace, users)
}
