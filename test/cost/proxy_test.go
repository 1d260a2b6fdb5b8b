package cost

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCallNames(t *testing.T) {
	t.Parallel()
	const apply = "application/apply-patch+yaml"
	tests := []struct {
		method, path, content string
		verb, resource        string
		sort                  Sort
	}{
		{"GET", "/version", "", "discover", "the API", Read},
		{"GET", "/apis", "", "discover", "the API", Read},
		{"GET", "/apis/apps/v1", "", "discover", "the API", Read},
		{"GET", "/api/v1", "", "discover", "the API", Read},
		{"GET", "/openapi/v3/apis/apps/v1?hash=1", "", "discover", "the API", Read},
		{"GET", "/api/v1/namespaces/game", "", "get", "namespaces", Read},
		{"GET", "/api/v1/namespaces", "", "list", "namespaces", Read},
		{"GET", "/api/v1/namespaces/game/pods?limit=1", "", "list", "pods", Read},
		{"GET", "/api/v1/namespaces/game/pods?watch=true&resourceVersion=7", "", "watch", "pods", Watch},
		{"GET", "/api/v1/namespaces/game/pods?watch=false", "", "list", "pods", Read},
		{"GET", "/api/v1/namespaces/game/pods/lobby-1", "", "get", "pods", Read},
		{"GET", "/apis/apps/v1/deployments", "", "list", "deployments", Read},
		{"GET", "/apis/apps/v1/namespaces/game/deployments/lobby", "", "get", "deployments", Read},
		{"PATCH", "/apis/apps/v1/namespaces/game/deployments/lobby/scale", "application/merge-patch+json", "patch", "deployments/scale", Write},
		{"PATCH", "/apis/apps/v1/namespaces/game/deployments/lobby?force=true", apply, "apply", "deployments", Write},
		{"PATCH", "/api/v1/namespaces/game/services/lobby?dryRun=All", apply, "try to apply", "services", Trial},
		{"POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "", "ask", "selfsubjectaccessreviews", Trial},
		{"POST", "/apis/coordination.k8s.io/v1/namespaces/game/leases", "", "create", "leases", Write},
		{"PUT", "/apis/coordination.k8s.io/v1/namespaces/game/leases/l4-canary-lobby", "", "update", "leases", Write},
		{"DELETE", "/api/v1/namespaces/game/pods/lobby-1", "", "delete", "pods", Write},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, nil)
			r.Header.Set("Content-Type", tt.content)
			c := newCall(r)
			require.Equal(t, tt.verb, c.Verb)
			require.Equal(t, tt.resource, c.Resource)
			require.Equal(t, tt.sort, c.Sort())
		})
	}
}

// serve is an API server of a kind, behind the proxy.
func serve(t *testing.T, handler http.HandlerFunc) (*Proxy, string) {
	t.Helper()
	api := httptest.NewServer(handler)
	t.Cleanup(api.Close)
	target, err := url.Parse(api.URL)
	require.NoError(t, err)
	proxy := NewProxy(target, http.DefaultTransport)
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	return proxy, server.URL
}

// do makes a request. What it returns of the answer is closed with the test.
func do(t *testing.T, method, url, body string) (status int, answer io.Reader) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response.StatusCode, response.Body
}

func TestProxyCountsBothWays(t *testing.T) {
	t.Parallel()
	proxy, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusConflict)
		_, _ = fmt.Fprintf(w, "%s %s has %d bytes", r.Method, r.URL.Path, len(body))
	})
	began := time.Now()
	code, body := do(t, http.MethodPut, address+"/api/v1/namespaces/game/services/lobby", "new words")
	answer, err := io.ReadAll(body)
	require.NoError(t, err)
	require.Equal(t, "PUT /api/v1/namespaces/game/services/lobby has 9 bytes", string(answer))
	require.Equal(t, http.StatusConflict, code)
	calls := proxy.Calls()
	require.Len(t, calls, 1)
	whole := Part{Began: began, Ended: time.Now()}
	require.Equal(t, 9, calls[0].Sent)
	require.Equal(t, len(answer), calls[0].bytes(whole))
	require.Zero(t, calls[0].bytes(Part{Began: whole.Ended, Ended: whole.Ended.Add(time.Hour)}))
	require.Equal(t, "update services", calls[0].Verb+" "+calls[0].Resource)
}

// TestProxyStreams: what a watch brings comes through at once, and counts when it came.
func TestProxyStreams(t *testing.T) {
	t.Parallel()
	more := make(chan string)
	proxy, address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for text := range more {
			_, _ = io.WriteString(w, text+"\n")
			_ = http.NewResponseController(w).Flush()
		}
	})
	began := time.Now()
	go func() { more <- "added" }()
	_, body := do(t, http.MethodGet, address+"/api/v1/pods?watch=1", "")
	lines := bufio.NewScanner(body)
	require.True(t, lines.Scan())
	first := Part{Began: began, Ended: time.Now()}
	more <- "deleted it"
	require.True(t, lines.Scan())
	require.Equal(t, "deleted it", lines.Text())
	second := Part{Began: first.Ended, Ended: time.Now()}
	close(more)
	require.False(t, lines.Scan())

	calls := proxy.Calls()
	require.Len(t, calls, 1)
	require.Equal(t, Traffic{Calls: map[Sort]int{Watch: 1}, Received: len("added\n")}, TrafficIn(first, calls))
	require.Equal(t, Traffic{Calls: map[Sort]int{}, Received: len("deleted it\n")}, TrafficIn(second, calls))
}
