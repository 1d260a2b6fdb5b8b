package stats

import "math"

// EquivalenceP returns the p-value of the exact two one-sided tests that a share lies strictly inside a band (Schuirmann,
// Journal of Pharmacokinetics and Biopharmaceutics 15, 1987): the larger of P(X >= k | band.Lo) and P(X <= k | band.Hi).
// It is the reference at one fixed n; [ShareTest] is what may be watched.
//
// Ranges: 0 <= k <= n, n > 0 and a band within 0..1, else NaN. Example: 50 of 500 in 5 %..15 % gives 0.000652.
func EquivalenceP(k, n int, band Interval) float64 {
	if !validCounts(k, n) || n == 0 {
		return math.NaN()
	}
	return max(BinomialAtLeast(k, n, band.Lo), BinomialAtMost(k, n, band.Hi))
}

// DifferenceInterval returns the two-sided interval of the difference of two rates, k1/n1 - k2/n2, from -1 to 1, built
// from their Wilson intervals (method 10 of Newcombe, Statistics in Medicine 17, 1998, 873-890). It supposes one look.
//
// Ranges: as [Wilson], each n > 0; otherwise it is [-1, 1].
//
// Example: 56/70 - 48/80 = 0.2 lies within 0.0524 and 0.3339 at 95 %.
func DifferenceInterval(k1, n1, k2, n2 int, confidence float64) (lo, hi float64) {
	if !validCounts(k1, n1) || !validCounts(k2, n2) || n1 == 0 || n2 == 0 || math.IsNaN(alphaOf(confidence)) {
		return -1, 1
	}
	p1, p2 := float64(k1)/float64(n1), float64(k2)/float64(n2)
	first, second := Wilson(k1, n1, confidence), Wilson(k2, n2, confidence)
	return p1 - p2 - math.Hypot(p1-first.Lo, second.Hi-p2), p1 - p2 + math.Hypot(first.Hi-p1, p2-second.Lo)
}

// ObservedShare returns the share of the new version among answered probes when failed ones drop out of the count:
// w(1-e_new) / (w(1-e_new) + (1-w)(1-e_old)). It shows how far failures bend a measured share.
//
// Ranges: fractions; NaN if nothing is answered. Example: at w = 0.1, a new version that fails half the time is seen at
// 0.05/0.95 = 0.0526.
func ObservedShare(w, newRate, oldRate float64) float64 {
	answered := w * (1 - newRate)
	return answered / (answered + (1-w)*(1-oldRate))
}

// DesignEffect returns by how much n samples over a number of source ports are worth less than independent ones when the
// balancer hashes the port: 1 + (n-1)/ports, the factor on the variance.
//
// Ranges: n >= 1, ports >= 1, else NaN. Example: 5000 samples over 1024 ports: 5.9.
func DesignEffect(n, ports int) float64 {
	if n < 1 || ports < 1 {
		return math.NaN()
	}
	return 1 + float64(n-1)/float64(ports)
}
