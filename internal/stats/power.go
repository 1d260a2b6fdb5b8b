package stats

import "math"

// negligible is the probability below which an outcome is left out of a sum.
const negligible = 1e-12

// Power returns the probability that n attributed probes are enough for the gate to fail a version, if new and old fail
// at the given rates and new gets exactly the share weight. It looks once, at n, where the gate looks after every probe; against
// simulations of the gate the number of probes for a power of 90 % is right within about a tenth.
//
// Ranges: rates and weight from 0 to 1, n >= 0, else NaN.
//
// Example: at a weight of 10 %, 2000 probes show a rise from 0.1 % to 5 % with a probability of 95 %.
func (g AttributedGate) Power(newRate, oldRate, weight float64, n int) float64 {
	if !(unit(newRate) && unit(oldRate) && unit(weight)) || n < 0 || !g.valid() {
		return math.NaN()
	}
	probesNew := int(math.Round(float64(n) * weight))
	probesOld := n - probesNew
	bound, threshold := g.bound(probesNew, n), math.Log(2/g.Alpha)
	power, needed := 0.0, 0
	for old := 0; old <= probesOld; old++ {
		p := binomialProbability(old, probesOld, oldRate)
		if p < negligible {
			if float64(old) > float64(probesOld)*oldRate {
				break
			}
			continue
		}
		// One more failure of old never makes fewer of new suffice, so the search goes on where it stopped.
		for needed <= probesNew && above(needed, needed+old, bound, g.Concentration, threshold).Decision != Fail {
			needed++
		}
		power += p * BinomialAtLeast(needed, probesNew, newRate)
	}
	return min(1, power)
}

// DetectableRate returns the smallest failure rate of the new version that n attributed probes would have shown with the
// given probability, if old fails at oldRate: the "would have been seen" of the report. It is 1 if even a version that
// always fails would have been missed.
//
// Ranges: as [AttributedGate.Power], 0 < probability < 1, else NaN.
//
// Example: at a weight of 10 % and an old rate of 0.1 %, 1000 probes show a rise to 8.2 % with a probability of 90 %.
func (g AttributedGate) DetectableRate(oldRate, weight float64, n int, probability float64) float64 {
	if math.IsNaN(g.Power(1, oldRate, weight, n)) || !(probability > 0 && probability < 1) {
		return math.NaN()
	}
	missed, found := 0.0, 1.0
	for range 20 { // a millionth is more than any report prints
		middle := missed + (found-missed)/2
		if g.Power(middle, oldRate, weight, n) >= probability {
			found = middle
		} else {
			missed = middle
		}
	}
	return found
}

// binomialProbability returns P(X = k) of n trials with probability p each.
func binomialProbability(k, n int, p float64) float64 {
	switch p {
	case 0:
		return boolProbability(k == 0)
	case 1:
		return boolProbability(k == n)
	}
	return math.Exp(logChoose(n, k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

func boolProbability(certain bool) float64 {
	if certain {
		return 1
	}
	return 0
}

// unit reports whether p is a fraction from 0 to 1.
func unit(p float64) bool {
	return p >= 0 && p <= 1
}
