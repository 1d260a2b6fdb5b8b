package config

import (
	"fmt"
	"slices"
	"strings"
)

// typos are warnings about variables that look like a misspelt input: every
// unknown L4_CANARY_ name, and INPUT_ names near one of ours. INPUT_ names far
// from ours belong to someone else.
func typos(environ []string) []string {
	names := variableNames()
	var warnings []string
	for _, entry := range environ {
		variable, _, _ := strings.Cut(entry, "=")
		for _, prefix := range []string{"L4_CANARY_", "INPUT_"} {
			name, ours := strings.CutPrefix(variable, prefix)
			name = strings.ReplaceAll(name, "-", "_")
			if !ours || name == "" || slices.Contains(names, name) {
				continue
			}
			near := nearest(name, names)
			switch {
			case near != "":
				warnings = append(warnings, fmt.Sprintf("%s is not an input: did you mean %s%s?", variable, prefix, near))
			case prefix == "L4_CANARY_":
				warnings = append(warnings, variable+" is not an input: it is ignored")
			}
		}
	}
	slices.Sort(warnings)
	return warnings
}

// variableNames are all inputs as variables spell them, without prefix.
func variableNames() []string {
	var names []string
	for _, input := range table() {
		names = append(names, strings.ToUpper(strings.ReplaceAll(input.Name, "-", "_")))
	}
	return names
}

// nearest is the known name that a few slips of the finger turn into name: one in
// four letters, two at most. It is empty if there is none.
func nearest(name string, names []string) string {
	best, found := min(2, max(1, len(name)/4))+1, ""
	for _, candidate := range names {
		if d := distance(name, candidate); d < best {
			best, found = d, candidate
		}
	}
	return found
}

// distance counts the insertions, deletions, replacements and swaps of neighbours
// that turn a into b (optimal string alignment).
func distance(a, b string) int {
	var before, above []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row = above, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
