//go:build e2e

package drill

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// table is the report as Markdown: sections of rows and columns, each in the order
// of the cases.
func table(cases []drilled, results map[place]result, took time.Duration) string {
	var b strings.Builder
	failed, opened, lost := 0, 0, 0
	for _, res := range results {
		opened, lost = opened+res.opened, lost+res.lost
		if len(res.problems) > 0 {
			failed++
		}
	}
	fmt.Fprintf(&b, "%d cases in %s, %d of them failed; %d of %d new connections were lost.\n",
		len(results), took.Round(time.Second), failed, lost, opened)
	var places []place
	for _, c := range cases {
		places = append(places, c.place())
	}
	for _, section := range unique(places, func(p place) string { return p.section }) {
		inside := slices.DeleteFunc(slices.Clone(places), func(p place) bool { return p.section != section })
		columns := unique(inside, func(p place) string { return p.column })
		fmt.Fprintf(&b, "\n## %s\n\n| call | %s |\n|:--|%s\n", section, strings.Join(columns, " | "), strings.Repeat(":--|", len(columns)))
		for _, row := range unique(inside, func(p place) string { return p.row }) {
			fmt.Fprintf(&b, "| %s |", row)
			for _, column := range columns {
				res, done := results[place{section, row, column}]
				fmt.Fprintf(&b, " %s |", cell(res, done))
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// unique are the different values of a field, in the order in which they appear.
func unique(places []place, field func(place) string) []string {
	var found []string
	for _, p := range places {
		if value := field(p); !slices.Contains(found, value) {
			found = append(found, value)
		}
	}
	return found
}

// cell is what came of one case.
func cell(res result, done bool) string {
	if !done {
		return ""
	}
	text := fmt.Sprintf("%s, %d lost", res.outcome, res.lost)
	if len(res.problems) > 0 {
		return "**failed**: " + text
	}
	return text
}
