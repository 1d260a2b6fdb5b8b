//go:build e2e

package harness

import (
	"crypto/rand"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/org/l4-canary/test/tally"
)

// Proxy stands between a program and the API server, with the lab's own credentials,
// whatever the program's are.
type Proxy struct {
	Kubeconfig string // path of the one that leads here

	server *httptest.Server
}

// NewProxy begins to listen on loopback, for the length of a test. What handler makes of
// the way to the API server answers every call. Watches stream through that way; where it
// gets no answer, the program's connection is cut. It speaks HTTP/1.1, in which a call
// that is cut off is alone on its connection.
func NewProxy(t *testing.T, config *rest.Config, handler func(passing http.Handler) http.Handler) *Proxy {
	t.Helper()
	return newProxy(t, config, handler, (*httptest.Server).Start)
}

// NewTally counts calls on their way to the API server. It speaks HTTP/2, as that does.
func NewTally(t *testing.T, config *rest.Config) (calls *tally.Tally, kubeconfig string) {
	t.Helper()
	calls = &tally.Tally{}
	return calls, newProxy(t, config, calls.Count, func(server *httptest.Server) {
		server.EnableHTTP2 = true
		server.StartTLS()
	}).Kubeconfig
}

func newProxy(t *testing.T, config *rest.Config, handler func(http.Handler) http.Handler, start func(*httptest.Server)) *Proxy {
	t.Helper()
	transport, err := rest.TransportFor(config)
	require.NoError(t, err)
	target, err := url.Parse(config.Host)
	require.NoError(t, err)
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	passing := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Header.Del("Authorization") },
		Transport:     transport,
		FlushInterval: -1, // watches stream
		ErrorLog:      quiet,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := httptest.NewUnstartedServer(handler(passing))
	server.Config.ErrorLog = quiet
	start(server)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	p := &Proxy{Kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), server: server}
	require.NoError(t, clientcmd.WriteToFile(leadingTo(server), p.Kubeconfig))
	return p
}

// Cut ends every connection, in the middle of whatever it carries.
func (p *Proxy) Cut() { p.server.CloseClientConnections() }

// leadingTo is a kubeconfig for a server that asks nobody who he is. Over TLS there is a
// token all the same: without one kubectl would ask for a password.
func leadingTo(server *httptest.Server) api.Config {
	const name = "proxy"
	cluster, user := &api.Cluster{Server: server.URL}, &api.AuthInfo{}
	if authority := server.Certificate(); authority != nil {
		cluster.CertificateAuthorityData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Raw})
		user.Token = rand.Text()
	}
	return api.Config{
		Clusters:       map[string]*api.Cluster{name: cluster},
		AuthInfos:      map[string]*api.AuthInfo{name: user},
		Contexts:       map[string]*api.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}
}
