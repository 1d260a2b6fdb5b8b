package report

import (
	"fmt"
	"strings"
)

// cells is a Markdown table. What goes into a cell is made by the functions of
// format.go and escape.go, or is written in this package.
type cells struct{ b strings.Builder }

// newTable begins a table. A column whose name ends in ":" stands right, one
// that also begins with it in the middle.
func newTable(columns ...string) *cells {
	t := &cells{}
	names, rule := make([]string, 0, len(columns)), make([]string, 0, len(columns))
	for _, column := range columns {
		name := strings.Trim(column, ":")
		names = append(names, name)
		switch {
		case strings.HasPrefix(column, ":"):
			rule = append(rule, ":-:")
		case name != column:
			rule = append(rule, "--:")
		default:
			rule = append(rule, ":--")
		}
	}
	t.row(names...)
	t.row(rule...)
	return t
}

// row adds a row.
func (t *cells) row(columns ...string) {
	t.b.WriteString("| " + strings.Join(columns, " | ") + " |\n")
}

// String is the table without a newline at its end.
func (t *cells) String() string { return strings.TrimSuffix(t.b.String(), "\n") }

// more says what a table left out.
func more(n int, thing string) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf("\n\n…and %s more.", plural(n, thing))
}
