package config

import (
	"fmt"
	"strings"
)

// mostShown is how much of a wrong value a message quotes, in characters.
const mostShown = 120

// Problem is one input that cannot be used.
type Problem struct {
	Input   string
	Value   string // as given; empty if nothing was given, and for secrets
	Allowed string // what would do
	Hint    string // advice, may be empty
}

// String is the problem on one line, without the hint.
func (p Problem) String() string {
	if p.Value == "" {
		return fmt.Sprintf("input %q: %s", p.Input, p.Allowed)
	}
	return fmt.Sprintf("input %q: %s is not allowed: %s", p.Input, quote(p.Value), p.Allowed)
}

// Problems are all inputs that cannot be used, in the table's order.
type Problems []Problem

// Error is a line per problem, each followed by its hint.
func (ps Problems) Error() string {
	var lines []string
	for _, p := range ps {
		lines = append(lines, p.String())
		if p.Hint != "" {
			lines = append(lines, "  hint: "+p.Hint)
		}
	}
	return strings.Join(lines, "\n")
}

// quote shows a foreign value on one line, cut where it is long.
func quote(value string) string {
	if runes := []rune(value); len(runes) > mostShown {
		return fmt.Sprintf("%q…", string(runes[:mostShown]))
	}
	return fmt.Sprintf("%q", value)
}
