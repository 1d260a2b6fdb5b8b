//go:build e2e

package drill

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/tools/cache"

	"github.com/org/l4-canary/test/harness"
)

// endpoints counts the ready pods in the EndpointSlices of a namespace's Service,
// from the API server itself and not through the proxy.
type endpoints struct {
	mu      sync.Mutex
	slices  map[string]map[string]bool // slice → ready pods
	counted bool                       // from when capacity was first there
	least   int
	when    time.Time
	changed chan struct{}
}

// watchEndpoints counts until the test ends.
func watchEndpoints(t *testing.T, l *harness.Lab, namespace string) *endpoints {
	t.Helper()
	e := &endpoints{slices: map[string]map[string]bool{}, changed: make(chan struct{})}
	source := cache.NewListWatchFromClient(l.DiscoveryV1().RESTClient(), "endpointslices", namespace, fields.Everything())
	_, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: source, ObjectType: &discoveryv1.EndpointSlice{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { e.see(o.(*discoveryv1.EndpointSlice), false) },
			UpdateFunc: func(_, o any) { e.see(o.(*discoveryv1.EndpointSlice), false) },
			DeleteFunc: func(o any) {
				if slice, ok := o.(*discoveryv1.EndpointSlice); ok {
					e.see(slice, true)
				}
			},
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { controller.RunWithContext(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
	return e
}

func (e *endpoints) see(slice *discoveryv1.EndpointSlice, gone bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ready := map[string]bool{}
	for _, endpoint := range slice.Endpoints {
		if endpoint.TargetRef != nil && (endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready) && !gone {
			ready[endpoint.TargetRef.Name] = true
		}
	}
	e.slices[slice.Name] = ready
	all := 0
	for _, pods := range e.slices {
		all += len(pods)
	}
	switch {
	case !e.counted:
		e.least = all
	case all < e.least:
		e.least, e.when = all, time.Now()
	}
	close(e.changed)
	e.changed = make(chan struct{})
}

// await blocks until so many pods are ready, and counts from there on.
func (e *endpoints) await(t *testing.T, pods int) {
	t.Helper()
	limit := time.NewTimer(2 * time.Minute)
	defer limit.Stop()
	for {
		e.mu.Lock()
		enough, changed := e.least >= pods, e.changed
		e.counted = enough
		e.mu.Unlock()
		if enough {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			require.FailNow(t, "the first version does not serve")
		}
	}
}

// fewest is the least number of ready pods so far, and when that was.
func (e *endpoints) fewest() (int, time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.least, e.when
}
