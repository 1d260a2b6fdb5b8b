//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// watcher sees every change of two Deployments and their pods, independently of
// the program, and writes them down.
type watcher struct {
	mu             sync.Mutex
	stable, canary string
	replicas       map[string]int  // Deployment → spec.replicas
	pods           map[string]bool // non-terminating
	ready          map[string]bool // ready and non-terminating
	began          time.Time
	lines          []string
	moves          []string // "stable+canary" whenever a replica count changed
	mostPods       int
	leastReady     int // since capacity was first reached
	capacity       int
}

// watch begins to write down what happens in a namespace, until the test ends.
func (l *lab) watch(t *testing.T, namespace, stable, canary string, capacity int) *watcher {
	t.Helper()
	w := &watcher{
		stable: stable, canary: canary, capacity: capacity, leastReady: -1, began: time.Now(),
		replicas: map[string]int{}, pods: map[string]bool{}, ready: map[string]bool{},
	}
	ctx, cancel := context.WithCancel(t.Context())
	factory := informers.NewSharedInformerFactoryWithOptions(l.Interface, 0, informers.WithNamespace(namespace))
	handle := func(informer cache.SharedIndexInformer, changed func(object any, gone bool)) cache.InformerSynced {
		registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { changed(o, false) },
			UpdateFunc: func(_, o any) { changed(o, false) },
			DeleteFunc: func(o any) {
				if last, ok := o.(cache.DeletedFinalStateUnknown); ok {
					o = last.Obj
				}
				changed(o, true)
			},
		})
		require.NoError(t, err)
		return registration.HasSynced
	}
	deployments := handle(factory.Apps().V1().Deployments().Informer(), w.deployment)
	pods := handle(factory.Core().V1().Pods().Informer(), w.pod)
	factory.Start(ctx.Done())
	require.True(t, cache.WaitForCacheSync(ctx.Done(), deployments, pods))
	t.Cleanup(func() { cancel(); factory.Shutdown() })
	return w
}

func (w *watcher) deployment(object any, _ bool) {
	d := object.(*appsv1.Deployment)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.replicas[d.Name] = int(*d.Spec.Replicas)
	move := fmt.Sprintf("%d+%d", w.replicas[w.stable], w.replicas[w.canary])
	if n := len(w.moves); n == 0 || w.moves[n-1] != move {
		w.moves = append(w.moves, move)
		w.note("replicas " + move)
	}
}

func (w *watcher) pod(object any, gone bool) {
	p := object.(*corev1.Pod)
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.count()
	delete(w.pods, p.Name)
	delete(w.ready, p.Name)
	if !gone && p.DeletionTimestamp == nil && p.Status.Phase != corev1.PodFailed {
		w.pods[p.Name] = true
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				w.ready[p.Name] = true
			}
		}
	}
	w.mostPods = max(w.mostPods, len(w.pods))
	if w.leastReady >= 0 {
		w.leastReady = min(w.leastReady, len(w.ready))
	} else if len(w.ready) >= w.capacity {
		w.leastReady = len(w.ready)
	}
	if after := w.count(); after != before {
		w.note(after)
	}
}

func (w *watcher) count() string { return fmt.Sprintf("pods %d, ready %d", len(w.pods), len(w.ready)) }

func (w *watcher) note(line string) {
	w.lines = append(w.lines, fmt.Sprintf("%6.2fs %s", time.Since(w.began).Seconds(), line))
}

// require holds what was seen against the plan: exactly these replica counts in
// this order, never more pods than R+S, never fewer ready than R.
func (w *watcher) require(t *testing.T, surge int, moves ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.lines {
		t.Log("watcher:", line)
	}
	require.Equal(t, moves, w.moves)
	require.LessOrEqual(t, w.mostPods, w.capacity+surge)
	require.GreaterOrEqual(t, w.leastReady, w.capacity)
}
