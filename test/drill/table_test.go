//go:build e2e

package drill

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// What stands above the reports.
const (
	aboutKills = `# The drill: killed at every write

Written by ` + "`make drill DRILL_FLAGS=-update`" + `. A proxy stands between ` + "`l4-canary`" + ` and the API server of a real
cluster. At one write of the program it sends it SIGKILL: *before* the write leaves, or *after* the API server has
answered and before the program hears of it. Then nobody is there for 3 s. Then the same command is run again (*resume*),
or ` + "`l4-canary rollback`" + `. Every cell is such a case in a namespace of its own, with two pods, steps 50 and 100, and clients
that open 50 new connections a second all the while. A case fails if a connection is lost, if fewer than two pods are
ready in the Service at any instant, or if what is left in the end is not exactly what it should be: pods, counts,
templates, the copy, the Lease, parked pods.

`
	aboutFaults = `# The drill: an API server that misbehaves

Written by ` + "`make drill-faults DRILL_FLAGS=-update`" + `. One call of a rollout meets one fault, once: an answer that it did not
deserve, a connection cut before the call arrives or after it was carried out, no answer at all, a slow one. The run has
to end promoted, or refused or rolled back with everything as it was before; no client may lose a connection. SIGINT at a
write has to stop the run within 5 s with exit status 130, and the same command then ends promoted, or finds
nothing to do because the last write has arrived.

`
)

// table is the report as Markdown: sections of rows and columns, each in the order
// of the cases.
func table(cases []drilled, results map[place]result, took time.Duration) string {
	var b strings.Builder
	failed, opened, lost, astray := 0, 0, 0, 0
	for _, res := range results {
		opened, lost, astray = opened+res.opened, lost+res.lost, astray+res.astray
		if len(res.problems) > 0 {
			failed++
		}
	}
	fmt.Fprintf(&b, "%d cases in %s, %d of them failed; %d of %d new connections were lost.\n",
		len(results), took.Round(time.Second), failed, lost, opened)
	if astray > 0 {
		fmt.Fprintf(&b, "%d went astray in the node: see [connections](connections.md#what-a-node-loses).\n", astray)
	}
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
