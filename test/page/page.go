// Package page puts measured tables into pages of the documentation, between the marks
// that they stand in.
package page

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Update writes texts into a page, each between the marks of its name.
func Update(path string, parts map[string]string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text, err := Insert(string(old), parts)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// Insert puts texts between their marks, <!-- NAME --> and <!-- /NAME -->. A page without
// a mark is an error.
func Insert(page string, parts map[string]string) (string, error) {
	for name, text := range parts {
		begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
		head, rest, opened := strings.Cut(page, begin)
		_, tail, closed := strings.Cut(rest, end)
		if !opened || !closed {
			return "", fmt.Errorf("there is no place between %q and %q", strings.TrimSpace(begin), end)
		}
		page = head + begin + text + end + tail
	}
	return page, nil
}

// Table is Markdown. The zero value is empty.
type Table struct{ strings.Builder }

// Row adds a row.
func (t *Table) Row(cells ...string) { t.WriteString("| " + strings.Join(cells, " | ") + " |\n") }

// Head begins a table, whose first so many columns lead to the left and the others to the
// right.
func (t *Table) Head(left int, columns ...string) {
	t.Row(columns...)
	t.WriteString("|" + strings.Repeat(":--|", left) + strings.Repeat("--:|", len(columns)-left) + "\n")
}

// Thousands is a count with a comma before every third digit from the right.
func Thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
