package kube

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

type server func(*http.Request) (*http.Response, error)

func (s server) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

// TestFence: a process that slept through its Lease writes nothing when it wakes.
func TestFence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeases()
		p := l.party(on("a", 1))
		var passed []string
		f := fence{server(func(r *http.Request) (*http.Response, error) {
			passed = append(passed, r.Method+" "+r.URL.Path)
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
		}), &p.client.held}
		send := func(method, url string) error {
			request, err := http.NewRequestWithContext(t.Context(), method, "http://api"+url, strings.NewReader("{}"))
			require.NoError(t, err)
			response, err := f.RoundTrip(request)
			if err == nil {
				err = response.Body.Close()
			}
			return err
		}
		const scale = "/apis/apps/v1/namespaces/game/deployments/old/scale"
		require.NoError(t, send("PATCH", scale), "nothing is fenced before a Lease is held")
		lease, _ := p.must(t, Acquisition{})
		require.NoError(t, send("PATCH", scale))

		lease.stop() // as good as SIGSTOP: nobody tells it anything
		lease.done.Wait()
		time.Sleep(validFor)
		require.ErrorIs(t, send("PATCH", scale), ErrFenced)
		require.ErrorIs(t, send("DELETE", "/api/v1/namespaces/game/pods/a"), ErrFenced)
		require.NoError(t, send("GET", scale))
		require.NoError(t, send("PATCH", scale+"?dryRun=All"))
		require.NoError(t, send("PUT", "/apis/coordination.k8s.io/v1/namespaces/game/leases/l4-canary-lobby"))
		require.Len(t, passed, 5)
	})
}
