package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// named is the cluster in memory with pods that have names, and take lasts to end once
// they were told to.
type named struct {
	*cluster
	lasts time.Duration

	mu      sync.Mutex
	members []rollout.Member
	made    int
	ended   func(pod string) // the pod is no more
}

func (n *named) Next(ctx context.Context, after uint64) (rollout.State, error) {
	state, err := n.cluster.Next(ctx, after)
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, side := range []probe.Version{probe.Stable, probe.Canary} {
		for p := pick(&state, side); n.count(side, false) < p.Pods; n.made++ {
			n.members = append(n.members, rollout.Member{Pod: fmt.Sprintf("%s-%d", side, n.made), Side: side})
		}
		for _, m := range n.members {
			if m.Side == side && m.Leaving && !m.Parked {
				pick(&state, side).Terminating++
			}
		}
	}
	state.Members = slices.Clone(n.members)
	return state, err
}

// count is how many pods of a side leave, or do not.
func (n *named) count(side probe.Version, leaving bool) int {
	count := 0
	for _, m := range n.members {
		if m.Side == side && m.Leaving == leaving {
			count++
		}
	}
	return count
}

func (n *named) Scale(ctx context.Context, side probe.Version, from, to int) error {
	if err := n.cluster.Scale(ctx, side, from, to); err != nil || to > from || n.releases {
		return err
	}
	n.leave(side, from-to, false)
	n.end(side)
	return nil
}

func (n *named) Park(ctx context.Context, side probe.Version, count int) error {
	n.leave(side, count, true)
	return n.cluster.Park(ctx, side, count)
}

func (n *named) Unpark(ctx context.Context, side probe.Version) error {
	n.mu.Lock()
	for i, m := range n.members {
		if m.Side == side {
			n.members[i].Parked, n.members[i].Leaving = false, false
		}
	}
	n.mu.Unlock()
	return n.cluster.Unpark(ctx, side)
}

func (n *named) Discard(ctx context.Context, side probe.Version) error {
	n.end(side)
	return n.cluster.Discard(ctx, side)
}

// leave lets pods of a side leave until so many do.
func (n *named) leave(side probe.Version, count int, parked bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, m := range n.members {
		if m.Side == side && !m.Leaving && n.count(side, true) < count {
			n.members[i].Leaving, n.members[i].Parked = true, parked
		}
	}
}

// end ends the pods of a side that leave.
func (n *named) end(side probe.Version) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, m := range n.members {
		if m.Side == side && m.Leaving {
			n.members[i].Parked = false
			time.AfterFunc(n.lasts, func() { n.kill(m.Pod) })
		}
	}
}

// kill lets a pod be no more.
func (n *named) kill(pod string) {
	n.mu.Lock()
	n.members = slices.DeleteFunc(n.members, func(m rollout.Member) bool { return m.Pod == pod })
	n.mu.Unlock()
	n.ended(pod)
	n.change(func(*rollout.State) {})
}

// clients are held flows: two of every pod that serves when they are opened.
type clients struct {
	*named
	anonymous bool // answers name no pod
	broken    error
	unopened  int

	mu     sync.Mutex
	flows  []probe.HeldFlow
	pods   []string // of the flows
	closed bool
}

func (c *clients) Hold(ctx context.Context, addresses []string, count int) (rollout.HeldFlows, error) {
	if c.broken != nil || ctx.Err() != nil {
		return nil, errors.Join(c.broken, ctx.Err())
	}
	state, err := c.Next(ctx, 0)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range count - c.unopened {
		m := state.Members[i%len(state.Members)]
		c.pods = append(c.pods, m.Pod)
		c.flows = append(c.flows, probe.HeldFlow{Version: m.Side, Pod: m.Pod})
		if c.anonymous {
			c.flows[i].Pod = ""
		}
	}
	for range c.unopened {
		c.flows = append(c.flows, probe.HeldFlow{Err: fmt.Errorf("dialing %s: refused", addresses[0])})
	}
	return c, err
}

func (c *clients) Flows() []probe.HeldFlow {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.flows)
}

func (c *clients) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// end ends the flows of a pod.
func (c *clients) end(pod string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, of := range c.pods {
		if of == pod && c.flows[i].How == "" {
			c.flows[i].How, c.flows[i].Ended = probe.EndClosed, time.Now()
		}
	}
}

// holding is parking's rollout with eight flows held open.
func holding(t *testing.T, how rollout.Removal) (*clients, *rollout.Rollout) {
	t.Helper()
	c, r, _ := parking(t, how)
	n := &named{cluster: c}
	held := &clients{named: n}
	n.ended = held.end
	r.Cluster, r.Parking, r.Holder, r.HoldOpen = n, n, held, 8
	return held, r
}
