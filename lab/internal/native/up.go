package native

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/org/l4-canary/lab/internal/cache"
	"github.com/org/l4-canary/lab/internal/cluster"
	"github.com/org/l4-canary/lab/internal/network"
	"github.com/org/l4-canary/lab/internal/process"
)

// Up implements cluster.Provider.
func (p *Provider) Up(ctx context.Context, opts cluster.Options) error {
	if err := opts.Validate(); err != nil {
		return err
	}
	started := time.Now()
	if done, err := p.running(opts); done || err != nil {
		return err
	}
	parts, err := p.gather(ctx)
	if err != nil {
		return err
	}
	unlock, err := p.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	done, err := p.running(opts)
	if done || err != nil {
		return err // another process made it meanwhile
	}
	state, err := p.prepare(ctx, opts, parts)
	if err != nil {
		return err
	}
	if err := p.launch(ctx, state, parts); err != nil {
		return p.giveUp(ctx, state, err)
	}
	p.say("lab %q is up after %.1fs; kubeconfig: %s", opts.Name, time.Since(started).Seconds(),
		p.at(opts.Name).userKubeconfig(cluster.Admin))
	if err := p.prune(parts); err != nil {
		p.say("old binaries stay in the cache: %v", err) // which the lab does not suffer from
	}
	return nil
}

// prune removes old binaries, but none that a lab uses. Of the workload only this
// lab's counts: registries have read theirs when they started.
func (p *Provider) prune(parts parts) error {
	labs, err := p.all()
	if err != nil {
		return err
	}
	keep := []string{parts.node, parts.workload}
	for _, lab := range labs {
		keep = append(keep, lab.Node)
	}
	return p.Store.Prune(keep...)
}

// running tells whether the lab runs already, with these options.
func (p *Provider) running(opts cluster.Options) (bool, error) {
	state, err := p.load(opts.Name)
	if errors.Is(err, cluster.ErrNotFound) {
		return false, nil
	}
	if err != nil || !state.alive() {
		return false, err
	}
	if err := opts.Clash(state.Options); err != nil {
		return false, err
	}
	p.say("lab %q is up already; kubeconfig: %s", opts.Name, p.at(opts.Name).userKubeconfig(cluster.Admin))
	return true, nil
}

// parts are what a lab is made from.
type parts struct {
	plugins  string // folder of the CNI plugins
	node     string // the Kubernetes binary
	workload string
}

// Build makes what Up would otherwise have to make first.
func (p *Provider) Build(ctx context.Context) error {
	_, err := p.gather(ctx)
	return err
}

func (p *Provider) gather(ctx context.Context) (parts, error) {
	var got parts
	var err error
	if got.plugins, err = p.require(ctx); err != nil {
		return got, err
	}
	source, err := p.Source()
	if err != nil {
		return got, err
	}
	if got.node, err = p.Store.Build(ctx, cache.Node(source)); err != nil {
		return got, err
	}
	got.workload, err = p.Store.Build(ctx, cache.Workload(source))
	return got, err
}

