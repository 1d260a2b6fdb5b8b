package kube

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPatience: an API server that accepts a request and never answers is given up;
// one that is slow is not, nor is a watch.
func TestPatience(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name, query string
		takes       time.Duration // 0: for ever
		ends        time.Duration // the caller's own patience; 0: none
		waits       time.Duration
		err         error
	}{
		{name: "never", waits: answersIn, err: context.DeadlineExceeded},
		{name: "slow", takes: answersIn - time.Second, waits: answersIn - time.Second},
		{name: "watch", query: "watch=true", takes: time.Hour, waits: time.Hour},
		{name: "log", query: "container=prober&follow=true", takes: time.Hour, waits: time.Hour},
		{name: "cancelled", ends: time.Second, waits: time.Second, err: context.DeadlineExceeded},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := patience{server(func(r *http.Request) (*http.Response, error) {
					var after <-chan time.Time
					if row.takes > 0 {
						after = time.After(row.takes)
					}
					select {
					case <-after:
						return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
					case <-r.Context().Done():
						return nil, r.Context().Err()
					}
				})}
				ctx := t.Context()
				if row.ends > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, row.ends)
					defer cancel()
				}
				request, err := http.NewRequestWithContext(ctx, http.MethodPatch, "http://api/apis/apps/v1?"+row.query, http.NoBody)
				require.NoError(t, err)
				began := time.Now()
				response, err := p.RoundTrip(request)
				require.Equal(t, row.waits, time.Since(began))
				require.ErrorIs(t, err, row.err)
				if row.err != nil {
					require.True(t, Unreachable(&url.Error{Op: "Patch", URL: "http://api", Err: err}))
					return
				}
				require.NoError(t, response.Body.Close())
			})
		})
	}
}

// TestPatienceCoversTheBody: an answer that begins and never ends is given up too.
func TestPatienceCoversTheBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := patience{server(func(r *http.Request) (*http.Response, error) {
			body, writer := io.Pipe()
			context.AfterFunc(r.Context(), func() { _ = writer.CloseWithError(r.Context().Err()) })
			return &http.Response{StatusCode: http.StatusOK, Body: body}, nil
		})}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api/api/v1/pods", http.NoBody)
		require.NoError(t, err)
		began := time.Now()
		response, err := p.RoundTrip(request)
		require.NoError(t, err)
		_, err = io.ReadAll(response.Body)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "the API server did not answer within 30s")
		require.Equal(t, answersIn, time.Since(began))
		require.NoError(t, response.Body.Close())
	})
}
