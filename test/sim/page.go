package main

import (
	"fmt"
	"strings"
)

// parts are the generated parts of the page, by their markers.
func (b bench) parts() map[string]string {
	return map[string]string{
		"simulated at a glance": b.glance(),
		"simulated right":       b.right(),
		"simulated wrong":       b.wrong(),
		"simulated shares":      b.cells(),
		"simulated balancers":   b.balancers(),
		"simulated judgements":  b.judgements(),
	}
}

// insert puts the parts between their markers.
func insert(page string, parts map[string]string) (string, error) {
	for marker, text := range parts {
		begin, end := "<!-- "+marker+" -->\n", "<!-- /"+marker+" -->"
		head, rest, opened := strings.Cut(page, begin)
		_, tail, closed := strings.Cut(rest, end)
		if !opened || !closed {
			return "", fmt.Errorf("there is no place between %q and %q", strings.TrimSpace(begin), end)
		}
		page = head + begin + text + end + tail
	}
	return page, nil
}

// table is Markdown.
type table struct{ strings.Builder }

func (t *table) row(cells ...string) {
	t.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// head begins a table, whose first so many columns lead to the left.
func (t *table) head(left int, columns ...string) {
	t.row(columns...)
	for i := range columns {
		if i < left {
			t.WriteString("|:--")
		} else {
			t.WriteString("|--:")
		}
	}
	t.WriteString("|\n")
}
