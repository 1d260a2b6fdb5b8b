package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// readyAfter is how long a pod of the fake cluster takes to serve.
const readyAfter = 3 * time.Second

// cluster is a Kubernetes in memory for tests in a synctest bubble: pods serve
// readyAfter they were asked for, and leave at once. It keeps a log of the pods.
type cluster struct {
	mu      sync.Mutex
	state   rollout.State
	changed chan struct{}
	calls   []string
	pods    []string // "stable+canary ready/stable+canary" after every change

	named    bool // pods that serve are among State.Members
	releases bool // Park: the ReplicaSet lets go
	survivor bool // the next scale-down takes another pod in place of a parked one

	onApply  func(rollout.Part)                                 // after the write
	onScale  func(c *cluster, side probe.Version, to int) error // before the write
	ready    func(side probe.Version, pod int) bool             // whether the pod ever serves; nil: it does
	parkedAt time.Time                                          // when pods were last parked
}

// errBusy is what an API server says that does not work for a while.
var errBusy = errors.New("the server is currently unable to handle the request")

func newCluster(stable, canary int) *cluster {
	c := &cluster{changed: make(chan struct{})}
	c.state = rollout.State{
		Revision: 1, Stable: pods(stable), Canary: pods(canary),
		Addresses: []string{"192.0.2.7"},
	}
	c.state.Stable.Exists = true
	c.endpoints()
	return c
}

func pods(n int) rollout.Pods {
	return rollout.Pods{Replicas: n, Pods: n, Available: n, Serving: n, Current: true, Exists: n > 0}
}

func (c *cluster) Apply(_ context.Context, part rollout.Part) error {
	c.change(func(s *rollout.State) {
		c.calls = append(c.calls, "apply "+string(part))
		switch part {
		case rollout.StableDeployment:
			s.Stable.Exists, s.Stable.Current = true, true
		case rollout.CanaryDeployment:
			s.Canary.Exists, s.Canary.Current = true, true
		case rollout.Surroundings, rollout.OriginalStable, rollout.AutoscalerManifests:
		}
	})
	if c.onApply != nil {
		c.onApply(part)
	}
	return nil
}

func (c *cluster) Handover(_ context.Context, replicas int) error {
	c.change(func(s *rollout.State) {
		c.calls = append(c.calls, fmt.Sprintf("handover %d", replicas))
		s.Stable, s.Canary = s.Canary, rollout.Pods{}
	})
	return nil
}

func (c *cluster) Scale(_ context.Context, side probe.Version, from, to int) error {
	if c.onScale != nil {
		if err := c.onScale(c, side, to); err != nil {
			return err
		}
	}
	var err error
	c.change(func(s *rollout.State) {
		p := pick(s, side)
		if p.Replicas != from {
			err = &rollout.DriftError{Deployment: string(side), Want: from, Have: p.Replicas, Author: `"kubectl"`}
			return
		}
		c.calls = append(c.calls, fmt.Sprintf("scale %s %d", side, to))
		added := to - p.Pods
		p.Replicas, p.Pods = to, to
		p.Available = min(p.Available, to)
		p.Parked = max(p.Parked+min(added, 0), 0)
		if c.survivor && added < 0 {
			c.survivor, p.Parked = false, p.Parked+1
		}
		p.Serving = min(p.Serving, p.Available-p.Parked)
		if added > 0 {
			time.AfterFunc(readyAfter, func() { c.becomeReady(side) })
		}
	})
	return err
}

// becomeReady lets the pods of one side serve, as far as they ever do.
func (c *cluster) becomeReady(side probe.Version) {
	c.change(func(s *rollout.State) {
		p := pick(s, side)
		for p.Available < p.Pods && (c.ready == nil || c.ready(side, p.Serving)) {
			p.Serving++
			p.Available++
		}
	})
}

// Park takes pods out of the Service; with releases their ReplicaSet lets go of
// them and makes replacements.
func (c *cluster) Park(_ context.Context, side probe.Version, n int) error {
	c.change(func(s *rollout.State) {
		c.calls, c.parkedAt = append(c.calls, fmt.Sprintf("park %s %d", side, n)), time.Now()
		p := pick(s, side)
		if !c.releases {
			p.Parked, p.Serving = n, p.Serving-(n-p.Parked)
			return
		}
		p.Released, p.Serving, p.Available = n, p.Serving-n, p.Available-n
		time.AfterFunc(readyAfter, func() { c.becomeReady(side) })
	})
	return nil
}

func (c *cluster) Unpark(_ context.Context, side probe.Version) error {
	c.change(func(s *rollout.State) {
		c.calls = append(c.calls, "unpark "+string(side))
		p := pick(s, side)
		p.Parked, p.Serving = 0, p.Serving+p.Parked
	})
	return nil
}

func (c *cluster) Discard(_ context.Context, side probe.Version) error {
	c.change(func(s *rollout.State) {
		c.calls = append(c.calls, "discard "+string(side))
		pick(s, side).Released = 0
	})
	return nil
}

