package balancer

import (
	"encoding/json"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
)

// balanced tells whether a Service is ours to give addresses to.
func balanced(svc *corev1.Service) bool {
	return svc.Spec.Type == corev1.ServiceTypeLoadBalancer && svc.Spec.LoadBalancerClass == nil
}

// published returns the addresses that a Service's status shows.
func published(svc *corev1.Service) []netip.Addr {
	var addrs []netip.Addr
	for _, ingress := range svc.Status.LoadBalancer.Ingress {
		if addr, err := netip.ParseAddr(ingress.IP); err == nil {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// requested returns spec.loadBalancerIP; it is invalid if there is none.
func requested(svc *corev1.Service) netip.Addr {
	addr, err := netip.ParseAddr(svc.Spec.LoadBalancerIP)
	if err != nil {
		return netip.Addr{}
	}
	return addr
}

// families returns the IP families of a Service. The API server always sets them.
func families(svc *corev1.Service) []corev1.IPFamily {
	if len(svc.Spec.IPFamilies) == 0 {
		return []corev1.IPFamily{corev1.IPv4Protocol}
	}
	return svc.Spec.IPFamilies
}

// statusPatch is a merge patch that makes a Service's status show just addrs.
func statusPatch(addrs []netip.Addr) ([]byte, error) {
	type ingress struct {
		IP netip.Addr `json:"ip"`
	}
	list := make([]ingress, 0, len(addrs))
	for _, addr := range addrs {
		list = append(list, ingress{addr})
	}
	var balancer any // null removes the field
	if len(list) > 0 {
		balancer = map[string]any{"ingress": list}
	}
	return json.Marshal(map[string]any{"status": map[string]any{"loadBalancer": balancer}})
}
