package kindcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	kind "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"

	"github.com/org/l4-canary/lab/internal/cache"
	"github.com/org/l4-canary/lab/internal/cluster"
)

// Up implements cluster.Provider.
func (p *Provider) Up(ctx context.Context, opts cluster.Options) error {
	if err := opts.Validate(); err != nil {
		return err
	}
	if done, err := p.running(opts); done || err != nil {
		return err
	}
	if err := p.Down(ctx, opts.Name); err != nil { // what is left of an earlier lab
		return err
	}
	index, err := p.freeIndex()
	if err != nil {
		return err
	}
	s := &state{Options: opts, Index: index}
	if err := p.launch(ctx, s); err != nil {
		// The cause may be that ctx has ended; clearing away must go on all the same.
		return errors.Join(err, p.Down(context.WithoutCancel(ctx), opts.Name))
	}
	_, _ = fmt.Fprintf(p.Out, "lab %q is up; kubeconfig: %s\n", opts.Name, p.at(opts.Name).kubeconfig(cluster.Admin))
	return nil
}

// running tells whether the lab runs already, with these options.
func (p *Provider) running(opts cluster.Options) (bool, error) {
	s, err := p.load(opts.Name)
	if errors.Is(err, cluster.ErrNotFound) {
		return false, nil
	}
	if err != nil || !s.alive() {
		return false, err
	}
	if err := opts.Clash(s.Options); err != nil {
		return false, err
	}
	_, _ = fmt.Fprintf(p.Out, "lab %q is up already; kubeconfig: %s\n", opts.Name, p.at(opts.Name).kubeconfig(cluster.Admin))
	return true, nil
}

// launch makes the lab step by step. What it made before an error, Down removes.
func (p *Provider) launch(ctx context.Context, s *state) error {
	var workload string
	steps := []struct {
		title string
		do    func() error
	}{
		{"workload", func() (err error) { workload, err = p.buildWorkload(ctx); return err }},
		{"files", func() error { return p.prepare(*s) }},
		{"cluster", func() error { return p.create(s.Options) }},
		{"LoadBalancer addresses", func() error { return p.takeAddresses(ctx, s) }},
		{"registry", func() error { return p.startRegistry(ctx, s, workload) }},
		{"balancer", func() error { return p.startBalancer(s) }},
		{"restricted user", func() error { return p.admit(ctx, s.Options.Name) }},
	}
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s: %w", step.title, err)
		}
		started := time.Now()
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.title, err)
		}
		_, _ = fmt.Fprintf(p.Out, "%-42s %5.1fs\n", step.title, time.Since(started).Seconds())
	}
	s.Complete = true
	return p.save(*s)
}

// Build makes what Up would otherwise have to make first.
func (p *Provider) Build(ctx context.Context) error {
	_, err := p.buildWorkload(ctx)
	return err
}

func (p *Provider) buildWorkload(ctx context.Context) (string, error) {
	source, err := p.Source()
	if err != nil {
		return "", err
	}
	return p.Store.Build(ctx, cache.Workload(source))
}

// prepare makes the lab's folder with all that kind mounts into the nodes.
func (p *Provider) prepare(s state) error {
	l := p.at(s.Options.Name)
	for _, dir := range []string{l.config(), l.registries(), l.audit(), l.logs()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("making the lab's folders: %w", err)
		}
	}
	if err := p.save(s); err != nil { // from here on Down knows of the lab
		return err
	}
	return l.writeConfig()
}

func (p *Provider) create(opts cluster.Options) error {
	l := p.at(opts.Name)
	return p.kind().Create(clusterName(opts.Name),
		kind.CreateWithV1Alpha4Config(clusterConfig(l, opts)),
		kind.CreateWithKubeconfigPath(l.kubeconfig(cluster.Admin)),
		kind.CreateWithWaitForReady(readyWithin),
		kind.CreateWithDisplayUsage(false),
		kind.CreateWithDisplaySalutation(false))
}

// takeAddresses finds the lab's LoadBalancer addresses and registry address, and
// makes the first node answer for the former.
func (p *Provider) takeAddresses(ctx context.Context, s *state) error {
	docker, err := inspectNetwork(ctx)
	if err != nil {
		return err
	}
	if s.Pools, err = docker.pools(s.Index, s.Options.DualStack); err != nil {
		return err
	}
	s.Registry = docker.registry(s.Index)
	nodes, err := p.kind().ListInternalNodes(clusterName(s.Options.Name))
	if err != nil {
		return fmt.Errorf("listing the nodes: %w", err)
	}
	first, err := nodeutils.BootstrapControlPlaneNode(nodes)
	if err != nil {
		return fmt.Errorf("finding the first node: %w", err)
	}
	for _, command := range takeover(s.Pools) {
		if err := first.CommandContext(ctx, command[0], command[1:]...).Run(); err != nil {
			return fmt.Errorf("running %q on node %q: %w", command, first, err)
		}
	}
	return p.save(*s)
}
