package native

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/org/l4-canary/lab/internal/network"
	"github.com/org/l4-canary/lab/internal/process"
)

// ErrCannot is returned for what a lab like this one has no means for.
var ErrCannot = errors.New("this lab cannot do that")

// restartable is a component that may end and begin again while the lab runs, and what
// tells that it is there again.
type restartable struct {
	component
	there check
}

// restartables are all of them. containerd is none, because its mount namespace is its
// node's; the registry is none, because nobody remembers which workload it serves.
func (f fleet) restartables(containerds []int) []restartable {
	control := f.plan.Nodes[0].Addr
	list := []restartable{
		{f.apiServer(), answers(server(f.plan) + "/readyz")},
		{f.controllerManager(), answers(healthURL("https", control, 10257))},
		{f.scheduler(), answers(healthURL("https", control, 10259))},
	}
	for i, node := range f.plan.Nodes {
		list = append(list,
			restartable{f.kubelet(i+1, containerds[i]), listening("tcp", netip.AddrPortFrom(node.Addr, 10250).String())},
			restartable{f.kubeProxy(i+1, containerds[i]), answers(healthURL("http", node.Addr, 10256))})
	}
	return list
}

// Restart ends components of a lab, one after the other, starts each again and waits
// until it is there.
func (p *Provider) Restart(ctx context.Context, name string, components []string) error {
	unlock, state, err := p.hold(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	topology, err := state.topology()
	if err != nil {
		return err
	}
	known := p.fleet(*state, topology).restartables(state.containerds())
	for _, component := range components {
		i := slices.IndexFunc(known, func(r restartable) bool { return r.name == component })
		if i < 0 {
			return fmt.Errorf("component %q: %w: it can restart %s", component, ErrCannot, strings.Join(names(known), ", "))
		}
		if err := p.step("restarting "+component, func() error { return p.restart(ctx, state, known[i]) }); err != nil {
			return err
		}
	}
	return nil
}

func names(list []restartable) []string {
	var names []string
	for _, r := range list {
		names = append(names, r.name)
	}
	return names
}

// restart ends one component as a supervisor does, by force if it takes its time, and
// starts it again. The port that it listens at is free only when it has ended.
func (p *Provider) restart(ctx context.Context, state *State, r restartable) error {
	i := slices.IndexFunc(state.Processes, func(record process.Record) bool { return record.Name == r.name })
	if i < 0 {
		return fmt.Errorf("lab %q does not run %s", state.Options.Name, r.name)
	}
	process.End(state.Processes[i:i+1], endWithin)
	for limit := time.Now().Add(vanishWithin); state.Processes[i].Running(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(limit) {
			return fmt.Errorf("%s is still there %s after it was killed", r.name, vanishWithin)
		}
	}
	topology, err := state.topology()
	if err != nil {
		return err
	}
	record, err := p.fleet(*state, topology).start(r.component)
	if err != nil {
		return err
	}
	state.Processes[i] = record
	if err := p.save(*state); err != nil {
		return err
	}
	return await(ctx, r.there, record)
}

// containerds are the process ids of the nodes' containerds.
func (s State) containerds() []int {
	ids := make([]int, s.Options.Nodes)
	for i := range ids {
		for _, record := range s.Processes {
			if record.Name == fmt.Sprintf("containerd-%d", i+1) {
				ids[i] = record.PID
			}
		}
	}
	return ids
}

// hold takes the lock and reads the state of a lab that is up.
func (p *Provider) hold(ctx context.Context, name string) (unlock func(), state *State, err error) {
	if _, err = p.load(name); err != nil {
		return nil, nil, err // and make no folder for a lock
	}
	if unlock, err = p.lock(ctx); err != nil {
		return nil, nil, err
	}
	loaded, err := p.load(name)
	if err == nil && !loaded.Complete {
		err = fmt.Errorf("lab %q is not up", name)
	}
	if err != nil {
		unlock()
		return nil, nil, err
	}
	return unlock, &loaded, nil
}

// Unplug takes the second node's links down, as if it had lost its power; Plug brings them back.
func (p *Provider) Unplug(ctx context.Context, name string) error {
	return p.cable(ctx, name, "is unplugged", network.Topology.Unplug)
}

// Plug ends what Unplug began. The node is ready again some seconds later.
func (p *Provider) Plug(ctx context.Context, name string) error {
	return p.cable(ctx, name, "is plugged in again", network.Topology.Plug)
}

func (p *Provider) cable(ctx context.Context, name, done string, do func(network.Topology, context.Context) error) error {
	unlock, state, err := p.hold(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	if state.Options.Nodes < 2 {
		return fmt.Errorf("lab %q has one node: %w: the first node is the control plane's", name, ErrCannot)
	}
	topology, err := state.topology()
	if err != nil {
		return err
	}
	if err := do(topology, ctx); err != nil {
		return err
	}
	p.say("node %s %s", p.at(name).nodeName(2), done)
	return nil
}
