//go:build e2e

package harness

import (
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// Call is one request to the API server.
type Call struct {
	Verb     string // as RBAC has it: get, list, watch, create, update, patch, delete, deletecollection
	Resource string // with its subresource: pods, deployments/scale; or a path that is no resource's
	DryRun   bool
	Status   int
	Began    time.Time
	Took     time.Duration
	Sent     int64 // bytes of the body
	Received int64 // bytes of the body as they came, compressed or not
}

// Tally stands between a program and the API server, with the lab's own credentials, and
// writes down every request. It speaks HTTP/2 as an API server does.
type Tally struct {
	Kubeconfig string // path of the one that leads here

	mu    sync.Mutex
	calls []Call
	open  sync.WaitGroup
}

// NewTally begins to listen on loopback, for the length of a test.
func NewTally(t *testing.T, config *rest.Config) *Tally {
	t.Helper()
	transport, err := rest.TransportFor(config)
	require.NoError(t, err)
	target, err := url.Parse(config.Host)
	require.NoError(t, err)
	tally := &Tally{Kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	passing := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // watches stream
		ErrorLog:      quiet,
	}
	server := httptest.NewUnstartedServer(tally.count(passing))
	server.Config.ErrorLog = quiet
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: tally
clusters: [{name: tally, cluster: {server: %q, certificate-authority: ca.crt}}]
users: [{name: tally, user: {}}]
contexts: [{name: tally, context: {cluster: tally, user: tally}}]
`, server.URL)
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(tally.Kubeconfig), "ca.crt"), authority, 0o600))
	require.NoError(t, os.WriteFile(tally.Kubeconfig, []byte(text), 0o600))
	return tally
}

// Calls are those that have ended, in the order in which they began. It waits for the
// others: the program has to have ended.
func (t *Tally) Calls() []Call {
	t.open.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(t.calls), func(a, b Call) int { return a.Began.Compare(b.Began) })
}

// count writes a call down once it is over.
func (t *Tally) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.open.Add(1)
		defer t.open.Done()
		call := describeCall(r)
		call.Began = time.Now()
		counted := &countedWriter{ResponseWriter: w, call: &call}
		body := &countedBody{ReadCloser: r.Body}
		r.Body = body
		defer func() { // also of a watch whose client has gone, which ends with a panic
			call.Took, call.Sent = time.Since(call.Began), body.n
			t.mu.Lock()
			defer t.mu.Unlock()
			t.calls = append(t.calls, call)
		}()
		next.ServeHTTP(counted, r)
	})
}

// describeCall reads what a request asks for.
func describeCall(r *http.Request) Call {
	query := r.URL.Query()
	resource, name := resourceOf(r.URL.Path)
	call := Call{Resource: resource, DryRun: query.Has("dryRun")}
	switch {
	case r.Method == http.MethodGet && query.Get("watch") != "":
		call.Verb = "watch"
	case r.Method == http.MethodGet && resource != r.URL.Path && name == "":
		call.Verb = "list"
	case r.Method == http.MethodPost:
		call.Verb = "create"
	case r.Method == http.MethodPut:
		call.Verb = "update"
	case r.Method == http.MethodDelete && name == "":
		call.Verb = "deletecollection"
	default:
		call.Verb = strings.ToLower(r.Method)
	}
	return call
}

// resourceOf is what a path is of, with the subresource, and the object's name if it has
// one. Of a path that is no resource's it is the path.
func resourceOf(path string) (resource, name string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		parts = parts[3:]
	default:
		return path, ""
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		parts = parts[2:]
	}
	resource = parts[0]
	if len(parts) > 1 {
		name = parts[1]
	}
	if len(parts) > 2 {
		resource += "/" + strings.Join(parts[2:], "/")
	}
	return resource, name
}

// countedBody counts what is read.
type countedBody struct {
	io.ReadCloser
	n int64
}

// Read implements io.Reader.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}

// countedWriter counts what is answered.
type countedWriter struct {
	http.ResponseWriter
	call *Call
}

// WriteHeader implements http.ResponseWriter.
func (w *countedWriter) WriteHeader(status int) {
	w.call.Status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *countedWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.call.Received += int64(n)
	return n, err
}

// Unwrap lets a reverse proxy flush.
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
