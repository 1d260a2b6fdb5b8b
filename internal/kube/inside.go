package kube

import (
	"bytes"
	"context"
	"net/netip"
	"net/url"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// Surroundings is what a process can see of where it runs.
type Surroundings struct {
	APIServer string       // of the cluster whose pod it is; empty where it is none
	Authority []byte       // certificates of that cluster, as they are mounted; nil: they are not
	Addresses []netip.Addr // of this machine, without those of the loopback
}

// Inside reports whether flows of this process begin inside the cluster, where
// kube-proxy takes those to a LoadBalancer's address as well, so that they never see the
// balancer: it is one of the cluster's pods, or runs on one of its nodes.
func (c *Client) Inside(ctx context.Context, namespace string, here Surroundings) bool {
	return here.APIServer != "" && c.isOurs(ctx, namespace, here) || c.onNode(ctx, namespace, here)
}

// isOurs reports whether the cluster that the process is a pod of is this one. The
// certificates of clusters differ; where they cannot be compared the address may tell.
func (c *Client) isOurs(ctx context.Context, namespace string, here Surroundings) bool {
	if c.config == nil {
		return false
	}
	server, err := url.Parse(c.config.Host)
	if err == nil && (server.Hostname() == here.APIServer || c.config.Host == here.APIServer) {
		return true
	}
	if len(here.Authority) == 0 {
		return false
	}
	config := rest.CopyConfig(c.config)
	if rest.LoadTLSFiles(config) == nil && sameText(config.CAData, here.Authority) {
		return true
	}
	// Every namespace holds the cluster's own certificates, whichever way leads to it.
	root, err := c.Typed.CoreV1().ConfigMaps(namespace).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
	return err == nil && sameText([]byte(root.Data["ca.crt"]), here.Authority)
}

func sameText(a, b []byte) bool {
	return len(bytes.TrimSpace(a)) > 0 && bytes.Equal(bytes.TrimSpace(a), bytes.TrimSpace(b))
}

// onNode reports whether the machine has an address of a pod in the namespace, or of a
// node that such a pod runs on; false where that may not be read.
func (c *Client) onNode(ctx context.Context, namespace string, here Surroundings) bool {
	if len(here.Addresses) == 0 {
		return false
	}
	pods, err := c.Typed.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return false
	}
	return slices.ContainsFunc(pods.Items, func(p corev1.Pod) bool {
		return slices.ContainsFunc(addressesOf(&p), func(text string) bool {
			address, err := netip.ParseAddr(text)
			return err == nil && slices.Contains(here.Addresses, address.Unmap())
		})
	})
}

// addressesOf are those of a pod and of its node.
func addressesOf(p *corev1.Pod) []string {
	found := []string{p.Status.PodIP, p.Status.HostIP}
	for _, ip := range p.Status.PodIPs {
		found = append(found, ip.IP)
	}
	for _, ip := range p.Status.HostIPs {
		found = append(found, ip.IP)
	}
	return found
}
