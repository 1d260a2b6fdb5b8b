package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// end is how one try of a request ends.
type end struct {
	status     int // 0: not at all
	retryAfter string
	takes      time.Duration
	err        error
}

// script is a server that ends each try as it is told, the last one again and again. It
// keeps what it was sent.
type script struct {
	ends   []end
	bodies []string
	closed int // answers whose body was closed
}

func (s *script) RoundTrip(request *http.Request) (*http.Response, error) {
	body := ""
	if request.Body != nil {
		data, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		body = string(data)
	}
	e := s.ends[min(len(s.bodies), len(s.ends)-1)]
	s.bodies = append(s.bodies, body)
	time.Sleep(e.takes)
	if e.err != nil {
		return nil, e.err
	}
	response := &http.Response{StatusCode: e.status, Status: fmt.Sprint(e.status, " ", http.StatusText(e.status)), Header: http.Header{}, Body: closing{strings.NewReader(""), func() { s.closed++ }}}
	if e.retryAfter != "" {
		response.Header.Set("Retry-After", e.retryAfter)
	}
	return response, nil
}

// closing tells when a body is closed.
type closing struct {
	io.Reader
	then func()
}

func (c closing) Close() error {
	c.then()
	return nil
}

// TestInsistence: which requests are repeated, how often, and how they end.
func TestInsistence(t *testing.T) {
	t.Parallel()
	const deployment, reviews = "/apis/apps/v1/namespaces/game/deployments/lobby", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
	ok, broken, cut := end{status: http.StatusOK}, end{status: http.StatusInternalServerError}, end{err: io.EOF}
	rows := []struct {
		name, method, path string
		ends               []end
		silent             bool // it has never answered
		tries              int
		status             int // 0: an error
	}{
		{"in order", http.MethodPatch, deployment, []end{ok}, false, 1, 200},
		{"a bad moment", http.MethodPatch, deployment, []end{broken, ok}, false, 2, 200},
		{"no answer", http.MethodDelete, deployment, []end{cut, cut, ok}, false, 3, 200},
		{"a reset read", http.MethodGet, deployment, []end{cut, broken, cut, ok}, false, 4, 200},
		{"for ever", http.MethodPatch, deployment, []end{broken}, false, 4, 500},
		{"for ever cut", http.MethodPatch, deployment, []end{cut}, false, 4, 0},
		{"a bad gateway", http.MethodPut, deployment, []end{{status: http.StatusBadGateway}, ok}, false, 2, 200},
		{"another answer", http.MethodPatch, deployment, []end{{status: http.StatusConflict}}, false, 1, 409},
		{"not implemented", http.MethodPatch, deployment, []end{{status: http.StatusNotImplemented}}, false, 1, 501},
		{"as the answer says", http.MethodPatch, deployment, []end{{status: http.StatusServiceUnavailable, retryAfter: "1"}}, false, 1, 503},
		{"a watch", http.MethodGet, deployment + "?watch=true", []end{broken}, false, 1, 500},
		{"making something", http.MethodPost, "/api/v1/namespaces/game/pods", []end{broken}, false, 1, 500},
		{"making nothing", http.MethodPost, "/api/v1/namespaces/game/pods?dryRun=All", []end{broken, ok}, false, 2, 200},
		{"asking for rights", http.MethodPost, reviews, []end{cut, ok}, false, 2, 200},
		{"nobody there", http.MethodGet, deployment, []end{cut}, true, 1, 0},
		{"fenced", http.MethodPatch, deployment, []end{{err: ErrFenced}}, false, 1, 0},
		{"silent once", http.MethodPatch, deployment, []end{{err: context.DeadlineExceeded, takes: answersIn}, ok}, false, 2, 200},
		{"silent twice", http.MethodPatch, deployment, []end{{err: context.DeadlineExceeded, takes: answersIn}}, false, 2, 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{ends: row.ends}
				i := insistence{s, &reach{}, quiet}
				i.reach.answered.Store(!row.silent)
				request, err := http.NewRequestWithContext(t.Context(), row.method, "https://api"+row.path, strings.NewReader("what it says"))
				require.NoError(t, err)
				response, err := i.RoundTrip(request)
				require.Len(t, s.bodies, row.tries)
				for _, body := range s.bodies {
					require.Equal(t, "what it says", body)
				}
				require.Equal(t, row.status == 0, err != nil, err)
				if err == nil {
					require.Equal(t, row.status, response.StatusCode)
					require.NoError(t, response.Body.Close())
				}
				answers := 0
				for n := range row.tries {
					answers += one(row.ends[min(n, len(row.ends)-1)].err == nil)
				}
				require.Equal(t, answers, s.closed, "every answer")
			})
		})
	}
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// A server that has answered once is insisted on from then on.
func TestInsistenceBeginsWithTheFirstAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{ends: []end{{err: io.EOF}, {status: http.StatusForbidden}, {err: io.EOF}, {status: http.StatusOK}}}
		i := insistence{s, &reach{}, quiet}
		get := func() (int, error) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api/version", http.NoBody)
			require.NoError(t, err)
			response, err := i.RoundTrip(request)
			if err != nil {
				return 0, err
			}
			return response.StatusCode, response.Body.Close()
		}
		_, err := get()
		require.ErrorIs(t, err, io.EOF)
		status, err := get()
		require.NoError(t, err)
		require.Equal(t, http.StatusForbidden, status)
		status, err = get()
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
	})
}

// Whoever is told to stop does not wait for another try.
func TestInsistenceEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := insistence{&script{ends: []end{{err: errors.New("connection refused")}}}, &reach{}, quiet}
		i.reach.answered.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api/version", http.NoBody)
		require.NoError(t, err)
		began := time.Now()
		_, err = i.RoundTrip(request) //nolint:bodyclose // there is no answer
		require.ErrorContains(t, err, "connection refused")
		require.Equal(t, 100*time.Millisecond, time.Since(began))

		request.Body, request.GetBody = io.NopCloser(strings.NewReader("once")), nil
		require.False(t, repeatable(request), "its body can be read once")
	})
}

// quiet is for those who listen to nothing.
func quiet(string, ...any) {}

// TestInsistenceSaysThatItIsAway: once, and once when the API server is back.
func TestInsistenceSaysThatItIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused, busy, ok := end{err: errors.New("connection refused")}, end{status: http.StatusServiceUnavailable}, end{status: http.StatusOK}
		var said []string
		say := func(message string, args ...any) { said = append(said, fmt.Sprint(append([]any{message}, args...)...)) }
		i := insistence{&script{ends: []end{ok, refused, refused, refused, refused, refused, ok, busy, ok}}, &reach{}, say}
		for range 4 { // the second is given up
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api/version", http.NoBody)
			require.NoError(t, err)
			if response, err := i.RoundTrip(request); err == nil {
				require.NoError(t, response.Body.Close())
			}
		}
		away, back := "the API server failed a request, which is sent againrequestGET /version", "the API server answers again"
		require.Equal(t, []string{away + "errorconnection refused", back, away + "status503 Service Unavailable", back}, said)
	})
}
