package main

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/stats"
)

// law says what flow number i of a stage becomes.
type law func(i int) probe.Flow

// balancer is how new flows are spread over endpoints, drawn anew for each stage.
type balancer func(endpoints []rollout.Endpoint, chance *rand.Rand) law

// The balancer's addresses.
func viaA() netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, 1}) }
func viaB() netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, 2}) }

// answer is a flow that an endpoint answered.
func answer(e rollout.Endpoint, via netip.Addr) probe.Flow {
	return probe.Flow{Class: probe.Answered, Version: e.Side, Address: via, FirstByte: 3 * time.Millisecond}
}

// independent sends each flow to any endpoint: kube-proxy with iptables or
// nftables, Cilium.
func independent(endpoints []rollout.Endpoint, chance *rand.Rand) law {
	via := viaA()
	return func(int) probe.Flow { return answer(endpoints[chance.IntN(len(endpoints))], via) }
}

// roundRobin takes turns, in an order and from a place that nobody knows. The
// prober is alone and makes one flow a sample: with two, it would see every other
// endpoint only.
func roundRobin(endpoints []rollout.Endpoint, chance *rand.Rand) law {
	via, ring := viaA(), shuffled(endpoints, chance)
	return func(i int) probe.Flow { return answer(ring[i%len(ring)], via) }
}

// nodeThenPod sends each flow to any node that has endpoints, and there to any of
// them: policy Local.
func nodeThenPod(endpoints []rollout.Endpoint, chance *rand.Rand) law {
	at := map[string]int{}
	var nodes [][]rollout.Endpoint
	for _, e := range endpoints {
		if _, known := at[e.Node]; !known {
			at[e.Node] = len(nodes)
			nodes = append(nodes, nil)
		}
		nodes[at[e.Node]] = append(nodes[at[e.Node]], e)
	}
	via := viaA()
	return func(int) probe.Flow {
		local := nodes[chance.IntN(len(nodes))]
		return answer(local[chance.IntN(len(local))], via)
	}
}

// bySource sends a client to one endpoint for ever: IPVS sh, session affinity.
func bySource(endpoints []rollout.Endpoint, chance *rand.Rand) law {
	mine, via := endpoints[chance.IntN(len(endpoints))], viaA()
	return func(int) probe.Flow { return answer(mine, via) }
}

// bySourceOfTwo is bySource on each of two addresses, which are asked in turns.
func bySourceOfTwo(endpoints []rollout.Endpoint, chance *rand.Rand) law {
	via := [2]netip.Addr{viaA(), viaB()}
	mine := [2]rollout.Endpoint{endpoints[chance.IntN(len(endpoints))], endpoints[chance.IntN(len(endpoints))]}
	return func(i int) probe.Flow { return answer(mine[i%2], via[i%2]) }
}

// unrecognised is a balancer some of whose answers match no pattern.
func unrecognised(rate float64, of balancer) balancer {
	return func(endpoints []rollout.Endpoint, chance *rand.Rand) law {
		flows := of(endpoints, chance)
		return func(i int) probe.Flow {
			f := flows(i)
			if chance.Float64() < rate {
				f.Version = probe.Unknown
			}
			return f
		}
	}
}

// leaning gives the canary a share that is off by so many tolerances of five points.
func leaning(off float64) balancer {
	return func(endpoints []rollout.Endpoint, chance *rand.Rand) law {
		expected := rollout.State{Endpoints: endpoints}.ExpectedWeight()
		test := stats.NewShareTest(expected.Fraction(), judgedTolerance.Fraction(), judgedConfidence.Fraction())
		share, via := test.Expected+off*test.Tolerance, viaA()
		return func(int) probe.Flow {
			side := probe.Stable
			if chance.Float64() < share {
				side = probe.Canary
			}
			return answer(rollout.Endpoint{Side: side}, via)
		}
	}
}

func shuffled(endpoints []rollout.Endpoint, chance *rand.Rand) []rollout.Endpoint {
	ring := append([]rollout.Endpoint(nil), endpoints...)
	chance.Shuffle(len(ring), func(i, j int) { ring[i], ring[j] = ring[j], ring[i] })
	return ring
}
