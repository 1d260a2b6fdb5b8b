//go:build e2e

package drill

import (
	"fmt"
	"strings"
	"time"
)

// table is the report as Markdown: a row for each write and kill point.
func table(cases []kill, results map[kill]result, took time.Duration) string {
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
	mode := ""
	done := map[kill]bool{}
	for _, k := range cases {
		if k.kind != mode {
			mode = k.kind
			fmt.Fprintf(&b, "\n## %s\n\n| write | killed | resume | rollback |\n|:--|:--|:--|:--|\n", mode)
		}
		row := k
		row.rollback = false
		if done[row] {
			continue
		}
		done[row] = true
		back := row
		back.rollback = true
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", k.at, k.when(), cell(results, row), cell(results, back))
	}
	return b.String()
}

// cell is what came of one case.
func cell(results map[kill]result, k kill) string {
	res, done := results[k]
	if !done {
		return ""
	}
	text := fmt.Sprintf("%s, %d of %d lost", res.outcome, res.lost, res.opened)
	if len(res.problems) > 0 {
		return "**failed**: " + text
	}
	return text
}
