package config

import (
	"strconv"
	"strings"
)

// Bound is a number of pods, or a percentage of them.
type Bound struct {
	Value   int
	Percent bool
}

// Resolve is the bound as a number of pods. A percentage of replicas is rounded
// up or down: 25 % of 10 is 3 or 2.
func (b Bound) Resolve(replicas int, roundUp bool) int {
	if !b.Percent {
		return b.Value
	}
	product := b.Value * replicas
	if roundUp {
		product += 99
	}
	return product / 100
}

// String is the bound as users write it.
func (b Bound) String() string {
	if b.Percent {
		return strconv.Itoa(b.Value) + "%"
	}
	return strconv.Itoa(b.Value)
}

// maxBound keeps products with any number of replicas far from overflow.
const maxBound = 100_000

// parseBound reads "3" or "25%".
func parseBound(text string) (Bound, bool) {
	digits, percent := strings.CutSuffix(text, "%")
	n, ok := parseWhole(strings.TrimSpace(digits))
	if !ok || n > maxBound {
		return Bound{}, false
	}
	return Bound{Value: n, Percent: percent}, true
}

// parseWhole reads digits alone: no sign, no separators.
func parseWhole(text string) (int, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}
