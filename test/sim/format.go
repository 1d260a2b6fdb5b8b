package main

import (
	"fmt"
	"math"
	"strconv"

	"github.com/org/l4-canary/test/page"
)

// number is a figure with as many decimals as it needs, at most four.
func number(v float64) string {
	return strconv.FormatFloat(math.Round(v*1e4)/1e4, 'f', -1, 64)
}

// percent is a fraction in percent: two decimals, three below 1 %, and none where
// there is nothing.
func percent(fraction float64) string {
	switch p := 100 * fraction; {
	case p == 0:
		return "0"
	case p < 0.0005:
		return "< 0.001 %"
	case p < 1:
		return strconv.FormatFloat(math.Round(p*1000)/1000, 'f', -1, 64) + " %"
	default:
		return strconv.FormatFloat(math.Round(p*100)/100, 'f', -1, 64) + " %"
	}
}

// share is k of n in percent.
func share(k, n int) string { return percent(float64(k) / float64(n)) }

// count is a number of flows.
func count(n float64) string { return page.Thousands(int(math.Round(n))) }

// beside is what was simulated, and what it should be in brackets.
func beside(simulated, exact string) string { return fmt.Sprintf("%s (%s)", simulated, exact) }
