package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// distant is an API server whose answers take a while.
type distant struct {
	takes         time.Duration
	now, most, in atomic.Int64 // requests under way, at most, and in all
	accepts       atomic.Pointer[string]
}

// RoundTrip implements http.RoundTripper: it patches whatever pod it is asked to.
func (d *distant) RoundTrip(request *http.Request) (*http.Response, error) {
	d.in.Add(1)
	d.accepts.Store(new(request.Header.Get("Accept")))
	if now := d.now.Add(1); now > d.most.Load() {
		d.most.Store(now)
	}
	defer d.now.Add(-1)
	time.Sleep(d.takes)
	name := request.URL.Path[strings.LastIndex(request.URL.Path, "/")+1:]
	p := pod(name, "old")
	p.Kind, p.APIVersion, p.ResourceVersion = "Pod", "v1", "2"
	body, err := json.Marshal(p)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: request,
		Body: io.NopCloser(bytes.NewReader(body)),
	}, err
}

// many are so many pods.
func many(n int) (pods []*corev1.Pod) {
	for i := range n {
		pods = append(pods, pod(fmt.Sprintf("old-%d", i), "old", isReady))
	}
	return pods
}

// TestAThousandPodsAbreast: they are out before replacements could serve, though every
// answer of the API server takes a while; and it is not flooded.
func TestAThousandPodsAbreast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const streams = 100 // that an API server lets share a connection
		far := &distant{takes: 50 * time.Millisecond}
		client, err := NewClient(&rest.Config{Host: "http://192.0.2.1", Transport: far}, "test")
		require.NoError(t, err)
		cluster := &Cluster{Client: client, Target: Target{Namespace: namespace}, patched: map[types.UID]string{}}
		began := time.Now()
		require.NoError(t, abreast(t.Context(), many(1000), cluster.patchNothing))
		require.Less(t, time.Since(began), time.Second)
		require.EqualValues(t, 1000, far.in.Load(), "one request each")
		require.Len(t, cluster.patched, 1000)
		require.Greater(t, far.most.Load(), int64(16))
		require.Less(t, far.most.Load(), int64(streams-10), "watches and the Lease have room left")
		require.True(t, strings.HasPrefix(*far.accepts.Load(), "application/vnd.kubernetes.protobuf"))
	})
}

// patchNothing merges nothing into a pod.
func (c *Cluster) patchNothing(ctx context.Context, pod *corev1.Pod) error {
	return c.patchPod(ctx, "parking", pod, map[string]any{})
}

// TestAbreastEnds: what goes wrong with one pod ends it for those that were not begun.
func TestAbreastEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wrong := errors.New("no right")
		var begun, ended atomic.Int64
		err := abreast(t.Context(), many(1000), func(ctx context.Context, pod *corev1.Pod) error {
			begun.Add(1)
			defer ended.Add(1)
			if pod.Name == "old-3" {
				return wrong
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
				return nil
			}
		})
		require.ErrorIs(t, err, wrong)
		require.Equal(t, begun.Load(), ended.Load(), "nothing goes on behind")
	})
}

// BenchmarkView is what one look at a rollout costs, by pods a side.
func BenchmarkView(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := snapshot{service: service(corev1.IPv4Protocol), stable: deployment("old", int32(n)), canary: deployment("new", int32(n)), sets: bothSets()}
			s.pods = many(n)
			for _, p := range many(n) {
				p.Name += "-parked"
				parked(p)
				s.pods = append(s.pods, p)
			}
			for b.Loop() {
				compute(s)
			}
		})
	}
}