// replace deletes one parked pod, as somebody with kubectl would: its ReplicaSet
// makes an unparked one.
func (c *cluster) replace(side probe.Version) {
	c.change(func(s *rollout.State) {
		p := pick(s, side)
		p.Parked--
		p.Available--
		time.AfterFunc(readyAfter, func() { c.becomeReady(side) })
	})
}

func (c *cluster) Delete(_ context.Context, side probe.Version) error {
	c.change(func(s *rollout.State) {
		c.calls = append(c.calls, "delete "+string(side))
		*pick(s, side) = rollout.Pods{}
	})
	return nil
}

func (c *cluster) Next(ctx context.Context, after uint64) (rollout.State, error) {
	for {
		c.mu.Lock()
		state, changed := c.state, c.changed
		c.mu.Unlock()
		if state.Revision > after {
			return state, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return rollout.State{}, ctx.Err()
		}
	}
}

// change edits the state, logs the pods and wakes whoever watches.
func (c *cluster) change(edit func(*rollout.State)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	edit(&c.state)
	c.state.Revision++
	c.endpoints()
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *cluster) endpoints() {
	c.state.Endpoints = nil
	for range c.state.Stable.Serving {
		c.state.Endpoints = append(c.state.Endpoints, rollout.Endpoint{Side: probe.Stable, Node: "a"})
	}
	for range c.state.Canary.Serving {
		c.state.Endpoints = append(c.state.Endpoints, rollout.Endpoint{Side: probe.Canary, Node: "b"})
	}
	if c.named {
		c.state.Members = nil
		for side, n := range map[probe.Version]int{probe.Stable: c.state.Stable.Serving, probe.Canary: c.state.Canary.Serving} {
			for i := range n {
				c.state.Members = append(c.state.Members, rollout.Member{Pod: fmt.Sprintf("%s-%d", side, i), Side: side, Ready: true})
			}
		}
	}
	line := fmt.Sprintf("%d+%d serving %d+%d", c.state.Stable.Pods, c.state.Canary.Pods, c.state.Stable.Serving, c.state.Canary.Serving)
	if n := len(c.pods); n == 0 || c.pods[n-1] != line {
		c.pods = append(c.pods, line)
	}
}

// share is what the balancer would send to the canary now.
func (c *cluster) share() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.ExpectedWeight().Fraction()
}

func pick(s *rollout.State, side probe.Version) *rollout.Pods {
	if side == probe.Canary {
		return &s.Canary
	}
	return &s.Stable
}

// journal remembers what it was told.
type journal struct {
	stages   []string
	judged   []string // stage and verdict
	troubled []rollout.Trouble
	saves    int
	twice    []string // stages that were saved as begun and as still to come
}

func (j *journal) Stage(name string) { j.stages = append(j.stages, name) }
func (j *journal) Save(r *rollout.Record) {
	j.saves++
	for _, stage := range r.Stages {
		if stage.Name != "baseline" && slices.Contains(r.NotReached, stage.Target) {
			j.twice = append(j.twice, stage.Name)
		}
	}
}
func (j *journal) Progress(string) {}
func (j *journal) Judged(_ context.Context, stage rollout.StageRecord) {
	j.judged = append(j.judged, stage.Name+" "+string(stage.Verdict))
}

func (j *journal) Troubled(_ context.Context, pods []rollout.Trouble) {
	j.troubled = append(j.troubled, pods...)
}

// newRollout is R=10 S=3 with the steps of the contract's example.
func newRollout(t *testing.T, c *cluster) (*rollout.Rollout, *balancer, *journal) {
	t.Helper()
	b, j := &balancer{cluster: c}, &journal{}
	slower := rollout.Percent(25)
	return &rollout.Rollout{
		Options: rollout.Options{
			Plan:  rollout.PlanOptions{Replicas: 10, MaxSurge: 3, Steps: []rollout.Percent{10, 25, 50, 100}, MaxWeightError: 5},
			Ports: []probe.Port{{Number: 80, Protocol: probe.TCP}}, Tolerance: 5, Confidence: 95, Rate: 50, Seed: 1, MaxSlower: &slower,
			Settle: 5 * time.Second, Propagation: time.Minute, Drain: 30 * time.Second,
			StageTimeout: 5 * time.Minute, MoveTimeout: 5 * time.Minute, Timeout: time.Hour,
		},
		Cluster: c, Parking: c, Prober: b, Quiet: &quiet{balancer: b}, Journal: j, Herald: j, Log: slog.New(slog.DiscardHandler),
		Passing: func(err error) bool { return errors.Is(err, errBusy) },
		Record: &rollout.Record{
			Namespace: "game", Service: "lobby", Mode: "pair",
			Stable: rollout.Side{Deployment: "lobby-blue"}, Canary: rollout.Side{Deployment: "lobby-green"},
		},
	}, b, j
}
