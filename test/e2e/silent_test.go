//go:build e2e

package e2e

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// muted is a way to the API server that can fall silent: it takes requests, and
// answers none.
type muted struct {
	kubeconfig string
	silent     atomic.Bool
	asked      atomic.Int64 // while it was silent
}

// mute begins to listen on loopback, with the lab's own credentials.
func (l *lab) mute(t *testing.T) *muted {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", l.kubeconfig)
	require.NoError(t, err)
	transport, err := rest.TransportFor(config)
	require.NoError(t, err)
	target, err := url.Parse(config.Host)
	require.NoError(t, err)
	m := &muted{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, Transport: transport, FlushInterval: -1,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.silent.Load() {
			m.asked.Add(1)
			<-over
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { close(over); server.CloseClientConnections(); server.Close() })
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: muted\nclusters: [{name: muted, cluster: {server: %q}}]\n"+
		"users: [{name: muted, user: {}}]\ncontexts: [{name: muted, context: {cluster: muted, user: muted}}]\n", server.URL)
	require.NoError(t, os.WriteFile(m.kubeconfig, []byte(text), 0o600))
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
