package stats

import (
	"math"
	"slices"
	"sort"
)

// quantileTail is the number of values that should lie beyond a quantile before it is printed: 100 values for a p95, 500
// for a p99.
const quantileTail = 5

// Quantile returns the q-quantile of values sorted in ascending order, interpolated linearly between the ranks around
// 1+(n-1)q (type 7 of Hyndman and Fan, The American Statistician 50, 1996, the default of R and numpy).
//
// Ranges: 0 <= q <= 1 and at least one value, else NaN. Example: Quantile([]float64{1, 2, 4}, 0.75) = 3.
func Quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 || !(q >= 0 && q <= 1) {
		return math.NaN()
	}
	rank := q * float64(len(sorted)-1)
	low := int(rank)
	if low == len(sorted)-1 {
		return sorted[low]
	}
	return sorted[low] + (rank-float64(low))*(sorted[low+1]-sorted[low])
}

// QuantileMinSize returns how many values the q-quantile needs before it is worth printing, 5/(1-q) or 5/q rounded up:
// 10 for a median, 100 for a p95, 500 for a p99. Outside 0 < q < 1 it is 2^30.
func QuantileMinSize(q float64) int {
	if !(q > 0 && q < 1) {
		return maxPlan
	}
	return clampPlan(math.Ceil(quantileTail/min(q, 1-q) - 1e-9))
}

// Ranks is an interval for a quantile between two order statistics: the Lower-th and the Upper-th smallest value, counted
// from 1. Lower 0 or Upper n+1 mean that the sample is too small to bound that side.
type Ranks struct {
	Lower    int
	Upper    int
	Coverage float64 // probability that the interval covers the quantile, at least the confidence asked for
}

// QuantileRanks returns the ranks that enclose the q-quantile of n independent values, each tail at most
// (1-confidence)/2. The number of values below the quantile is binomial, whatever their distribution (David and Nagaraja,
// Order Statistics, 3rd edition 2003, section 7.1).
//
// Ranges: n >= 0, 0 < q < 1, 0 < confidence < 1, else Lower 0, Upper n+1 and coverage 1.
//
// Example: the median of 100 values lies between the 40th and the 61st with probability 0.9648.
func QuantileRanks(n int, q, confidence float64) Ranks {
	tail := alphaOf(confidence) / 2
	if n < 0 || !(q > 0 && q < 1) || math.IsNaN(tail) {
		return Ranks{Lower: 0, Upper: n + 1, Coverage: 1}
	}
	// The largest l with P(X <= l-1) <= tail, and the smallest u with P(X >= u) <= tail.
	lower := sort.Search(n, func(l int) bool { return BinomialAtMost(l, n, q) > tail })
	upper := sort.Search(n+1, func(u int) bool { return BinomialAtLeast(u, n, q) <= tail })
	return Ranks{
		Lower:    lower,
		Upper:    upper,
		Coverage: 1 - BinomialAtMost(lower-1, n, q) - BinomialAtLeast(upper, n, q),
	}
}

// QuantileInterval returns the values at [QuantileRanks] of a sample sorted in ascending order, in its unit; -Inf or +Inf
// on a side that the sample is too small to bound.
func QuantileInterval(sorted []float64, q, confidence float64) (lo, hi float64) {
	ranks := QuantileRanks(len(sorted), q, confidence)
	lo, hi = math.Inf(-1), math.Inf(1)
	if ranks.Lower >= 1 {
		lo = sorted[ranks.Lower-1]
	}
	if ranks.Upper <= len(sorted) {
		hi = sorted[ranks.Upper-1]
	}
	return lo, hi
}

// Sorted returns the values in ascending order, as the functions on quantiles need them; the argument stays as it is.
func Sorted(values []float64) []float64 {
	return slices.Sorted(slices.Values(values))
}
