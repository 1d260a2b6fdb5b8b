package stats

import "math"

const (
	// fisherSlack makes tables count as equally likely that differ only by rounding, as R's fisher.test does.
	fisherSlack = 1e-7
	// stationarityLevel is the two-sided p-value below which a share is said to have moved during a stage.
	stationarityLevel = 0.001
)

// Fisher holds the p-values of Fisher's exact test of a 2×2 table. NaN if a count was negative.
type Fisher struct {
	Less     float64 // probability of a first cell as small or smaller
	Greater  float64 // probability of a first cell as large or larger
	TwoSided float64 // probability of all tables that are no more likely than this one
}

// FisherExact tests the table
//
//	a b   e.g. new: failed, fine
//	c d        old: failed, fine
//
// with its margins held fixed (R. A. Fisher, The Design of Experiments, 1935). Greater is the one-sided p-value of "new
// fails more often". It supposes a single look at a fixed number of probes, so in a report it describes and does not judge.
//
// Example: 3 of 100 against 4 of 900, FisherExact(3, 97, 4, 896).Greater = 0.0252.
func FisherExact(a, b, c, d int) Fisher {
	if min(a, b, c, d) < 0 {
		return Fisher{Less: math.NaN(), Greater: math.NaN(), TwoSided: math.NaN()}
	}
	row, column, total := a+b, a+c, a+b+c+d
	first, last := max(0, row+column-total), min(row, column)
	observed := logHypergeometric(a, row, column, total)
	var f Fisher
	for x := first; x <= last; x++ {
		logP := logHypergeometric(x, row, column, total)
		p := math.Exp(logP)
		if x <= a {
			f.Less += p
		}
		if x >= a {
			f.Greater += p
		}
		if logP <= observed+fisherSlack {
			f.TwoSided += p
		}
	}
	return Fisher{Less: min(1, f.Less), Greater: min(1, f.Greater), TwoSided: min(1, f.TwoSided)}
}

// Stationary reports whether the counts of the new version in the two halves of a stage, k1 of n1 and k2 of n2, are
// compatible with one share: two-sided Fisher p >= 0.001. If not, the stage starts again with [ShareTest.Window].
// Impossible counts are not stationary.
func Stationary(k1, n1, k2, n2 int) bool {
	return FisherExact(k1, n1-k1, k2, n2-k2).TwoSided >= stationarityLevel
}

// logHypergeometric returns the log probability of x marked among column drawn from total of which row are marked.
func logHypergeometric(x, row, column, total int) float64 {
	return logChoose(row, x) + logChoose(total-row, column-x) - logChoose(total, column)
}

// logChoose returns ln C(n, k) for 0 <= k <= n, exactly 0 at the ends.
func logChoose(n, k int) float64 {
	if k == 0 || k == n {
		return 0
	}
	a, b, c := float64(n), float64(k), float64(n-k)
	return -b*math.Log(b/a) - c*math.Log(c/a) + 0.5*math.Log(a/(b*c)) - halfLogTwoPi +
		stirlingError(a) - stirlingError(b) - stirlingError(c)
}
