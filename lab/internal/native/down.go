package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/org/l4-canary/lab/internal/cluster"
	"github.com/org/l4-canary/lab/internal/network"
	"github.com/org/l4-canary/lab/internal/process"
)

const (
	endWithin    = 3 * time.Second  // what a process gets between SIGTERM and SIGKILL
	vanishWithin = 10 * time.Second // what the kernel gets to let go of what was killed
)

// Down implements cluster.Provider.
func (p *Provider) Down(ctx context.Context, name string) error {
	if err := cluster.ValidateName(name); err != nil {
		return err
	}
	started := time.Now()
	unlock, err := p.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	state, err := p.load(name)
	if errors.Is(err, cluster.ErrNotFound) {
		p.say("there is no lab %q", name)
		return nil
	}
	if err != nil {
		return err
	}
	if err := p.remove(ctx, &state); err != nil {
		return err
	}
	p.say("lab %q is down after %.1fs", name, time.Since(started).Seconds())
	return nil
}

// remove takes away everything, the logs and the memory of it last.
func (p *Provider) remove(ctx context.Context, state *State) error {
	if err := p.stop(ctx, state); err != nil {
		return err
	}
	if err := os.RemoveAll(p.at(state.Options.Name).dir); err != nil {
		return fmt.Errorf("removing the folder of lab %q: %w", state.Options.Name, err)
	}
	return nil
}

// stop ends all processes and removes all that the kernel holds for the lab. It
// works on half a lab too, and twice.
func (p *Provider) stop(ctx context.Context, state *State) error {
	cgroup := p.at(state.Options.Name).cgroup()
	process.End(state.Processes, endWithin)
	// The pods and their shims, and with the last of them every mount.
	if err := process.KillCGroup(cgroup, vanishWithin); err != nil {
		return err
	}
	topology, err := state.topology()
	if err != nil {
		return err
	}
	if err := topology.Remove(ctx); err != nil {
		return err
	}
	if err := p.restorePolicy(state); err != nil {
		return err
	}
	if err := process.RemoveCGroup(cgroup, vanishWithin); err != nil {
		return err
	}
	state.Complete = false
	return p.save(*state)
}

// restorePolicy gives the machine its setting back, unless another lab needs
// what this one set.
func (p *Provider) restorePolicy(state *State) error {
	if state.HashPolicy == nil {
		return nil
	}
	labs, err := p.all()
	if err != nil {
		return err
	}
	needed := slices.ContainsFunc(labs, func(s State) bool {
		return s.HashPolicy != nil && s.Options.Name != state.Options.Name
	})
	if needed {
		return nil
	}
	return network.SetHashPolicy(state.HashPolicy)
}
