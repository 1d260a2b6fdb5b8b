package probe

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"
)

// Sampler starts flows and yields them. One range loop over Flows may run at a
// time; Stats may be read meanwhile.
type Sampler struct {
	options Options
	window  int  // flows that may be started and not yet yielded
	hurried bool // source ports come round too soon

	late    histogram
	sent    atomic.Int64
	notSent atomic.Int64
	first   atomic.Int64 // starts, in nanoseconds since the sampling began
	last    atomic.Int64
}

// minWindow bounds how far finished flows may run ahead of one that hangs.
const minWindow = 8192

// NewSampler checks the options, all problems at once, and prepares a sampler.
// It opens nothing.
func NewSampler(o Options) (*Sampler, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	if warning := Hurry(o.Cursor, o.Rate, o.Addresses); warning != "" && o.Warn != nil {
		o.Warn(warning)
	}
	// Twice what can start while one flow hangs until its timeout.
	window := max(minWindow, int(2*o.Rate*o.longest().Seconds()))
	return &Sampler{options: o, window: window, hurried: o.Rate == 0 || o.Cursor.Reuse(o.Rate) < ReuseDistance}, nil
}

// Cursor is the sweep of source ports, to be carried to the next sampler.
func (s *Sampler) Cursor() *Cursor { return s.options.Cursor }

// Stats tells how the sampling goes, or how it went.
func (s *Sampler) Stats() Stats {
	stats := Stats{Sent: int(s.sent.Load()), NotSent: int(s.notSent.Load()), Lateness: s.late.lateness()}
	if span := time.Duration(s.last.Load() - s.first.Load()); span > 0 && stats.Sent > 1 {
		stats.Rate = float64(stats.Sent-1) / span.Seconds()
	}
	return stats
}

// Flows starts sampling and yields each flow once every flow scheduled before
// it has been yielded. It ends after Options.Count flows, when ctx is done, or
// when the loop is left; then no socket is open and no goroutine is left, and
// flows that were cut off by it are not yielded. A second range begins the same
// schedule again, with fresh source ports.
func (s *Sampler) Flows(ctx context.Context) iter.Seq[Flow] {
	return func(yield func(Flow) bool) {
		inner, cancel := context.WithCancel(ctx)
		r := newRun(s)
		if s.options.Rate == 0 && s.options.Concurrency == 1 {
			defer cancel()
			r.alone(inner, yield)
			return
		}
		defer func() {
			cancel()
			r.stop()
		}()
		r.start(inner)
		r.deliver(inner, yield)
	}
}

// run is one range over Flows.
type run struct {
	*Sampler
	begin    time.Time
	schedule *schedule
	planned  int   // flows started, the next flow's index
	skipped  []int // per port, since its last flow

	tokens  chan struct{} // held by flows that are started and not yet yielded
	results chan Flow     // has room for every token: sending never blocks
	paced   chan slot     // to the workers, when there is a rate; room for the in-flight cap
	busy    atomic.Int64  // flows under way

	mu      sync.Mutex // guards schedule, planned and skipped without a rate, and workers
	workers []*worker
	running sync.WaitGroup
}

// newRun begins a range, of which alone Stats tells from now on.
func newRun(s *Sampler) *run {
	for _, figure := range []*atomic.Int64{&s.sent, &s.notSent, &s.first, &s.last} {
		figure.Store(0)
	}
	s.late.reset()
	o := s.options
	return &run{
		Sampler:  s,
		begin:    time.Now(),
		schedule: newSchedule(o.Seed, PortRates(o.Rate, o.Ports), len(o.Addresses)),
		skipped:  make([]int, len(o.Ports)),
		tokens:   make(chan struct{}, s.window),
		results:  make(chan Flow, s.window),
		paced:    make(chan slot, o.InFlight),
	}
}

