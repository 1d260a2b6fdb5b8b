package main

import (
	"math"
	"sort"

	"github.com/org/l4-canary/internal/stats"
)

// negligible is the probability below which a course is not followed.
const negligible = 1e-13

// course is the law of a rule that looks after every answer: what it ends in, and
// after how many answers. It is exact but for courses less likely than 1e-13.
type course struct {
	pass, fail, inconclusive float64
	mean, sd                 float64   // of the number of answers
	by                       []float64 // by[n] is the probability of an end by n answers
}

// follow computes the course of a rule that ends at limit, where each answer is the
// canary's with probability p, by dynamic programming: alive[k] is the probability
// that the rule is still open after n answers of which k are the canary's.
//
// Example: the test of 10 ± 5 % at 95 %, followed with p = 0.1 to its limit of 1560,
// takes 487 answers on average, half of its courses have ended by 427 and nine
// tenths by 735.
func (r ruling) follow(p float64, limit int) course {
	c := course{by: make([]float64, limit+1)}
	alive := make([]float64, limit+2)
	alive[0] = 1
	first, last := 0, 0 // the k that are alive
	for n := 1; n <= limit; n++ {
		last++
		for k := last; k > first; k-- {
			alive[k] = alive[k]*(1-p) + alive[k-1]*p
		}
		alive[first] *= 1 - p
		c.by[n] = c.by[n-1]
		for k := first; k <= last; k++ {
			if n == limit || !r[n].open(int32(k)) {
				c.end(r.says(k, n), alive[k], n)
				alive[k] = 0
			}
		}
		for first < last && alive[first] < negligible {
			alive[first] = 0
			first++
		}
		for first < last && alive[last] < negligible {
			alive[last] = 0
			last--
		}
	}
	c.sd = math.Sqrt(max(0, c.sd-c.mean*c.mean))
	return c
}

// end books a course of probability p that ends after n answers. Until all are
// booked, sd is the mean square.
func (c *course) end(decision stats.Decision, p float64, n int) {
	switch decision {
	case stats.Pass:
		c.pass += p
	case stats.Fail:
		c.fail += p
	case stats.Inconclusive, stats.Continue:
		c.inconclusive += p
	}
	answers := float64(n)
	c.mean += p * answers
	c.sd += p * answers * answers
	c.by[n] += p
}

// quantile is the number of answers by which a fraction of the courses has ended.
func (c course) quantile(q float64) int {
	return sort.SearchFloat64s(c.by, q)
}

// takingTurns is after how many answers the rule ends if every k is as near to
// the share as it can be, as with a round robin that nobody else uses.
func (r ruling) takingTurns(share float64) int {
	n := 1
	for n < len(r)-1 && r[n].open(int32(math.Round(share*float64(n)))) {
		n++
	}
	return n
}
