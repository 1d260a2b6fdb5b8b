//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// instant is one change of one object in the store of the API server.
type instant struct {
	version uint64 // the store's, which orders the changes of all kinds
	seen    time.Time
	object  metav1.Object
	gone    bool
}

// watcher writes down every change in a namespace, independently of the program,
// and holds all of them against the promises of a rollout when the test ends.
type watcher struct {
	namespace string
	stop      context.CancelFunc
	done      sync.WaitGroup

	mu       sync.Mutex
	instants []instant
	cut      []string                       // watches that ended too soon: what they missed is unknown
	planned  map[string]map[float64]float64 // release → target → planned weight, from the reports
	meddling []meddling
}

// meddling is what the test itself does to the pods, from a moment on.
type meddling struct {
	from  time.Time
	pods  int // so many more than R+S
	ready int // so many fewer than R-U
	share int // so many points more than planned
}

// watchers are those of one lab, by namespace.
type watchers struct {
	mu sync.Mutex
	of map[string]*watcher
}

// namespace makes one for the test; it goes with the cluster. Whatever happens in it
// is watched, and every rollout in it must keep its promises at every instant.
func (l *lab) namespace(t *testing.T, name string) {
	t.Helper()
	l.kubectl(t, "create", "namespace", name)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	w := &watcher{namespace: name, stop: stop, planned: map[string]map[float64]float64{}}
	every := metav1.ListOptions{TimeoutSeconds: new(int64(time.Hour / time.Second))}
	for kind, begin := range map[string]func(context.Context, metav1.ListOptions) (watch.Interface, error){
		"deployments": l.AppsV1().Deployments(name).Watch, "replicasets": l.AppsV1().ReplicaSets(name).Watch,
		"pods": l.CoreV1().Pods(name).Watch, "endpointslices": l.DiscoveryV1().EndpointSlices(name).Watch,
		"leases": l.CoordinationV1().Leases(name).Watch,
	} {
		events, err := begin(ctx, every)
		require.NoError(t, err)
		w.done.Go(func() { w.follow(ctx, kind, events) })
	}
	l.watchers.mu.Lock()
	defer l.watchers.mu.Unlock()
	l.watchers.of[name] = w
	t.Cleanup(func() {
		w.stop()
		w.done.Wait()
		w.check(t)
	})
}

// watched is the watcher of a namespace.
func (l *lab) watched(t *testing.T, namespace string) *watcher {
	t.Helper()
	l.watchers.mu.Lock()
	defer l.watchers.mu.Unlock()
	require.Contains(t, l.watchers.of, namespace)
	return l.watchers.of[namespace]
}

// learn tells the watcher of a report's namespace what its rollout planned.
func (l *lab) learn(r report) {
	l.watchers.mu.Lock()
	defer l.watchers.mu.Unlock()
	if w := l.watchers.of[r.Namespace]; w != nil {
		w.learn(r)
	}
}

// follow writes down one kind of object until ctx ends.
func (w *watcher) follow(ctx context.Context, kind string, events watch.Interface) {
	defer events.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event, open := <-events.ResultChan():
			object, ok := event.Object.(metav1.Object)
			if !open || !ok {
				if ctx.Err() == nil {
					w.mu.Lock()
					w.cut = append(w.cut, kind)
					w.mu.Unlock()
				}
				return
			}
			version, err := strconv.ParseUint(object.GetResourceVersion(), 10, 64)
			if err != nil {
				panic(err) // an API server without versions is none
			}
			w.mu.Lock()
			w.instants = append(w.instants, instant{version, time.Now(), object, event.Type == watch.Deleted})
			w.mu.Unlock()
		}
	}
}

// history is all that was seen, in the order in which it happened.
func (w *watcher) history() []instant {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(w.instants), func(a, b instant) int { return cmp.Compare(a.version, b.version) })
}

// learn takes from a report what its rollout planned.
func (w *watcher) learn(r report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.planned[r.Release] == nil {
		w.planned[r.Release] = map[float64]float64{}
	}
	for _, stage := range r.Stages {
		w.planned[r.Release][stage.Target] = stage.Planned
	}
}

// meddle tells that the test itself is about to change pods, and how far beyond the
// promises that goes from now on.
func (w *watcher) meddle(m meddling) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m.from = time.Now()
	w.meddling = append(w.meddling, m)
}

// check replays what was seen, and holds every instant against the promises.
func (w *watcher) check(t *testing.T) {
	t.Helper()
	assert.Empty(t, w.cut, "watches that ended before the test")
	s := newScene()
	history := w.history()
	for _, it := range history {
		s.allow(w.meddling, it.seen)
		s.see(it)
		s.judge(it, w.planned[s.memory.Release])
	}
	if !s.armed {
		return
	}
	t.Logf("namespace %s, %d instants watched: %s", w.namespace, len(history), s.summary())
	if t.Failed() { // and what its rollout planned may never have been learned
		s.lines = append(s.lines, s.broken...)
	} else {
		assert.Empty(t, s.broken, "promises broken")
	}
	if t.Failed() {
		for _, line := range s.lines {
			t.Log("watcher:", line)
		}
	}
}

// requireMoves: the replicas of two Deployments took exactly these values, in this
// order.
func (w *watcher) requireMoves(t *testing.T, stable, canary string, moves ...string) {
	t.Helper()
	require.Equal(t, moves, movesOf(w.history(), stable, canary))
}

// readReport reads a report, whoever wrote it.
func readReport(t *testing.T, path string) (r report) {
	t.Helper()
	data, err := os.ReadFile(filepath.Clean(path))
	if os.IsNotExist(err) {
		return r
	}
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &r))
	return r
}
