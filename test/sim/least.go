package main

import (
	"math"
	"math/rand/v2"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// crowd is who else uses a service: so many clients begin a connection between two
// samples, on average, and hold it for so many samples.
type crowd struct{ arrivals, stay float64 }

// fewest sends each flow to the endpoint with the fewest connections: IPVS lc,
// leastconn, weighted least connections. Stable pods have what the clients have
// built up, evenly; the canary's pods are fresh and have none, so that everything
// goes to them until they have caught up. A sample is over before the next begins.
func fewest(c crowd) balancer {
	return func(endpoints []rollout.Endpoint, chance *rand.Rand) law {
		open, via := make([]int, len(endpoints)), viaA()
		stable := 0 // they come first
		for stable < len(endpoints) && endpoints[stable].Side == probe.Stable {
			stable++
		}
		if stable > 0 {
			for i := range poisson(c.arrivals*c.stay, chance) {
				open[i%stable]++
			}
		}
		return func(int) probe.Flow {
			for i := range open {
				open[i] -= binomial(open[i], 1/c.stay, chance)
			}
			for range poisson(c.arrivals, chance) {
				open[least(open, chance)]++
			}
			return answer(endpoints[least(open, chance)], via)
		}
	}
}

// least is one of those with the fewest, any of them.
func least(open []int, chance *rand.Rand) int {
	best, ties := 0, 0
	for i, n := range open {
		switch {
		case ties == 0 || n < open[best]:
			best, ties = i, 1
		case n == open[best]:
			if ties++; chance.IntN(ties) == 0 {
				best = i
			}
		}
	}
	return best
}

// poisson draws a number of arrivals, by counting exponential gaps (Devroye 1986, X.3).
func poisson(mean float64, chance *rand.Rand) int {
	n := 0
	for at := chance.ExpFloat64(); at < mean; at += chance.ExpFloat64() {
		n++
	}
	return n
}

// binomial draws how many of n end, by leaping over those that do not.
func binomial(n int, p float64, chance *rand.Rand) int {
	ended := 0
	for at := leap(p, chance); at < n; at += 1 + leap(p, chance) {
		ended++
	}
	return ended
}

// leap is how many do not end before the next that does: geometric.
func leap(p float64, chance *rand.Rand) int {
	return int(chance.ExpFloat64() / -math.Log1p(-p))
}
