package cost

import (
	"fmt"
	"math"
	"slices"
)

// Spread is a figure over several rounds.
type Spread struct{ Least, Median, Greatest float64 }

// SpreadOf makes it of at least one value. The median of an even number is the mean of
// the two in the middle.
func SpreadOf(values []float64) Spread {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return Spread{sorted[0], (sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[n-1]}
}

// spreadOver is that of a figure of each round.
func spreadOver[T any](rounds []T, figure func(T) float64) Spread {
	values := make([]float64, len(rounds))
	for i, round := range rounds {
		values[i] = figure(round)
	}
	return SpreadOf(values)
}

// cells are the three, each as it is to be printed.
func (s Spread) cells(format func(float64) string) []string {
	return []string{format(s.Median), format(s.Least), format(s.Greatest)}
}

// secondsOf rounds to tenths. What is a little less than nothing is nothing.
func secondsOf(seconds float64) string { return fmt.Sprintf("%.1f s", math.Round(seconds*10)/10+0) }

func ratio(x float64) string     { return fmt.Sprintf("%.2f", x) }
func mebibytes(x float64) string { return fmt.Sprintf("%.0f MiB", x/(1<<20)) }
func kibibytes(n int) string     { return fmt.Sprintf("%.1f KiB", float64(n)/1024) }
