// Package native makes a lab of real Kubernetes components on this machine,
// without a container engine: etcd, the control plane, kubelet, containerd and
// kube-proxy run as processes in network namespaces, a namespace a node. The
// machine itself is the runner: another host, one link away, with a route to the
// LoadBalancer addresses.
//
// Nothing of the machine's own network is touched, and everything lies below one
// folder or bears the lab's name, so that Down finds it after any accident.
package native

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/org/l4-canary/lab/internal/cache"
	"github.com/org/l4-canary/lab/internal/cluster"
)

// DefaultStateRoot is where the labs' folders lie. Sockets lie below it, whose
// paths must be short.
const DefaultStateRoot = "/var/lib/l4-canary-lab"

// Provider makes native labs.
type Provider struct {
	StateRoot string
	Source    func() (string, error) // the checkout whose lab/node and lab/workload to build
	Store     cache.Store            // of the binaries
	Self      string                 // path of this program, which labs run as their daemons
	Out       io.Writer              // a line a step
}

var _ cluster.Provider = (*Provider)(nil)

// Kubeconfig implements cluster.Provider.
func (p *Provider) Kubeconfig(_ context.Context, name string, user cluster.User) (string, error) {
	if _, err := p.load(name); err != nil {
		return "", err
	}
	return p.at(name).userKubeconfig(user), nil
}

// KubernetesBinary is the path of the multi-call binary that the lab runs.
func (p *Provider) KubernetesBinary(name string) (string, error) {
	state, err := p.load(name)
	return state.Node, err
}

// say writes a line of progress. Nothing is spoilt if nobody reads it.
func (p *Provider) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.Out, format+"\n", args...)
}

// step does one step of many and says how long it took.
func (p *Provider) step(title string, f func() error) error {
	started := time.Now()
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	p.say("%-42s %5.1fs", title, time.Since(started).Seconds())
	return nil
}
