//go:build e2e

package drill

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/org/l4-canary/test/harness"
)

// proxy stands between the program and the API server, with the lab's own
// credentials, and does to a call whatever the drill asks for. Watches stream
// through it.
type proxy struct {
	kubeconfig string
	target     *url.URL
	transport  http.RoundTripper
	passing    *httputil.ReverseProxy
	interfere  interference
	cut        func() // ends every connection, in the middle of whatever it carries

	mu    sync.Mutex
	namer namer
	seen  map[string]int
	dead  bool // the program is no more: nothing of it may come through

	written []point // in the order in which the API server answered
	read    []point // in the order in which they came
}

// interference may do something to a call. It reports whether it has taken care of
// the answer; forward passes the call on and returns the API server's answer.
type interference func(w http.ResponseWriter, r *http.Request, at point, c call, forward func() reply) bool

// reply is a whole answer of the API server.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// newProxy begins to listen on loopback. Nil interferes with nothing.
func newProxy(t *testing.T, l *harness.Lab, interfere interference) *proxy {
	t.Helper()
	transport, err := rest.TransportFor(l.Config)
	require.NoError(t, err)
	target, err := url.Parse(l.Config.Host)
	require.NoError(t, err)
	p := &proxy{target: target, transport: transport, interfere: interfere, seen: map[string]int{}}
	p.passing = &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	server := httptest.NewUnstartedServer(p)
	server.Config.ErrorLog = p.passing.ErrorLog
	server.Start()
	p.cut = server.CloseClientConnections
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	p.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: drill
clusters: [{name: drill, cluster: {server: %q}}]
users: [{name: drill, user: {}}]
contexts: [{name: drill, context: {cluster: drill, user: drill}}]
`, server.URL)
	require.NoError(t, os.WriteFile(p.kubeconfig, []byte(text), 0o600))
	return p
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	c, at, dead := p.meet(r, body)
	if dead {
		panic(http.ErrAbortHandler)
	}
	if p.interfere != nil && p.interfere(w, r, at, c, func() reply { return p.forward(r, body) }) {
		return
	}
	if c.watch || !c.write {
		p.passing.ServeHTTP(w, r)
		return
	}
	p.answer(w, at, p.forward(r, body))
}

// meet names a call and counts it.
func (p *proxy) meet(r *http.Request, body []byte) (call, point, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.namer.name(r, body)
	p.seen[c.name]++
	at := point{c.name, p.seen[c.name]}
	if !c.write {
		p.read = append(p.read, at)
	}
	return c, at, p.dead
}

// bury lets nothing through any more.
func (p *proxy) bury() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

// forward passes a call on and reads the whole answer. It is not bound to the
// program's connection: what is sent is sent.
func (p *proxy) forward(r *http.Request, body []byte) reply {
	out := r.Clone(r.Context())
	out.RequestURI, out.URL.Scheme, out.URL.Host, out.Host = "", p.target.Scheme, p.target.Host, ""
	out.Body = io.NopCloser(bytes.NewReader(body))
	response, err := p.transport.RoundTrip(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	data, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return reply{response.StatusCode, response.Header, data}
}

// answer hands the API server's answer to a write on. A conflict does not count:
// the program reads again and repeats the write, and how often is chance.
func (p *proxy) answer(w http.ResponseWriter, at point, r reply) {
	p.mu.Lock()
	if r.status == http.StatusConflict {
		p.seen[at.name]--
	} else {
		p.written = append(p.written, at)
	}
	p.mu.Unlock()
	maps.Copy(w.Header(), r.header)
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body) // the program may be gone
}

// writes are the points at which something was written, in their order; of the
// Lease's renewals the first two, and of the Events the first.
func (p *proxy) writes() []point {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.written), func(at point) bool {
		return at.name == "Lease: renewed" && at.n > 2 || at.name == "create event" && at.n > 1
	})
}
