package rollout

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/org/l4-canary/internal/probe"
)

// Holder opens flows that are to live through the moves.
type Holder interface {
	// Hold opens so many flows, evenly over the addresses and the Service's ports, and
	// returns once each has been answered for the first time or will not be. It fails
	// if no flow could ever be sent, and when ctx ends.
	Hold(ctx context.Context, addresses []string, count int) (HeldFlows, error)
}

// HeldFlows are kept open until they are closed.
type HeldFlows interface {
	Flows() []probe.HeldFlow // as they are now
	Close()                  // at once; what lives then has not ended
}

// keeper tells what became of the held flows. The engine knows nothing of it: what it
// does to pods, sees of them and tells the journal passes by here.
type keeper struct {
	Cluster
	Parking
	Journal
	options Options
	log     *slog.Logger

	mu       sync.Mutex
	flows    HeldFlows // nil before they are open
	stage    string    // the last that began
	periods  []period
	pods     map[string]*resident // every one that was ever seen, by name
	removals []*removal
	over     bool
}

// period is the time of a stage, which ends where the next begins.
type period struct {
	name  string
	began time.Time
}

// resident is a pod, and how it left.
type resident struct {
	side    probe.Version
	parked  bool
	left    time.Time // when it was first seen to leave; zero while it stays
	removal *removal  // nil: it left, but not by our hand
}

// removal is one batch of pods that the engine takes away.
type removal struct {
	side  probe.Version
	began time.Time // when they were told to be parked, or else to end
	down  bool      // their Deployment was scaled down
	gone  time.Time // when the last of them was; zero before
}

// kept is the rollout with a keeper before everything that moves pods.
func (r *Rollout) kept() (*Rollout, *keeper) {
	k := &keeper{
		Cluster: r.Cluster, Parking: r.Parking, Journal: r.Journal, options: r.Options, log: r.Log, pods: map[string]*resident{}, stage: "start",
	}
	with := *r
	with.Cluster, with.Parking, with.Journal = k, k, k
	return &with, k
}

// hold opens the flows. It is a courtesy: what goes wrong is a notice.
func (r *run) hold(ctx context.Context) error {
	if r.held == nil {
		return nil
	}
	flows, err := r.Holder.Hold(ctx, r.Record.Addresses, r.HoldOpen)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.Log.WarnContext(ctx, "no flows are held open", "because", err)
		r.note("holds no flows open: " + err.Error())
		return nil // it decides nothing
	}
	r.held.open(flows)
	r.Journal.Save(r.Record)
	for _, port := range r.Record.Held.Ports {
		r.Log.InfoContext(ctx, "holding flows open", "port", port.Port, "open", port.Open, "of", port.Asked, "only_watched", port.Watched)
		if port.Open < port.Asked {
			r.Log.WarnContext(ctx, "flows could not be opened", "port", port.Port, "because", port.Failure)
		}
	}
	return nil
}

// open begins to keep flows.
func (k *keeper) open(flows HeldFlows) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flows = flows
	k.periods = []period{{k.stage, time.Now()}}
}

func (k *keeper) close() {
	if k.flows != nil {
		k.flows.Close()
	}
}

// Stage implements Journal: it ends the stage before.
func (k *keeper) Stage(name string) {
	k.tell()
	k.mu.Lock()
	k.stage = name
	if k.flows != nil {
		k.periods = append(k.periods, period{name, time.Now()})
	}
	k.mu.Unlock()
	k.Journal.Stage(name)
}

// Save implements Journal.
func (k *keeper) Save(record *Record) {
	k.mu.Lock()
	ends := record.Outcome != "" && !k.over
	if k.flows != nil && !k.over {
		record.Held = k.account()
	}
	k.over = k.over || ends
	k.mu.Unlock()
	if ends {
		k.tell()
	}
	k.Journal.Save(record)
}

// tell says in one line what the stage that ends did to the flows.
func (k *keeper) tell() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.flows == nil {
		return
	}
	stages := k.account().Stages
	s := stages[len(stages)-1]
	if len(k.periods) == 1 && s.Open == s.Left {
		return // before the first move, and nothing happened
	}
	k.log.Info("held flows", "stage", s.Stage, "open", s.Open, "outlived_drain", s.Outlived, "cut", s.Cut, "still_open", s.Left)
}

// Next implements Cluster.
func (k *keeper) Next(ctx context.Context, after uint64) (State, error) {
	state, err := k.Cluster.Next(ctx, after)
	if err == nil {
		k.look(state)
	}
	return state, err
}

// look notes which pods leave, and which removals are over.
func (k *keeper) look(s State) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, busy := time.Now(), map[*removal]bool{}
	for _, pod := range k.pods {
		pod.parked = false // it may be no more
	}
	for _, m := range s.Members {
		pod := k.pods[m.Pod]
		if pod == nil {
			pod = &resident{side: m.Side}
			k.pods[m.Pod] = pod
		}
		pod.parked = m.Parked
		if m.Leaving && pod.left.IsZero() {
			pod.left, pod.removal = now, k.current(m.Side)
		}
		if m.Leaving {
			busy[pod.removal] = true
		}
	}
	for _, rm := range k.removals {
		if p := s.side(rm.side); rm.gone.IsZero() && rm.down && p.Pods <= p.Replicas && !busy[rm] {
			rm.gone = now
		}
	}
}

// current is the removal of a side that goes on; nil if none does.
func (k *keeper) current(side probe.Version) *removal {
	for _, rm := range slices.Backward(k.removals) {
		if rm.side == side && rm.gone.IsZero() {
			return rm
		}
	}
	return nil
}

// Scale implements Cluster.
func (k *keeper) Scale(ctx context.Context, side probe.Version, from, to int) error {
	told := time.Now() // pods may begin to leave before the answer is here
	err := k.Cluster.Scale(ctx, side, from, to)
	if err == nil && to < from {
		k.remove(side, true, told)
	}
	return err
}

// Park implements Parking. Where it fails, some pods may be parked all the same.
func (k *keeper) Park(ctx context.Context, side probe.Version, n int) error {
	defer k.remove(side, false, time.Now())
	return k.Parking.Park(ctx, side, n)
}

// remove begins a removal, or goes on with one whose pods are parked.
func (k *keeper) remove(side probe.Version, down bool, told time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	rm := k.current(side)
	if rm == nil || rm.down {
		rm = &removal{side: side, began: told}
		k.removals = append(k.removals, rm)
	}
	rm.down = down
}

// Unpark implements Parking: pods that were to leave stay.
func (k *keeper) Unpark(ctx context.Context, side probe.Version) error {
	err := k.Parking.Unpark(ctx, side)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, pod := range k.pods {
		if pod.side == side && pod.parked {
			pod.left, pod.removal = time.Time{}, nil
		}
	}
	if rm := k.current(side); rm != nil && !rm.down {
		rm.down, rm.gone = true, time.Now()
	}
	return nil
}
