package stats

import (
	"math"
	"math/big"
	"math/rand/v2"
)

// productLogMixture evaluates the product form of M_n(p) with 160 bits, the reference for the rearranged formula.
func productLogMixture(k, n int, p, m float64) float64 {
	number := func(v float64) *big.Float { return new(big.Float).SetPrec(160).SetFloat64(v) }
	share, rest := number(p), new(big.Float).SetPrec(160).Sub(number(1), number(p))
	a, b, size := number(0).Mul(number(m), share), number(0).Mul(number(m), rest), number(m)
	top, bottom, term, index := number(1), number(1), number(0), number(0)
	for i := range n {
		if i < k {
			top.Mul(top, term.Add(a, index.SetInt64(int64(i))))
			bottom.Mul(bottom, share)
		} else {
			top.Mul(top, term.Add(b, index.SetInt64(int64(i-k))))
			bottom.Mul(bottom, rest)
		}
		bottom.Mul(bottom, term.Add(size, index.SetInt64(int64(i))))
	}
	mantissa := new(big.Float)
	exponent := top.Quo(top, bottom).MantExp(mantissa)
	fraction, _ := mantissa.Float64()
	return math.Log(fraction) + float64(exponent)*math.Ln2
}

// summedLogMixture adds the logarithms of the product form one by one with Kahan's compensation, for large n.
func summedLogMixture(k, n int, p, m float64) float64 {
	sum, lost := 0.0, 0.0
	for i := range n {
		size := m + float64(i)
		factor := (m*p + float64(i)) / (p * size)
		if i >= k {
			factor = (m*(1-p) + float64(i-k)) / ((1 - p) * size)
		}
		term := math.Log(factor) - lost
		next := sum + term
		lost = (next - sum) - term
		sum = next
	}
	return sum
}

// course is the exact law of a sequential test that looks after every probe.
type course struct {
	pass, fail, open float64 // probabilities by the limit
	median, p90      int     // probes by which half, and nine tenths, have ended; 0 if fewer have
	mean             float64 // expected number of probes, the limit for those that are open
}

// follow computes the course by dynamic programming over the number of hits, with the share p of the new version.
// Outcomes less likely than 1e-13 are dropped.
func follow(p float64, limit int, decide func(k, n int) Decision) course {
	var c course
	alive := make([]float64, limit+2)
	alive[0] = 1
	first, last := 0, 0 // the hits that are possible
	for n := 1; n <= limit && first <= last; n++ {
		last++
		for k := last; k >= first; k-- {
			alive[k] *= 1 - p
			if k > first {
				alive[k] += alive[k-1] * p
			}
		}
		for k := first; k <= last; k++ {
			if alive[k] < 1e-13 {
				continue
			}
			decision := decide(k, n)
			if decision == Continue {
				continue
			}
			c.end(decision, alive[k], n)
			alive[k] = 0
		}
		for first <= last && alive[first] < 1e-13 {
			alive[first] = 0
			first++
		}
		for first <= last && alive[last] < 1e-13 {
			alive[last] = 0
			last--
		}
	}
	for k := first; k <= last; k++ {
		c.open += alive[k]
		c.mean += alive[k] * float64(limit)
	}
	return c
}

// end books a final decision of probability p after n probes.
func (c *course) end(decision Decision, p float64, n int) {
	if decision == Inconclusive {
		c.open += p
	}
	if decision == Pass {
		c.pass += p
	}
	if decision == Fail {
		c.fail += p
	}
	c.mean += p * float64(n)
	if c.median == 0 && c.pass+c.fail >= 0.5 {
		c.median = n
	}
	if c.p90 == 0 && c.pass+c.fail >= 0.9 {
		c.p90 = n
	}
}

// banded is a test whose tolerance is not clipped, for the reference tables that have such rows.
func banded(expected, tolerance, confidence float64) ShareTest {
	t := NewShareTest(expected, tolerance, confidence)
	t.Tolerance = tolerance
	t.Band = Interval{Lo: max(0, expected-tolerance), Hi: min(1, expected+tolerance)}
	return t.tuned(t.Alpha)
}

// dice is a reproducible source for property tests.
func dice(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 0))
}
