package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/retry"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// Target is what a rollout works on.
type Target struct {
	Namespace string
	Service   string
	Stable    string // Deployment names
	Canary    string

	// The manifests, in the order in which they are applied. A Deployment that
	// is live already and not to be changed has no manifest.
	Surroundings   []*unstructured.Unstructured
	StableManifest *unstructured.Unstructured
	CanaryManifest *unstructured.Unstructured
	Autoscalers    []*unstructured.Unstructured // of either Deployment

	// Original is the live stable before the rollout, to bring its template back;
	// nil where stable's template is never changed.
	Original *unstructured.Unstructured

	// The label whose removal parks a pod of each side; empty where pods are
	// never parked.
	StableParkLabel string
	CanaryParkLabel string
}

// Cluster implements rollout.Cluster, and what else the engine asks of a cluster, for one
// target with one set of watches.
type Cluster struct {
	*Client
	Target

	services    corelisters.ServiceNamespaceLister
	deployments appslisters.DeploymentNamespaceLister
	sets        appslisters.ReplicaSetNamespaceLister
	pods        corelisters.PodNamespaceLister
	slices      discoverylisters.EndpointSliceNamespaceLister
	synced      []cache.InformerSynced

	mu       sync.Mutex
	revision uint64
	changed  chan struct{}        // closed and renewed with every change
	due      time.Time            // before which nobody looks again
	written  map[string]version   // Deployment → our last write
	patched  map[types.UID]string // pod → resourceVersion of our last write
}

var (
	_ rollout.Cluster   = (*Cluster)(nil)
	_ rollout.Parking   = (*Cluster)(nil)
	_ rollout.Successor = (*Cluster)(nil)

	_ rollout.Keeper      = (*Cluster)(nil)
	_ rollout.Autoscalers = (*Cluster)(nil)
	_ rollout.Asker       = (*Cluster)(nil)
	_ rollout.Smoker      = (*Cluster)(nil)
	_ rollout.Sweeper     = (*Cluster)(nil)
	_ rollout.Scout       = (*Cluster)(nil)

	_ rollout.Ledger = Ledger{}
)

// Watch begins to watch the target's namespace. That goes on when ctx ends, until
// stop is called: what a cancelled run does last still needs to see.
func (c *Client) Watch(ctx context.Context, target Target) (cluster *Cluster, stop func(), err error) {
	if err = c.readable(ctx, target.Namespace); err != nil {
		return nil, nil, err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	if cluster, err = c.watch(watching, target, 0); err != nil {
		stop()
		return nil, nil, err
	}
	return cluster, stop, nil
}

// watch begins the watches, with a period of resyncs that only tests in a
// synctest bubble need: without one a reflector waits on a channel that was made
// outside, and the bubble's clock stands still,
// https://github.com/kubernetes/client-go/blob/v0.37.2/tools/cache/reflector.go#L446
func (c *Client) watch(ctx context.Context, target Target, resync time.Duration) (*Cluster, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(c.Typed, resync, informers.WithNamespace(target.Namespace), informers.WithTransform(lean))
	cluster := &Cluster{
		Client: c, Target: target, revision: 1,
		services:    factory.Core().V1().Services().Lister().Services(target.Namespace),
		deployments: factory.Apps().V1().Deployments().Lister().Deployments(target.Namespace),
		sets:        factory.Apps().V1().ReplicaSets().Lister().ReplicaSets(target.Namespace),
		pods:        factory.Core().V1().Pods().Lister().Pods(target.Namespace),
		slices:      factory.Discovery().V1().EndpointSlices().Lister().EndpointSlices(target.Namespace),
		changed:     make(chan struct{}),
		written:     map[string]version{},
		patched:     map[types.UID]string{},
	}
	touch := func(any) { cluster.touch() }
	handler := cache.ResourceEventHandlerFuncs{AddFunc: touch, UpdateFunc: func(_, _ any) { cluster.touch() }, DeleteFunc: touch}
	for _, informer := range []cache.SharedIndexInformer{
		factory.Core().V1().Services().Informer(), factory.Apps().V1().Deployments().Informer(),
		factory.Apps().V1().ReplicaSets().Informer(),
		factory.Core().V1().Pods().Informer(), factory.Discovery().V1().EndpointSlices().Informer(),
	} {
		registration, err := informer.AddEventHandler(handler)
		if err != nil {
			return nil, fmt.Errorf("watching namespace %q: %w", target.Namespace, err)
		}
		cluster.synced = append(cluster.synced, registration.HasSynced)
	}
	factory.StartWithContext(ctx)
	return cluster, nil
}

// touch tells whoever waits in Next that something changed.
func (c *Cluster) touch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.revision++
	close(c.changed)
	c.changed = make(chan struct{})
}

