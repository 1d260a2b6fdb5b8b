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

// witness tells what became of the held flows. The engine knows nothing of it: what it
// does to pods, sees of them and tells the journal passes by here.
type witness struct {
	Cluster
	Parking
	Journal
	options Options
	log     *slog.Logger

	mu      sync.Mutex
	flows   HeldFlows // nil before they are open
	stage   string    // the last that began
	periods []period
	pods    map[string]*resident // every one that was ever seen, by name
	batches []*batch
	over    bool
}

// period is the time of a stage, which ends where the next begins.
type period struct {
	name  string
	began time.Time
}

// resident is a pod, and how it left.
type resident struct {
	side   probe.Version
	parked bool
	left   time.Time // when it was first seen to leave; zero while it stays
	batch  *batch    // nil: it left, but not by our hand
}

// batch is some pods that the engine takes away together.
type batch struct {
	side  probe.Version
	began time.Time // when they were told to be parked, or else to end
	down  bool      // their Deployment was scaled down
	gone  time.Time // when the last of them was; zero before
}

// witnessed is the rollout with a witness before everything that moves pods.
func (r *Rollout) witnessed() (*Rollout, *witness) {
	w := &witness{
		Cluster: r.Cluster, Parking: r.Parking, Journal: r.Journal, options: r.Options, log: r.Log, pods: map[string]*resident{}, stage: "start",
	}
	with := *r
	with.Cluster, with.Parking, with.Journal = w, w, w
	return &with, w
}

// holdOpen opens the flows. It is a courtesy: what goes wrong is a notice.
func (r *run) holdOpen(ctx context.Context) error {
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
func (w *witness) open(flows HeldFlows) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flows = flows
	w.periods = []period{{w.stage, time.Now()}}
}

func (w *witness) close() {
	if w.flows != nil {
		w.flows.Close()
	}
}

// Stage implements Journal: it ends the stage before.
func (w *witness) Stage(name string) {
	w.tell()
	w.mu.Lock()
	w.stage = name
	if w.flows != nil {
		w.periods = append(w.periods, period{name, time.Now()})
	}
	w.mu.Unlock()
	w.Journal.Stage(name)
}

// Save implements Journal.
func (w *witness) Save(record *Record) {
	w.mu.Lock()
	ends := record.Outcome != "" && !w.over
	if w.flows != nil && !w.over {
		record.Held = w.account()
	}
	w.over = w.over || ends
	w.mu.Unlock()
	if ends {
		w.tell()
	}
	w.Journal.Save(record)
}

// tell says in one line what the stage that ends did to the flows.
func (w *witness) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.flows == nil {
		return
	}
	stages := w.account().Stages
	s := stages[len(stages)-1]
	if len(w.periods) == 1 && s.Open == s.Left {
		return // before the first move, and nothing happened
	}
	w.log.Info("held flows", "stage", s.Stage, "open", s.Open, "outlived_drain", s.Outlived, "cut", s.Cut, "still_open", s.Left)
}

// Next implements Cluster.
func (w *witness) Next(ctx context.Context, after uint64) (State, error) {
	state, err := w.Cluster.Next(ctx, after)
	if err == nil {
		w.look(state)
	}
	return state, err
}

// look notes which pods leave, and which batches are gone.
func (w *witness) look(s State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, busy := time.Now(), map[*batch]bool{}
	for _, pod := range w.pods {
		pod.parked = false // it may be no more
	}
	for _, m := range s.Members {
		pod := w.pods[m.Pod]
		if pod == nil {
			pod = &resident{side: m.Side}
			w.pods[m.Pod] = pod
		}
		pod.parked = m.Parked
		if m.Leaving && pod.left.IsZero() {
			pod.left, pod.batch = now, w.current(m.Side)
		}
		if m.Leaving {
			busy[pod.batch] = true
		}
	}
	for _, b := range w.batches {
		if p := s.side(b.side); b.gone.IsZero() && b.down && p.Pods <= p.Replicas && !busy[b] {
			b.gone = now
		}
	}
}

// current is the batch of a side that is still leaving; nil if none is.
func (w *witness) current(side probe.Version) *batch {
	for _, b := range slices.Backward(w.batches) {
		if b.side == side && b.gone.IsZero() {
			return b
		}
	}
	return nil
}

// Scale implements Cluster.
func (w *witness) Scale(ctx context.Context, side probe.Version, from, to int) error {
	told := time.Now() // pods may begin to leave before the answer is here
	err := w.Cluster.Scale(ctx, side, from, to)
	if err == nil && to < from {
		w.remove(side, true, told)
	}
	return err
}

// Park implements Parking. Where it fails, some pods may be parked all the same.
func (w *witness) Park(ctx context.Context, side probe.Version, n int) error {
	defer w.remove(side, false, time.Now())
	return w.Parking.Park(ctx, side, n)
}

// remove begins a batch, or goes on with one whose pods are parked.
func (w *witness) remove(side probe.Version, down bool, told time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.current(side)
	if b == nil || b.down {
		b = &batch{side: side, began: told}
		w.batches = append(w.batches, b)
	}
	b.down = down
}

// Unpark implements Parking: pods that were to leave stay.
func (w *witness) Unpark(ctx context.Context, side probe.Version) error {
	err := w.Parking.Unpark(ctx, side)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, pod := range w.pods {
		if pod.side == side && pod.parked {
			pod.left, pod.batch = time.Time{}, nil
		}
	}
	if b := w.current(side); b != nil && !b.down {
		b.down, b.gone = true, time.Now()
	}
	return nil
}