// prepare clears away what is left of an earlier lab of that name, and reserves
// the new one's index.
func (p *Provider) prepare(ctx context.Context, opts cluster.Options, parts parts) (*State, error) {
	if old, err := p.load(opts.Name); err == nil {
		p.say("clearing away what is left of lab %q", opts.Name)
		if err := p.remove(ctx, &old); err != nil {
			return nil, err
		}
	}
	labs, err := p.all()
	if err != nil {
		return nil, err
	}
	state := &State{Options: opts, Index: freeIndex(labs), Node: parts.node}
	if opts.Nodes > 1 {
		if state.HashPolicy, err = originalPolicy(labs); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(p.at(opts.Name).logs(), 0o700); err != nil {
		return nil, err
	}
	return state, p.save(*state)
}

// originalPolicy is how the machine spreads flows over paths when no lab has
// changed it.
func originalPolicy(labs []State) ([]string, error) {
	for _, lab := range labs {
		if lab.HashPolicy != nil {
			return lab.HashPolicy, nil
		}
	}
	return network.HashPolicy()
}

// giveUp ends what was started, but leaves the logs for a look.
func (p *Provider) giveUp(ctx context.Context, state *State, cause error) error {
	// The cause may be that ctx has ended; clearing away must go on all the same.
	if err := p.stop(context.WithoutCancel(ctx), state); err != nil {
		cause = errors.Join(cause, err)
	}
	return fmt.Errorf("%w\n(everything is stopped; the logs stay in %s until: lab down --name %s)",
		cause, p.at(state.Options.Name).logs(), state.Options.Name)
}

// launch is a lab under construction.
type launch struct {
	*Provider
	fleet
	state   *State
	records map[string]process.Record
}

func (p *Provider) launch(ctx context.Context, state *State, parts parts) error {
	topology, err := state.topology()
	if err != nil {
		return err
	}
	l := &launch{Provider: p, state: state, records: map[string]process.Record{}, fleet: p.fleet(*state, topology)}
	l.workload = parts.workload
	steps := []struct {
		title string
		do    func(context.Context) error
	}{
		{"network namespaces, links, routes", func(ctx context.Context) error { return l.connect(ctx, topology) }},
		{"keys, users, configuration", func(context.Context) error {
			return l.configure(state.Options, topology.Plan, parts.plugins)
		}},
		{"etcd, API server, containerd, registry", l.core},
		{"controllers, scheduler, kubelet, kube-proxy", l.rest},
	}
	for _, step := range steps {
		if err := p.step(step.title, func() error { return step.do(ctx) }); err != nil {
			return err
		}
	}
	state.Complete = true
	return p.save(*state)
}

// fleet knows the components of a lab, but for the workload of its registry, which is not
// remembered.
func (p *Provider) fleet(state State, topology network.Topology) fleet {
	return fleet{
		layout:     p.at(state.Options.Name),
		opts:       state.Options,
		plan:       topology.Plan,
		netns:      func(n int) string { return network.Path(topology.Namespace(n)) },
		self:       p.Self,
		kubernetes: state.Node,
		program:    state.Options.Program,
	}
}

func (l *launch) connect(ctx context.Context, topology network.Topology) error {
	if err := process.AllowWatches(); err != nil {
		return err
	}
	if err := topology.Create(ctx); err != nil {
		return err
	}
	if l.opts.Nodes > 1 {
		if err := network.SetHashPolicy(network.ByPorts); err != nil {
			return err
		}
	}
	groups := []string{l.daemonCGroup()}
	for n := range topology.Plan.Nodes {
		groups = append(groups, l.nodeCGroup(n+1))
	}
	for _, group := range groups {
		if err := process.CreateCGroup(group); err != nil {
			return err
		}
	}
	return nil
}

// run starts components and remembers them at once, so that Down finds them
// whatever happens next.
func (l *launch) run(components ...component) ([]process.Record, error) {
	var started []process.Record
	for _, c := range components {
		record, err := l.start(c)
		if err != nil {
			return nil, err
		}
		l.records[c.name] = record
		started = append(started, record)
		l.state.Processes = append(l.state.Processes, record)
		if err := l.save(*l.state); err != nil {
			return nil, err
		}
	}
	return started, nil
}

// core starts what the rest waits for.
func (l *launch) core(ctx context.Context) error {
	components := []component{l.etcd(), l.apiServer(), l.registry()}
	checks := []check{answers(server(l.plan) + "/readyz"), answers("http://" + registryAddress(l.plan) + "/v2/")}
	for i := range l.plan.Nodes {
		components = append(components, l.containerd(i+1))
		checks = append(checks, listening("unix", l.containerdSocket(i+1)))
	}
	started, err := l.run(components...)
	if err != nil {
		return err
	}
	return await(ctx, every(checks...), started...)
}

func (l *launch) rest(ctx context.Context) error {
	components := []component{l.controllerManager(), l.scheduler(), l.balancer()}
	control := l.plan.Nodes[0].Addr
	checks := []check{
		answers(healthURL("https", control, 10257)),
		answers(healthURL("https", control, 10259)),
	}
	for i, node := range l.plan.Nodes {
		n, containerd := i+1, l.records[l.containerd(i+1).name].PID
		components = append(components, l.kubelet(n, containerd), l.kubeProxy(n, containerd))
		checks = append(checks, answers(healthURL("http", node.Addr, 10256)))
	}
	started, err := l.run(components...)
	if err != nil {
		return err
	}
	client, err := newClient(l.userKubeconfig(cluster.Admin))
	if err != nil {
		return err
	}
	if err := GrantRestricted(ctx, client); err != nil {
		return err
	}
	checks = append(checks, nodesReady(client, len(l.plan.Nodes)), podsAllowed(client))
	return await(ctx, every(checks...), started...)
}

func healthURL(scheme string, host netip.Addr, port uint16) string {
	return scheme + "://" + netip.AddrPortFrom(host, port).String() + "/healthz"
}
