package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/org/l4-canary/test/page"
)

// measuredMark names the marks of the table in the page.
const measuredMark = "measured"

// table is all results, with what they are together.
func table(results []result) string {
	var all result
	for _, r := range results {
		all.took += r.took
		all.executions += r.executions
		all.interesting += r.interesting
	}
	var t page.Table
	_, _ = fmt.Fprintf(&t, "%d targets, %d cores, %s: %s executions in %s.\n\n",
		len(results), runtime.GOMAXPROCS(0), runtime.Version(), page.Thousands(all.executions), all.took.Round(time.Second))
	t.Head(2, "target", "package", "seconds", "executions", "new interesting", "result")
	for _, r := range results {
		said := []string{"`" + r.name + "`", "`" + r.dir + "`", fmt.Sprintf("%.0f", r.took.Seconds())}
		if r.failed {
			t.Row(append(said, "–", "–", "**failed**")...)
			continue
		}
		t.Row(append(said, page.Thousands(r.executions), page.Thousands(r.interesting), "ok")...)
	}
	return t.String()
}
