package main

import (
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/org/l4-canary/test/page"
)

// update writes the table into its place on a page.
func update(path string, results []result) error {
	return page.Update(path, map[string]string{"measured": table(results)})
}

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
		len(results), runtime.GOMAXPROCS(0), runtime.Version(), grouped(all.executions), all.took.Round(time.Second))
	t.Head(2, "target", "package", "seconds", "executions", "new interesting", "result")
	for _, r := range results {
		said := []string{"`" + r.name + "`", "`" + r.dir + "`", fmt.Sprintf("%.0f", r.took.Seconds())}
		if r.failed {
			t.Row(append(said, "–", "–", "**failed**")...)
			continue
		}
		t.Row(append(said, grouped(r.executions), grouped(r.interesting), "ok")...)
	}
	return t.String()
}

// grouped is a number with a comma before every third digit from the right.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
