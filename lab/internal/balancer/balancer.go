// Package balancer is the part of a cloud that a lab lacks: a small controller
// that gives every Service of type LoadBalancer an address out of a pool, one
// for each of the Service's IP families. Writing the address into the Service's
// status is all there is to do: kube-proxy on the nodes balances whatever comes
// for it, so the address needs a route to a node and nothing else.
//
// It guarantees that no address is given to two Services, that a Service keeps
// its address as long as it is of that type, across restarts too (the status is
// the only memory), and that a freed address is used again as late as possible.
// Services with a loadBalancerClass are another's. A spec.loadBalancerIP is
// honoured when it is in a pool and free; otherwise the Service gets another
// address, and the log says so. A Service that comes when the pools are
// exhausted waits in line for the next one that goes.
package balancer

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Options of a balancer.
type Options struct {
	Kubeconfig string         // path; its user reads Services and patches their status
	Pools      []netip.Prefix // tried in order; the first and, for IPv4, last address of each is left out
	Log        *slog.Logger
}

// Run gives out addresses until ctx ends, and then returns nil. It waits for an
// API server that does not answer yet.
func Run(ctx context.Context, opts Options) error {
	pools, err := newAllocator(opts.Pools)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", opts.Kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the balancer's kubeconfig: %w", err)
	}
	config.UserAgent = "lab-balancer"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connecting the balancer: %w", err)
	}
	return newController(client, pools, opts.Log).run(ctx)
}