// change is closed with the next one of the watches.
func (c *Cluster) change() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// Next implements rollout.Cluster.
func (c *Cluster) Next(ctx context.Context, after uint64) (rollout.State, error) {
	if !cache.WaitForCacheSync(ctx.Done(), c.synced...) {
		return rollout.State{}, fmt.Errorf("watching namespace %q: %w", c.Namespace, context.Cause(ctx))
	}
	for {
		c.mu.Lock()
		revision, changed, due := c.revision, c.changed, c.due
		c.mu.Unlock()
		if revision > after {
			if wait := time.Until(due); wait > 0 {
				pause(ctx, wait)
				if ctx.Err() != nil {
					return rollout.State{}, ctx.Err()
				}
				continue // what has changed meanwhile is seen with the rest
			}
			began := time.Now()
			state, fresh, err := c.view()
			if err != nil {
				return rollout.State{}, err
			}
			c.looked(time.Since(began))
			if fresh {
				state.Revision = revision
				return state, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return rollout.State{}, ctx.Err()
		}
	}
}

// view computes the state from the caches; it is not fresh while a cache has not
// seen our own last write.
func (c *Cluster) view() (state rollout.State, fresh bool, err error) {
	s := snapshot{stableParkLabel: c.StableParkLabel, canaryParkLabel: c.CanaryParkLabel}
	if s.service, err = c.services.Get(c.Service); err != nil && !apierrors.IsNotFound(err) {
		return state, false, err
	}
	var stableFresh, canaryFresh bool
	if s.stable, stableFresh, err = c.deployment(c.Stable); err != nil {
		return state, false, err
	}
	if s.canary, canaryFresh, err = c.deployment(c.Canary); err != nil {
		return state, false, err
	}
	if s.sets, err = c.sets.List(labels.Everything()); err != nil {
		return state, false, err
	}
	if s.pods, err = c.pods.List(labels.Everything()); err != nil {
		return state, false, err
	}
	s.slices, err = c.slices.List(labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: c.Service}))
	stale := slices.ContainsFunc(s.pods, func(p *corev1.Pod) bool { return !c.seen(p) })
	state = compute(s)
	c.compare(&state.Stable, c.Stable, s.stable)
	c.compare(&state.Canary, c.Canary, s.canary)
	return state, stableFresh && canaryFresh && !stale, err
}

// name is the Deployment of a side.
func (c *Cluster) name(side probe.Version) string {
	if side == probe.Canary {
		return c.Canary
	}
	return c.Stable
}

// Scale implements rollout.Cluster: a merge patch on the scale subresource, good
// only for the resourceVersion that was read. Other controllers write to a
// Deployment all the time, so a conflict is read again and is no drift as long
// as the replicas are what they were, or what a patch that nobody heard of made them.
func (c *Cluster) Scale(ctx context.Context, side probe.Version, from, to int) error {
	name := c.name(side)
	var sent *appsv1.Deployment // what a patch was sent for, so far in vain
	err := retry.OnError(conflictBackoff, apierrors.IsConflict, func() error {
		d, err := c.Typed.AppsV1().Deployments(c.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		have := replicas(d)
		if sent != nil && have == to && d.UID == sent.UID {
			c.wroteSpec(name, d.UID, sent.Generation, sent.Generation+1)
			return nil
		}
		if have != from {
			return &rollout.DriftError{Deployment: name, Want: from, Have: have, Author: author(d.ManagedFields)}
		}
		sent = d
		return c.scale(ctx, d, to)
	})
	if err != nil {
		return fmt.Errorf("scaling deployment %q from %d to %d: %w", name, from, to, err)
	}
	return nil
}

// scale patches the very Deployment that was read.
func (c *Cluster) scale(ctx context.Context, d *appsv1.Deployment, to int) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": d.ResourceVersion},
		"spec":     map[string]any{"replicas": to},
	})
	if err != nil {
		return err
	}
	options := metav1.PatchOptions{FieldManager: FieldManager}
	_, err = c.Typed.AppsV1().Deployments(c.Namespace).Patch(ctx, d.Name, types.MergePatchType, patch, options, "scale")
	if err != nil {
		return err
	}
	// With the resourceVersion as precondition, changing the spec makes
	// exactly the next generation.
	c.wroteSpec(d.Name, d.UID, d.Generation, d.Generation+1)
	return nil
}

// conflictBackoff outlasts a Deployment whose status is being written.
var conflictBackoff = wait.Backoff{Steps: 10, Duration: 20 * time.Millisecond, Factor: 1.5, Jitter: 0.1, Cap: time.Second}

// Delete implements rollout.Cluster.
func (c *Cluster) Delete(ctx context.Context, side probe.Version) error {
	return c.delete(ctx, c.name(side), metav1.DeletePropagationBackground)
}

// delete deletes a Deployment. One that is gone already is no error.
func (c *Cluster) delete(ctx context.Context, name string, policy metav1.DeletionPropagation) error {
	err := c.Typed.AppsV1().Deployments(c.Namespace).Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &policy})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting deployment %q: %w", name, err)
	}
	c.wrote(name, version{gone: true})
	return nil
}
