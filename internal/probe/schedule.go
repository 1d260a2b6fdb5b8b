package probe

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// The random streams that one seed feeds, kept apart so that a change to one
// does not change the others.
const (
	streamGaps uint64 = iota + 1
	streamPorts
	streamAddresses
	streamSweep
)

// slot is one planned start.
type slot struct {
	at      time.Duration // since the sampling began
	port    int
	address int
	index   int // of the flow, set when the slot is used
	skipped int // slots of the port before it that were not
}

// schedule is the endless list of slots: a pure function of its seed and sizes.
// Gaps are exponential, so that no round robin, cron job or health check can
// run in step with it.
type schedule struct {
	rate      float64 // 0: every slot is due at once
	now       time.Duration
	gaps      *rand.Rand
	ports     interface{ draw() int }
	addresses []*bag // per port
}

// newSchedule is the schedule of ports with these rates: each port's slots are a
// Poisson process of its own rate. Ports of one rate come evenly, too.
func newSchedule(seed uint64, rates []float64, addresses int) *schedule {
	s := &schedule{gaps: rand.New(rand.NewPCG(seed, streamGaps))}
	for _, rate := range rates {
		s.rate += rate
	}
	choice := rand.New(rand.NewPCG(seed, streamPorts))
	if slices.Max(rates) == slices.Min(rates) {
		s.ports = newBag(choice, len(rates))
	} else {
		s.ports = &lot{source: choice, rates: rates, sum: s.rate}
	}
	source := rand.New(rand.NewPCG(seed, streamAddresses))
	for range rates {
		s.addresses = append(s.addresses, newBag(source, addresses))
	}
	return s
}

// PortRates is how the rate of a sampler is shared by its ports: evenly, except that
// none goes faster than it may. What one leaves is not given to the others. Without a
// rate, and with a limit, all go as fast as the slowest may.
func PortRates(rate float64, ports []Port) []float64 {
	rates := make([]float64, len(ports))
	slowest := math.Inf(1)
	for i, port := range ports {
		rates[i] = rate / float64(len(ports))
		if port.Rate > 0 {
			slowest = min(slowest, port.Rate)
			rates[i] = min(rates[i], port.Rate)
		}
	}
	if rate == 0 && !math.IsInf(slowest, 1) {
		for i := range rates {
			rates[i] = slowest
		}
	}
	return rates
}

// lot draws numbers in proportion to their rates.
type lot struct {
	source *rand.Rand
	rates  []float64
	sum    float64
}

func (l *lot) draw() int {
	x := l.source.Float64() * l.sum
	for i, rate := range l.rates {
		if x -= rate; x < 0 {
			return i
		}
	}
	return len(l.rates) - 1 // rounding
}

func (s *schedule) next() slot {
	if s.rate > 0 {
		s.now += time.Duration(s.gaps.ExpFloat64() / s.rate * float64(time.Second))
	}
	port := s.ports.draw()
	return slot{at: s.now, port: port, address: s.addresses[port].draw()}
}

// bag draws the numbers below its size, each once, before any comes again. That
// is as even as taking turns, but a ring of as many pods as there are turns
// cannot fall in step with it.
type bag struct {
	source *rand.Rand
	order  []int
	drawn  int
}

func newBag(source *rand.Rand, size int) *bag {
	b := &bag{source: source, order: make([]int, size), drawn: size}
	for i := range b.order {
		b.order[i] = i
	}
	return b
}

func (b *bag) draw() int {
	if b.drawn == len(b.order) {
		b.drawn = 0
		b.source.Shuffle(len(b.order), func(i, j int) { b.order[i], b.order[j] = b.order[j], b.order[i] })
	}
	b.drawn++
	return b.order[b.drawn-1]
}

// maxLate is how late a start may be made up for. Timers wake some milliseconds
// late on a busy machine, which evens out; whatever is more is a stall of the
// prober itself.
const maxLate = 10 * time.Millisecond

// pace launches slots at their instants, counted from its call, until next or
// ctx ends. It waits for no answer. After a stall the schedule begins again
// where it was: the slots that would have been due meanwhile are moved, not
// launched in a burst.
func pace(ctx context.Context, next func() (slot, bool), launch func(slot)) {
	begin := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var moved time.Duration
	for s, ok := next(); ok; s, ok = next() {
		s.at += moved
		if wait := s.at - time.Since(begin); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return
		}
		if late := time.Since(begin) - s.at; late > maxLate {
			moved += late
		}
		launch(s)
	}
}
