package stats

import "math"

// Interval is a closed range of shares or rates, as fractions with 0 <= Lo <= Hi <= 1. The zero value holds only 0.
type Interval struct {
	Lo float64
	Hi float64
}

// everything is the interval that claims nothing.
var everything = Interval{Lo: 0, Hi: 1}

// Contains reports whether p lies in the interval, its ends included. NaN is never contained.
func (i Interval) Contains(p float64) bool {
	return i.Lo <= p && p <= i.Hi
}

// Width returns Hi - Lo.
func (i Interval) Width() float64 {
	return i.Hi - i.Lo
}

// bisections halves an interval to the last bit of its smaller end.
const bisections = 60

// ConfidenceSequence returns the always-valid interval {p: M_n(p) < 1/alpha} of a share after k hits in n trials: with
// probability at least 1-alpha it covers the true share at all n at once, whatever made one stop at this n. It contains
// k/n. See [LogMixture] for the statistic and the source; the ends are found by bisection, for ln M is convex in p.
//
// Ranges: 0 <= k <= n, 0 < alpha < 1, m > 0; otherwise, and for n = 0, it is [0, 1].
//
// Example: ConfidenceSequence(43, 430, 0.05, Concentration(390, 0.05)) = [0.06113451, 0.14892677]: after 430 answers a
// share of 10 % is known to lie inside 5 %..15 %.
func ConfidenceSequence(k, n int, alpha, m float64) Interval {
	return confidenceSequence(float64(k), float64(n), alpha, m)
}

// confidenceSequence is ConfidenceSequence for real counts. With one hit ln M stays below 0 as p goes to 0, hence the
// lower end 0 up to k = 1, and the mirror image above.
func confidenceSequence(k, n, alpha, m float64) Interval {
	if !(k >= 0 && k <= n && n > 0 && alpha > 0 && alpha < 1 && m > 0) || math.IsInf(n, 1) || math.IsInf(m, 1) {
		return everything
	}
	threshold := -math.Log(alpha)
	rejected := func(p float64) bool { return logMixture(k, n, p, m) >= threshold }
	bounds := everything
	if k > 1 {
		bounds.Lo = bisect(0, k/n, rejected)
	}
	if n-k > 1 {
		bounds.Hi = bisect(1, k/n, rejected)
	}
	return bounds
}

// bisect returns the point between outside and inside at which holds turns from true to false, given that it does so
// once. outside may lie on either side of inside. The returned point is the last one known to be inside.
func bisect(outside, inside float64, holds func(float64) bool) float64 {
	for range bisections {
		middle := outside + (inside-outside)/2
		if holds(middle) {
			outside = middle
		} else {
			inside = middle
		}
	}
	return inside
}

// Wilson returns the two-sided score interval of a share after k hits in n trials, the usual descriptive interval when n
// was fixed beforehand (Wilson 1927; method 3 of Newcombe, Statistics in Medicine 17, 1998). It is not valid if one
// looked repeatedly and chose when to stop.
//
// Ranges: 0 <= k <= n, 0 < confidence < 1; otherwise, and for n = 0, it is [0, 1].
//
// Example: Wilson(81, 263, 0.95) = [0.2553, 0.3662].
func Wilson(k, n int, confidence float64) Interval {
	alpha := alphaOf(confidence)
	if !validCounts(k, n) || n == 0 || math.IsNaN(alpha) {
		return everything
	}
	z := NormalQuantile(1 - alpha/2)
	size, hits := float64(n), float64(k)
	centre := hits + z*z/2
	spread := z * math.Sqrt(hits*(size-hits)/size+z*z/4)
	bounds := Interval{Lo: max(0, (centre-spread)/(size+z*z)), Hi: min(1, (centre+spread)/(size+z*z))}
	// At the ends the formula is exactly 0 or 1, but rounding leaves a residue.
	if k == 0 {
		bounds.Lo = 0
	}
	if k == n {
		bounds.Hi = 1
	}
	return bounds
}

// ClopperPearson returns the two-sided exact interval of a share after k hits in n trials (Clopper and Pearson,
// Biometrika 26, 1934), each tail at most (1-confidence)/2. Like [Wilson] it supposes that n was fixed beforehand.
//
// Ranges: 0 <= k <= n, 0 < confidence < 1; otherwise, and for n = 0, it is [0, 1].
//
// Example: ClopperPearson(0, 20, 0.95) = [0, 0.1684].
func ClopperPearson(k, n int, confidence float64) Interval {
	alpha := alphaOf(confidence)
	return Interval{Lo: 1 - exactUpper(n-k, n, alpha/2), Hi: exactUpper(k, n, alpha/2)}
}

// ClopperPearsonUpper returns the one-sided exact upper bound of a share after k hits in n trials: the largest p for which
// k or fewer hits have a probability of at least 1-confidence.
//
// Ranges: 0 <= k <= n, 0 < confidence < 1; otherwise, and for n = 0, it is 1.
//
// Example: ClopperPearsonUpper(1, 1000, 0.975) = 0.005558924.
func ClopperPearsonUpper(k, n int, confidence float64) float64 {
	return exactUpper(k, n, alphaOf(confidence))
}

// exactUpper solves P(X <= k | n, p) = tail for p.
func exactUpper(k, n int, tail float64) float64 {
	if !validCounts(k, n) || k == n || math.IsNaN(tail) {
		return 1
	}
	return bisect(1, float64(k)/float64(n), func(p float64) bool { return BinomialAtMost(k, n, p) < tail })
}

// validCounts reports whether k hits in n trials are possible.
func validCounts(k, n int) bool {
	return 0 <= k && k <= n
}
