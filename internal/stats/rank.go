package stats

import (
	"math"
	"slices"
)

// MannWhitney compares two samples of times by ranks (Mann and Whitney, Annals of Mathematical Statistics 18, 1947). Like
// every p-value here it supposes one look. All numbers are NaN if a sample is empty or holds NaN.
type MannWhitney struct {
	U        float64 // pairs in which x exceeds y, ties counting half: 0..len(x)·len(y)
	Greater  float64 // p-value of "x tends to be larger"
	Less     float64 // p-value of "x tends to be smaller"
	TwoSided float64 // p-value of either
	CLES     float64 // U/(len(x)·len(y)), the probability that x exceeds y; 0.5 if neither is larger
	Shift    float64 // Hodges-Lehmann estimate, the median of all differences x-y, in the unit of the samples
}

// NewMannWhitney tests x, say the times of the new version, against y, those of the old one. The p-values use the normal
// approximation with corrections for ties and continuity, close enough from about eight values a side.
// The samples are neither sorted nor changed. It takes O(n log n) time for n values in all.
//
// Example: x = 1.9 2.1 2.4, y = 1.5 1.7 2.0 gives U = 8, CLES 0.889 and a shift of 0.4.
func NewMannWhitney(x, y []float64) MannWhitney {
	xs, ys := Sorted(x), Sorted(y)
	if !usable(xs) || !usable(ys) {
		nan := math.NaN()
		return MannWhitney{U: nan, Greater: nan, Less: nan, TwoSided: nan, CLES: nan, Shift: nan}
	}
	m, n := float64(len(xs)), float64(len(ys))
	t := MannWhitney{U: exceedances(xs, ys), Shift: medianDifference(xs, ys)}
	t.CLES = t.U / (m * n)
	total := m + n
	variance := m * n / 12 * (total + 1 - tieTerm(xs, ys)/(total*(total-1)))
	if variance <= 0 { // every value equal: no evidence of anything
		t.Greater, t.Less, t.TwoSided = 1, 1, 1
		return t
	}
	sd := math.Sqrt(variance)
	excess := t.U - m*n/2
	t.Greater = NormalUpperTail((excess - 0.5) / sd)
	t.Less = NormalUpperTail((-excess - 0.5) / sd)
	t.TwoSided = min(1, 2*min(t.Greater, t.Less))
	return t
}

// exceedances counts the pairs with x > y, and half of those with x = y, in two sorted samples.
func exceedances(xs, ys []float64) float64 {
	below, upTo, u := 0, 0, 0.0
	for _, x := range xs {
		for below < len(ys) && ys[below] < x {
			below++
		}
		for upTo < len(ys) && ys[upTo] <= x {
			upTo++
		}
		u += float64(below) + float64(upTo-below)/2
	}
	return u
}

// tieTerm returns sum (t³-t) over the groups of t equal values in both samples together.
func tieTerm(xs, ys []float64) float64 {
	all := slices.Concat(xs, ys)
	slices.Sort(all)
	sum := 0.0
	for start := 0; start < len(all); {
		end := start + 1
		for end < len(all) && all[end] == all[start] {
			end++
		}
		t := float64(end - start)
		sum += t*t*t - t
		start = end
	}
	return sum
}

// medianDifference returns the median of all x-y of two sorted samples (Hodges and Lehmann, Annals of Mathematical
// Statistics 34, 1963), the mean of the two middle ones if their number is even.
func medianDifference(xs, ys []float64) float64 {
	pairs := len(xs) * len(ys)
	upper := rankedDifference(xs, ys, pairs/2+1)
	if pairs%2 == 1 {
		return upper
	}
	lower := rankedDifference(xs, ys, pairs/2)
	return lower + (upper-lower)/2
}

// rankedDifference returns the r-th smallest x-y, r from 1, without forming the differences: it bisects over all floating
// point numbers in order, which takes at most 64 counts and ends on an exact difference.
func rankedDifference(xs, ys []float64, r int) float64 {
	low := orderedBits(xs[0] - ys[len(ys)-1])
	high := orderedBits(xs[len(xs)-1] - ys[0])
	for low < high {
		middle := low + (high-low)/2
		if differencesUpTo(xs, ys, fromOrderedBits(middle)) >= r {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return fromOrderedBits(low)
}

// differencesUpTo counts the pairs with x-y <= limit: as x grows, fewer y are large enough.
func differencesUpTo(xs, ys []float64, limit float64) int {
	count, first := 0, 0
	for _, x := range xs {
		for first < len(ys) && x-ys[first] > limit {
			first++
		}
		count += len(ys) - first
	}
	return count
}

// orderedBits maps floating point numbers to integers in the same order.
func orderedBits(v float64) uint64 {
	bits := math.Float64bits(v)
	if bits>>63 == 1 {
		return ^bits
	}
	return bits | 1<<63
}

// fromOrderedBits is the inverse of orderedBits.
func fromOrderedBits(bits uint64) float64 {
	if bits>>63 == 1 {
		return math.Float64frombits(bits &^ (1 << 63))
	}
	return math.Float64frombits(^bits)
}

// usable reports whether a sorted sample can be ranked and subtracted: not empty, all finite. NaN sorts first.
func usable(sorted []float64) bool {
	return len(sorted) > 0 && !math.IsNaN(sorted[0]) && !math.IsInf(sorted[0], 0) && !math.IsInf(sorted[len(sorted)-1], 0)
}
