// Package kindcluster makes a lab of containers with sigs.k8s.io/kind, for
// machines with Docker on Linux where the native lab cannot run: without root,
// say. The lab's registry and balancer run beside it as processes, as they do in
// the native lab.
//
// The LoadBalancer addresses are a slice of kind's own Docker network. The first
// node takes them for its own, so that it answers for them on the bridge and the
// machine needs no route, hence no root. With two nodes all flows enter by the
// first: externalTrafficPolicy Local shows the pods of that node only.
//
// kind itself cannot be interrupted: a context that ends takes effect once kind
// has returned.
package kindcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"k8s.io/client-go/kubernetes"
	kind "sigs.k8s.io/kind/pkg/cluster"

	"github.com/org/l4-canary/lab/internal/cache"
	"github.com/org/l4-canary/lab/internal/cluster"
	"github.com/org/l4-canary/lab/internal/process"
)

// Waits.
const (
	readyWithin    = 3 * time.Minute  // every node, once kind has made them
	registryWithin = 15 * time.Second // from its start to its first answer
	askWithin      = 3 * time.Second  // of an API server that may be gone
	endWithin      = 5 * time.Second  // of the processes beside the cluster
)

// Provider makes labs with kind.
type Provider struct {
	StateRoot string
	Source    func() (string, error) // the checkout whose lab/workload to build
	Store     cache.Store            // of the binaries
	Self      string                 // path of this program, which is registry and balancer too
	Out       io.Writer              // a line a step

	// Grant gives the user cluster.Restricted its rights, with an admin's client.
	Grant func(context.Context, kubernetes.Interface) error
}

var _ cluster.Provider = (*Provider)(nil)

// Kubeconfig implements cluster.Provider.
func (p *Provider) Kubeconfig(_ context.Context, name string, user cluster.User) (string, error) {
	if _, err := p.load(name); err != nil {
		return "", err
	}
	return p.at(name).kubeconfig(user), nil
}

// Down implements cluster.Provider. What it cannot remove does not keep it from
// removing the rest.
func (p *Provider) Down(_ context.Context, name string) error {
	s, err := p.load(name)
	if errors.Is(err, cluster.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	process.End(s.Processes, endWithin)
	if err := p.kind().Delete(clusterName(name), p.at(name).kubeconfig(cluster.Admin)); err != nil {
		return fmt.Errorf("deleting kind cluster %q: %w", clusterName(name), err)
	}
	return p.forget(name)
}

// kind is the library, on Docker: it is Docker's network that the addresses are from.
func (p *Provider) kind() *kind.Provider {
	return kind.NewProvider(kind.ProviderWithDocker(), kind.ProviderWithLogger(logger{p.Out}))
}

// clusterName is what kind calls the lab.
func clusterName(lab string) string { return "l4lab-" + lab }
