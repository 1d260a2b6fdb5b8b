package tally

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serve is an API server of a kind, behind a tally. It returns its address.
func serve(t *testing.T, handler http.HandlerFunc) (*Tally, string) {
	t.Helper()
	api := httptest.NewServer(handler)
	t.Cleanup(api.Close)
	target, err := url.Parse(api.URL)
	require.NoError(t, err)
	tally := &Tally{}
	passing := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, FlushInterval: -1}
	server := httptest.NewServer(tally.Count(passing))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return tally, server.URL
}

// do makes a request. What it returns of the answer is closed with the test.
func do(t *testing.T, method, address, body string) (status int, answer io.ReadCloser) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response.StatusCode, response.Body
}

func TestTallyCountsBothWays(t *testing.T) {
	t.Parallel()
	tally, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusConflict)
		_, _ = fmt.Fprintf(w, "%s %s has %d bytes", r.Method, r.URL.Path, len(body))
	})
	require.Empty(t, tally.Calls())
	before := time.Now()
	code, body := do(t, http.MethodPut, address+"/api/v1/namespaces/game/services/lobby", "new words")
	answer, err := io.ReadAll(body)
	require.NoError(t, err)
	require.Equal(t, "PUT /api/v1/namespaces/game/services/lobby has 9 bytes", string(answer))
	require.Equal(t, http.StatusConflict, code)
	calls := tally.Calls()
	require.Len(t, calls, 1)
	call := calls[0]
	require.Equal(t, "update services", call.Kind())
	require.Equal(t, 9, call.Sent)
	require.Equal(t, 9+len(answer), call.Bytes())
	require.WithinRange(t, call.Began, before, time.Now())
	require.WithinRange(t, call.Began.Add(call.Took), call.Began, time.Now())
}

// TestTallyStreams: what a watch brings comes through at once, and is noted with the time.
// A watch is counted once it is over, which its client may say.
func TestTallyStreams(t *testing.T) {
	t.Parallel()
	more := make(chan string)
	tally, address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for {
			select {
			case text := <-more:
				_, _ = io.WriteString(w, text+"\n")
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	go func() { more <- "added" }()
	_, body := do(t, http.MethodGet, address+"/api/v1/pods?watch=1", "")
	lines := bufio.NewScanner(body)
	require.True(t, lines.Scan())
	between := time.Now()
	more <- "deleted it"
	require.True(t, lines.Scan())
	require.Equal(t, "deleted it", lines.Text())
	require.NoError(t, body.Close())

	calls := tally.Calls()
	require.Len(t, calls, 1)
	require.Equal(t, "watch pods", calls[0].Kind())
	chunks := calls[0].Received
	require.Len(t, chunks, 2)
	require.Equal(t, []int{len("added\n"), len("deleted it\n")}, []int{chunks[0].Bytes, chunks[1].Bytes})
	require.True(t, chunks[0].At.Before(between))
	require.True(t, chunks[1].At.After(between))
}

// TestTallyHasTheOrderOfTheBeginnings, whichever call ends first.
func TestTallyHasTheOrderOfTheBeginnings(t *testing.T) {
	t.Parallel()
	came, release := make(chan bool), make(chan bool)
	tally, address := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(came)
			<-release
		}
	})
	slow, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/slow", nil)
	require.NoError(t, err)
	ended := make(chan error)
	go func() {
		response, err := http.DefaultClient.Do(slow)
		if err == nil {
			err = response.Body.Close()
		}
		ended <- err
	}()
	<-came
	do(t, http.MethodGet, address+"/quick", "")
	close(release)
	require.NoError(t, <-ended)
	var kinds []string
	for _, call := range tally.Calls() {
		kinds = append(kinds, call.Kind())
	}
	require.Equal(t, []string{"get /slow", "get /quick"}, kinds)
}
