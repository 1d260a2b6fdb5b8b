package rollout_test

import (
	"context"
	"iter"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// balancer is the prober: it answers by the cluster's share, a flow every 20 ms.
type balancer struct {
	cluster *cluster
	answer  func(share float64, random *rand.Rand) probe.Flow // nil: by the share
}

func (b *balancer) Sampler(_ context.Context, aim rollout.Aim) (rollout.Flows, error) {
	return &stream{balancer: b, random: rand.New(rand.NewPCG(aim.Seed, 0)), every: 20 * time.Millisecond}, nil
}

// quiet is the same at a tenth of the rate.
type quiet struct {
	*balancer
	streams []*stream
	err     error
}

func (q *quiet) Sampler(_ context.Context, aim rollout.Aim) (rollout.Flows, error) {
	s := &stream{balancer: q.balancer, random: rand.New(rand.NewPCG(aim.Seed, 1)), every: 200 * time.Millisecond}
	q.streams = append(q.streams, s)
	return s, q.err
}

// become changes what the balancer answers while it is sampled.
func (b *balancer) become(answer func(share float64, random *rand.Rand) probe.Flow) {
	b.cluster.mu.Lock()
	defer b.cluster.mu.Unlock()
	b.answer = answer
}

// flow is the next one.
func (b *balancer) flow(random *rand.Rand) probe.Flow {
	share := b.cluster.share()
	b.cluster.mu.Lock()
	answer := b.answer
	b.cluster.mu.Unlock()
	flow := byShare(share, random)
	if answer != nil {
		flow = answer(share, random)
	}
	return flow
}

type stream struct {
	balancer *balancer
	random   *rand.Rand
	every    time.Duration
	sent     int
}

func (s *stream) Err() error { return nil }

func (s *stream) Stats() probe.Stats { return probe.Stats{Sent: s.sent, Rate: 50} }

func (s *stream) Flows(ctx context.Context) iter.Seq[probe.Flow] {
	return func(yield func(probe.Flow) bool) {
		ticker := time.NewTicker(s.every)
		defer ticker.Stop()
		for ; ; s.sent++ {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			flow := s.balancer.flow(s.random)
			flow.Index, flow.Scheduled = s.sent, time.Duration(s.sent)*s.every
			if !yield(flow) {
				return
			}
		}
	}
}

func byShare(share float64, random *rand.Rand) probe.Flow {
	version := probe.Stable
	if random.Float64() < share {
		version = probe.Canary
	}
	return probe.Flow{Class: probe.Answered, Version: version, Address: netip.MustParseAddr("192.0.2.7"), FirstByte: time.Millisecond}
}
