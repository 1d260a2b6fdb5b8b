package report

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// cut says that a report goes on elsewhere.
const cut = "*The rest is left out here: it is too long for this place.*\n"

// Limit shortens Markdown to at most limit bytes. It ends at the last blank line
// that leaves room for what must still be closed, never inside a table, a fence
// or a line; a report without such a place becomes the one sentence that it was
// too long, as far as that fits.
func Limit(markdown []byte, limit int) []byte {
	if len(markdown) <= limit {
		return markdown
	}
	best := []byte(nil)
	at, open, fence := 0, 0, ""
	for line := range bytes.Lines(markdown) {
		text := strings.TrimSpace(string(line))
		end := closing(open)
		if text == "" && fence == "" && at+len(end) <= limit {
			best = append(bytes.Clone(markdown[:at]), end...)
		}
		if at += len(line); at > limit {
			break
		}
		fence = fenceAfter(fence, text)
		if fence == "" {
			open = max(0, open+strings.Count(text, "<details>")-strings.Count(text, "</details>"))
		}
	}
	if best == nil {
		best = truncate([]byte(cut), max(limit, 0))
	}
	return best
}

// closing ends so many details, and says that something is missing.
func closing(open int) string {
	return strings.Repeat("\n</details>\n", open) + "\n" + cut
}

// fenceAfter is the fence that is open behind a line, given the one before it.
// https://spec.commonmark.org/0.31.2/#fenced-code-blocks
func fenceAfter(fence, line string) string {
	if fence != "" {
		if strings.HasPrefix(line, fence) && strings.Trim(line, fence[:1]) == "" {
			return ""
		}
		return fence
	}
	for _, mark := range [...]string{"`", "~"} {
		run := line[:len(line)-len(strings.TrimLeft(line, mark))]
		if len(run) >= 3 && !strings.Contains(line[len(run):], "`") {
			return run
		}
	}
	return ""
}

// truncate cuts text to at most n bytes between two characters.
func truncate(text []byte, n int) []byte {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
