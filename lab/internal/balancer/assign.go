package balancer

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// assign returns the addresses that a Service is to have, one per family in the
// Service's order; fewer if a pool is exhausted. Those it had before stay its
// own until its status no longer shows them.
func (c *controller) assign(svc *corev1.Service) []netip.Addr {
	key := keyOf(svc)
	wanted := requested(svc)
	granted := wanted.IsValid() && slices.Contains(families(svc), familyOf(wanted)) && c.pools.claim(wanted, key)
	if svc.Spec.LoadBalancerIP != "" && !granted {
		c.log.Warn("requested address is not to be had", "service", key, "address", svc.Spec.LoadBalancerIP)
	}
	var addrs []netip.Addr
	for _, family := range families(svc) {
		addr := c.pools.held(key, family)
		switch {
		case granted && familyOf(wanted) == family:
			addr = wanted
		case !addr.IsValid():
			addr = c.pools.next(key, family)
		}
		if !addr.IsValid() {
			c.log.Warn("no address is free", "service", key, "family", family)
			continue
		}
		addrs = append(addrs, addr)
	}
	return addrs
}

// publish writes addrs into the status of a Service that shows others.
func (c *controller) publish(ctx context.Context, svc *corev1.Service, addrs []netip.Addr) error {
	if slices.Equal(published(svc), addrs) {
		return nil
	}
	patch, err := statusPatch(addrs)
	if err != nil {
		return fmt.Errorf("encoding the status of Service %q: %w", keyOf(svc), err)
	}
	_, err = c.client.CoreV1().Services(svc.Namespace).
		Patch(ctx, svc.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil {
		return fmt.Errorf("patching the status of Service %q: %w", keyOf(svc), err)
	}
	c.log.Info("addresses published", "service", keyOf(svc), "addresses", fmt.Sprint(addrs))
	return nil
}

// keyOf is a Service's namespace and name, as the queue has them.
func keyOf(svc *corev1.Service) string { return cache.MetaObjectToName(svc).String() }
