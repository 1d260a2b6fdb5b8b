package balancer

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// Waits before a patch that failed is tried again.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// resync is how often every Service is looked at again, unasked. Never would do;
// but then a reflector waits on a channel of its package, which stops the clock
// of a synctest bubble.
const resync = 10 * time.Minute

// controller makes the status of Services show what the allocator says. Only
// its one worker touches the allocator.
type controller struct {
	client   kubernetes.Interface
	log      *slog.Logger
	pools    *allocator
	factory  informers.SharedInformerFactory
	services listers.ServiceLister
	queue    workqueue.TypedRateLimitingInterface[string]
}

func newController(client kubernetes.Interface, pools *allocator, log *slog.Logger) *controller {
	factory := informers.NewSharedInformerFactory(client, resync)
	return &controller{
		client:   client,
		log:      log,
		pools:    pools,
		factory:  factory,
		services: factory.Core().V1().Services().Lister(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstRetry, lastRetry)),
	}
}

// run works until ctx ends.
func (c *controller) run(ctx context.Context) error {
	defer c.factory.Shutdown() // after ctx has ended
	defer c.queue.ShutDown()
	informer := c.factory.Core().V1().Services().Informer()
	if _, err := informer.AddEventHandler(c.enqueuer()); err != nil {
		return fmt.Errorf("watching Services: %w", err)
	}
	c.factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return nil // ctx ended before the API server answered
	}
	if err := c.adopt(); err != nil {
		return err
	}
	c.log.Info("giving out addresses", "pools", fmt.Sprint(c.pools.pools))
	context.AfterFunc(ctx, c.queue.ShutDown)
	for c.work(ctx) {
	}
	return nil
}

// enqueuer puts the key of every Service that changes into the queue.
func (c *controller) enqueuer() cache.ResourceEventHandlerFuncs {
	enqueue := func(object any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object); err == nil {
			c.queue.Add(key)
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, object any) { enqueue(object) },
		DeleteFunc: enqueue,
	}
}

// adopt remembers the addresses that Services have from an earlier run, before
// any is given out. Where two show the same, the older Service keeps it.
func (c *controller) adopt() error {
	services, err := c.services.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("listing Services: %w", err)
	}
	slices.SortFunc(services, func(a, b *corev1.Service) int {
		return cmp.Or(
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			cmp.Compare(keyOf(a), keyOf(b)),
		)
	})
	for _, svc := range services {
		if !balanced(svc) {
			continue
		}
		for _, addr := range published(svc) {
			adopted := c.pools.claim(addr, keyOf(svc))
			c.log.Info("address found", "service", keyOf(svc), "address", addr, "adopted", adopted)
		}
	}
	return nil
}

// work handles one key, and returns false when the queue is shut down.
func (c *controller) work(ctx context.Context) bool {
	key, shutdown := c.queue.Get()
	if shutdown {
		return false
	}
	defer c.queue.Done(key)
	err := c.reconcile(ctx, key)
	if err != nil && ctx.Err() == nil {
		c.log.Warn("service not settled, will try again", "service", key, "error", err)
		c.queue.AddRateLimited(key)
		return true
	}
	c.queue.Forget(key)
	return true
}

// reconcile makes the status of one Service right.
func (c *controller) reconcile(ctx context.Context, key string) error {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return fmt.Errorf("reading the key %q: %w", key, err)
	}
	svc, err := c.services.Services(namespace).Get(name)
	if apierrors.IsNotFound(err) {
		c.release(key, nil)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading Service %q: %w", key, err)
	}
	addrs := published(svc) // of another's Service, to be left alone
	switch {
	case balanced(svc):
		addrs = c.assign(svc)
	case c.stale(svc):
		addrs = nil
	}
	if err := c.publish(ctx, svc, addrs); err != nil {
		return err
	}
	c.release(key, addrs)
	return nil
}

// release frees a Service's addresses but those to keep. The Services that wait
// for an address then get their turn.
func (c *controller) release(key string, keep []netip.Addr) {
	freed := c.pools.free(key, keep)
	if len(freed) == 0 {
		return
	}
	c.log.Info("addresses freed", "service", key, "addresses", fmt.Sprint(freed))
	services, err := c.services.List(labels.Everything())
	if err != nil {
		c.log.Warn("listing services failed", "error", err)
	}
	for _, svc := range services {
		if balanced(svc) && len(published(svc)) < len(families(svc)) {
			c.queue.Add(keyOf(svc))
		}
	}
}

// stale tells whether a Service that is not ours, or no longer, shows an address
// that is: one it still holds, or, after a restart, one of the pools.
func (c *controller) stale(svc *corev1.Service) bool {
	return slices.ContainsFunc(published(svc), func(addr netip.Addr) bool {
		forgotten := svc.Spec.Type != corev1.ServiceTypeLoadBalancer && c.pools.usable(addr)
		return forgotten || c.pools.owners[addr] == keyOf(svc)
	})
}