// start sets the workers going, or the pacer that adds workers as it needs them.
func (r *run) start(ctx context.Context) {
	if r.options.Rate == 0 {
		for range r.options.Concurrency {
			r.hire(ctx, r.take)
		}
	} else {
		r.running.Go(func() {
			defer close(r.paced)
			pace(ctx, r.next, func(s slot) { r.launch(ctx, s) })
		})
	}
	go func() {
		r.running.Wait()
		close(r.results)
	}()
}

// stop cuts off every flow under way and waits until nothing is left. The
// context of the run is done already, so nothing new begins.
func (r *run) stop() {
	r.mu.Lock()
	for _, w := range r.workers {
		w.conversation.cut()
	}
	r.mu.Unlock()
	for range r.results { // closed when the last worker is gone
	}
}

// hire adds a worker that handles the slots it is given.
func (r *run) hire(ctx context.Context, source func(context.Context) (slot, bool)) {
	w := newWorker(r)
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		return // stop has seen all the workers there will be
	}
	r.workers = append(r.workers, w)
	r.running.Go(func() {
		for s, ok := source(ctx); ok; s, ok = source(ctx) {
			flow := w.flow(ctx, s)
			if ctx.Err() != nil {
				return // cut off by us: no sample
			}
			r.busy.Add(-1)
			r.results <- flow
		}
	})
}

// next is the pacer's list: as many slots as Count flows need.
func (r *run) next() (slot, bool) {
	if r.options.Count > 0 && r.planned == r.options.Count {
		return slot{}, false
	}
	return r.schedule.next(), true
}

// launch hands a slot to a worker, or leaves it out when as many flows are under
// way, or waiting to be yielded, as may be.
func (r *run) launch(ctx context.Context, s slot) {
	if int(r.busy.Load()) < r.options.InFlight {
		select {
		case r.tokens <- struct{}{}:
			if r.busy.Add(1) > int64(len(r.workers)) {
				r.hire(ctx, r.given)
			}
			r.paced <- r.assign(s)
			return
		default:
		}
	}
	r.skipped[s.port]++
	r.notSent.Add(1)
}

// assign gives a slot its place among the flows.
func (r *run) assign(s slot) slot {
	s.index, s.skipped = r.planned, r.skipped[s.port]
	r.planned++
	r.skipped[s.port] = 0
	return s
}

// given is a worker's source when there is a rate.
func (r *run) given(ctx context.Context) (slot, bool) {
	select {
	case s, ok := <-r.paced:
		return s, ok
	case <-ctx.Done():
		return slot{}, false
	}
}

// take is a worker's source when there is none: the next slot, now.
func (r *run) take(ctx context.Context) (slot, bool) {
	select {
	case r.tokens <- struct{}{}:
	case <-ctx.Done():
		return slot{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.next()
	if !ok || ctx.Err() != nil {
		return slot{}, false
	}
	r.busy.Add(1)
	s = r.assign(s)
	s.at = time.Since(r.begin)
	return s, true
}

// alone yields the flows of the one worker there is, which runs in the very loop that
// yields, and waits for its sockets itself: to wake somebody for each flow would cost a
// fifth of what a flow costs.
func (r *run) alone(ctx context.Context, yield func(Flow) bool) {
	w := newWorker(r)
	w.conversation.alone = true
	defer whenDone(ctx, w.conversation.cut)()
	for s, ok := r.take(ctx); ok; s, ok = r.take(ctx) {
		flow := w.flow(ctx, s)
		if ctx.Err() != nil {
			return // cut off by us: no sample
		}
		r.busy.Add(-1)
		<-r.tokens
		if !yield(flow) {
			return
		}
	}
}

// deliver yields what has finished, in scheduled order.
func (r *run) deliver(ctx context.Context, yield func(Flow) bool) {
	var waiting reorder
	for ctx.Err() == nil {
		select {
		case flow, ok := <-r.results:
			if !ok {
				return
			}
			waiting.put(flow)
		case <-ctx.Done():
			return
		}
		for flow, ok := waiting.pop(); ok; flow, ok = waiting.pop() {
			<-r.tokens
			if !yield(flow) || ctx.Err() != nil {
				return
			}
		}
	}
}
