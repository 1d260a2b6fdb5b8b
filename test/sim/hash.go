package main

import (
	"math/rand/v2"
	"sync"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// tableSize is that of Cilium's tables by default: a prime well above a hundred
// times the endpoints.
const tableSize = 16381

// firstPort and ports are Linux' range of source ports.
const firstPort, ports = 32768, 28232

// byFlow hashes the five-tuple into a table of Maglev. Address and ports of the
// service and the client's address are the same for every flow, so that they are
// the hash's seed; the source port is the next of the sweep.
//
// With fewer source ports than Linux has, as behind a NAT with a small pool, flows
// come back to where they were: those are copies and no further samples.
func byFlow(pool int) balancer {
	var tables sync.Map // by the number of endpoints; every stage asks for the same
	return func(endpoints []rollout.Endpoint, chance *rand.Rand) law {
		made, known := tables.Load(len(endpoints))
		if !known {
			made, _ = tables.LoadOrStore(len(endpoints), maglev(len(endpoints), tableSize))
		}
		table, via := made.([]uint16), viaA()
		seed, sweep := chance.Uint64(), chance.IntN(pool)
		return func(i int) probe.Flow {
			port := uint64(firstPort + (sweep+i)%pool)
			return answer(endpoints[table[mix(seed^port)%tableSize]], via)
		}
	}
}

// maglev fills a lookup table as in Eisenbud et al. 2016, section 3.4: each
// endpoint walks over the table in an order of its own, and they take turns in
// claiming the next place that is free.
func maglev(endpoints, size int) []uint16 {
	offset, skip, step := make([]int, endpoints), make([]int, endpoints), make([]int, endpoints)
	for e := range endpoints {
		offset[e] = int(mix(uint64(e)) % uint64(size))
		skip[e] = int(mix(mix(uint64(e)+1<<32))%uint64(size-1)) + 1
	}
	table, taken := make([]uint16, size), make([]bool, size)
	for filled := 0; ; {
		for e := range endpoints {
			place := 0
			for {
				place = (offset[e] + step[e]*skip[e]) % size
				step[e]++
				if !taken[place] {
					break
				}
			}
			table[place], taken[place] = uint16(e), true
			if filled++; filled == size {
				return table
			}
		}
	}
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood 2014), a hash of one word.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
