package ci

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Safe makes text of ours that quotes others safe to print: its lines stay where they are,
// but none can be a workflow command, and what a terminal would obey or hide is gone.
func Safe(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line = printable(strings.Join(strings.FieldsFunc(line, isBreak), " "))
		if words := strings.TrimSpace(line); strings.HasPrefix(words, "::") {
			line = "| " + words
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

// SafeJSON is a JSON document that says the same and is safe to print: what Safe removes it
// has in escapes. No line of a document begins with a colon.
func SafeJSON(text string) string {
	var b strings.Builder
	before := rune(0)
	for _, r := range text {
		twice := r == '#' && before == '#' // as the older commands begin
		before = r
		if twice || r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			escape(&b, r)
			before = 0
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// escape writes a character as JSON strings may have it.
func escape(b *strings.Builder, r rune) {
	const digits = "0123456789abcdef"
	for _, unit := range utf16.AppendRune(nil, r) {
		b.WriteString(`\u`)
		for shift := 12; shift >= 0; shift -= 4 {
			b.WriteByte(digits[unit>>shift&0xf])
		}
	}
}

// SafeWriter prints through Safe or SafeJSON. Each Write is of whole lines.
type SafeWriter struct {
	W    io.Writer
	JSON bool
}

// Write implements io.Writer.
func (w SafeWriter) Write(p []byte) (int, error) {
	safe := Safe
	if w.JSON {
		safe = SafeJSON
	}
	if _, err := io.WriteString(w.W, safe(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
