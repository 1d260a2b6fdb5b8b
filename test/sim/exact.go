package main

import "github.com/org/l4-canary/internal/stats"

// negligible is the probability below which a course is not followed.
const negligible = 1e-13

// course is the law of a sequential rule that looks after every answer: what it
// ends in, and after how many answers. It is exact but for courses less likely
// than 1e-13.
type course struct {
	pass, fail, inconclusive float64
	mean                     float64 // answers until it ends
	median, p90              int     // answers by which half, nine tenths, have ended
	ended                    float64
}

// follow computes the course of a rule where each answer is the canary's with
// probability p, by dynamic programming over n: alive[k] is the probability that
// the rule is still open after n answers, k of them the canary's.
func (r ruling) follow(p float64) course {
	var c course
	alive := make([]float64, len(r)+1)
	alive[0] = 1
	first, last := 0, 0 // the k that are alive
	for n := 1; n < len(r) && first <= last; n++ {
		last++
		for k := last; k > first; k-- {
			alive[k] = alive[k]*(1-p) + alive[k-1]*p
		}
		alive[first] *= 1 - p
		for k := first; k <= last; k++ {
			if n < len(r)-1 && r[n].open(int32(k)) {
				continue
			}
			c.end(r, k, n, alive[k])
			alive[k] = 0
		}
		for first <= last && alive[first] < negligible {
			alive[first] = 0
			first++
		}
		for first <= last && alive[last] < negligible {
			alive[last] = 0
			last--
		}
	}
	return c
}

// end books a course of probability p that ended after k of n answers.
func (c *course) end(r ruling, k, n int, p float64) {
	switch r.says(k, n) {
	case stats.Pass:
		c.pass += p
	case stats.Fail:
		c.fail += p
	case stats.Inconclusive, stats.Continue:
		c.inconclusive += p
	}
	c.mean += p * float64(n)
	c.ended += p
	if c.median == 0 && c.ended >= 0.5 {
		c.median = n
	}
	if c.p90 == 0 && c.ended >= 0.9 {
		c.p90 = n
	}
}

// takingTurns is after how many answers the rule ends if every k is as near to
// the share as it can be, as with a round robin that nobody else uses.
func (r ruling) takingTurns(share float64) int {
	for n := 1; n < len(r)-1; n++ {
		if !r[n].open(int32(share*float64(n) + 0.5)) {
			return n
		}
	}
	return len(r) - 1
}
