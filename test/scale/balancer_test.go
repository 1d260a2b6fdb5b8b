//go:build e2e

package scale

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
)

// balancer answers for pods that are none: a flow gets the greeting of a ready endpoint
// of the Service, each as likely as any other. It has seen how many there were, ready
// and in all.
type balancer struct {
	port   int
	lister discoverylisters.EndpointSliceLister

	mu        sync.Mutex
	endpoints []string        // names of the pods that are ready
	pods      map[string]bool // those that do not terminate
	seen      bounds
	unserved  int // flows that came while nobody was ready
}

// bounds are the extremes of what was there.
type bounds struct{ leastReady, mostPods int }

// balance begins to listen on loopback, for the length of the test.
func balance(t *testing.T, client kubernetes.Interface, namespace string) *balancer {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address, ok := listener.Addr().(*net.TCPAddr)
	require.True(t, ok)
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
	b := &balancer{port: address.Port, lister: factory.Discovery().V1().EndpointSlices().Lister(), pods: map[string]bool{}}
	b.watch(t, factory.Discovery().V1().EndpointSlices().Informer(), func(any, bool) { b.balance() })
	b.watch(t, factory.Core().V1().Pods().Informer(), b.count)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var serving sync.WaitGroup
	serving.Go(func() { b.serve(listener) })
	factory.Start(ctx.Done())
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		serving.Wait()
		stop()
		factory.Shutdown()
	})
	factory.WaitForCacheSync(ctx.Done())
	return b
}

// watch calls note with each object that changes, and whether it is gone.
func (b *balancer) watch(t *testing.T, informer cache.SharedIndexInformer, note func(object any, gone bool)) {
	t.Helper()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { note(object, false) },
		UpdateFunc: func(_, object any) { note(object, false) },
		DeleteFunc: func(object any) { note(object, true) },
	})
	require.NoError(t, err)
}

// balance takes in what the EndpointSlices say now.
func (b *balancer) balance() {
	all, err := b.lister.List(labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: "lobby"}))
	if err != nil {
		panic(err) // a cache has no errors
	}
	listed := map[string]bool{}
	var endpoints []string
	for _, slice := range all {
		for _, e := range slice.Endpoints {
			if e.TargetRef == nil || e.Conditions.Ready != nil && !*e.Conditions.Ready || listed[e.TargetRef.Name] {
				continue
			}
			listed[e.TargetRef.Name] = true
			endpoints = append(endpoints, e.TargetRef.Name)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endpoints = endpoints
	b.seen.leastReady = min(b.seen.leastReady, len(endpoints))
}

// count takes in a pod.
func (b *balancer) count(object any, gone bool) {
	if missed, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = missed.Obj
	}
	pod, ok := object.(*corev1.Pod)
	if !ok {
		panic(fmt.Sprintf("no pod but a %T", object))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if gone || pod.DeletionTimestamp != nil {
		delete(b.pods, pod.Name)
	} else {
		b.pods[pod.Name] = true
	}
	b.seen.mostPods = max(b.seen.mostPods, len(b.pods))
}

// ready counts the endpoints.
func (b *balancer) ready() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.endpoints)
}

// deployments are those that the ready pods are of.
func (b *balancer) deployments() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	of := map[string]bool{}
	for _, pod := range b.endpoints {
		of[strings.Join(strings.Split(pod, "-")[:2], "-")] = true
	}
	return slices.Sorted(maps.Keys(of))
}

// reset begins to look for extremes anew.
func (b *balancer) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen, b.unserved = bounds{len(b.endpoints), len(b.pods)}, 0
}

// extremes are what was seen since.
func (b *balancer) extremes() (seen bounds, unserved int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen, b.unserved
}

// serve answers until the listener is closed.
func (b *balancer) serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			go b.answer(conn)
		}
	}
}

// answer greets as one of the pods, and stays until the client goes.
func (b *balancer) answer(conn net.Conn) {
	defer conn.Close()
	pod := b.pick()
	if pod == "" {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := fmt.Fprintf(conn, "%s %s\n", version(pod), pod); err == nil {
		_, _ = io.Copy(io.Discard, conn)
	}
}

// pick is the pod of a new flow; empty if none is ready.
func (b *balancer) pick() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.endpoints) == 0 {
		b.unserved++
		return ""
	}
	return b.endpoints[rand.IntN(len(b.endpoints))]
}

// version is what a pod would say.
func version(pod string) string {
	if strings.HasPrefix(pod, "lobby-green-") {
		return "1.9.0"
	}
	return "1.8.2"
}
