package rollout

import "math"

// split is canary pods out of a total.
type split struct{ canary, total int }

// Frontier lists, for totals from 2 to maxPods, each number of pods that comes
// nearer to the target than every smaller number does. For 10 % and ten pods:
// 2→50 %, 3→33.3 %, 4→25 % … 10→10 %.
func Frontier(target Percent, maxPods int) []PlannedStage {
	weight := millionths(target)
	var records []PlannedStage
	var best split
	for total := 2; total <= maxPods; total++ {
		for _, canary := range candidates(weight, total) {
			s := split{canary, total}
			if best.total == 0 || compareErrors(s, best, weight) < 0 {
				best = s
			}
		}
		if best.total == total {
			records = append(records, newStage(target, best))
		}
	}
	return records
}

// candidates are the two canary counts next to weight·total, kept in
// [1, total-1] so that both sides serve.
func candidates(weight, total int) [2]int {
	floor := weight * total / whole
	return [2]int{min(max(floor, 1), total-1), min(max(floor+1, 1), total-1)}
}

// distance is |canary/total - weight| in units of 1/(total·whole).
func (s split) distance(weight int) int { return abs(s.canary*whole - weight*s.total) }

// compareErrors is negative if a is nearer to the weight than b, exactly: the
// two fractions are compared by cross-multiplication.
func compareErrors(a, b split, weight int) int {
	return a.distance(weight)*b.total - b.distance(weight)*a.total
}

// smallestTotal is the smallest number of pods, at least from, that can show the
// target within tolerance. Every multiple of the simplest fraction's denominator
// can, so the search is bounded by the first multiple at or above from.
func smallestTotal(target, tolerance Percent, from int) (int, bool) {
	weight, allowed := millionths(target), millionths(tolerance)
	lo, hi := max(weight-allowed, 1), min(weight+allowed, whole-1)
	if lo > hi || target >= 100 {
		return 0, false
	}
	_, denominator := simplest(lo, whole, hi, whole)
	denominator = max(denominator, 2)
	for total := max(from, 2); ; total++ {
		for _, canary := range candidates(weight, total) {
			if (split{canary, total}).distance(weight) <= allowed*total || total%denominator == 0 {
				return total, true
			}
		}
	}
}

// simplest is the fraction with the smallest denominator in [a/b, c/d], found by
// descending the Stern-Brocot tree a whole continued-fraction term at a time.
// Example: [0.05, 0.15] → 1/7; [0.23, 0.27] → 1/4. It needs 0 < a/b <= c/d.
func simplest(a, b, c, d int) (numerator, denominator int) {
	floor := a / b
	if floor*b == a {
		return floor, 1
	}
	if floor < c/d {
		return floor + 1, 1
	}
	// Both lie between floor and floor+1: invert the fractional parts.
	n, m := simplest(d, c-floor*d, b, a-floor*b)
	return floor*n + m, n
}

// millionths is a weight as an integer number of millionths of one.
func millionths(p Percent) int { return int(math.Round(float64(p) * whole / 100)) }

func abs(n int) int { return max(n, -n) }
