package ci

import (
	"regexp"
	"strings"
	"unicode"
)

// escapes are terminal sequences: CSI (colours, cursor), OSC (titles, links)
// and the two-byte rest (ECMA-48, sections 5.3 to 5.6).
var escapes = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[ -/]*[0-~])")

// defused takes the brackets off the two older kinds of log command, which act
// wherever they stand in a line:
// https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs (TryParse)
// https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands
var defused = strings.NewReplacer("##[", "## [", "##vso[", "## vso[")

// Foreign makes the text of others safe to print: every line begins with "| ",
// so that "::" is never first on it and cannot be a workflow command, and
// terminal escapes and control characters are gone.
func Foreign(text string) string {
	var b strings.Builder
	for line := range strings.FieldsFuncSeq(text, isBreak) {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("| ")
		b.WriteString(printable(line))
	}
	return b.String()
}

// ForeignLine is Foreign for use inside a line: line breaks become spaces, and
// "::" at the very beginning is moved off it.
func ForeignLine(text string) string {
	line := strings.Join(strings.FieldsFunc(text, isBreak), " ")
	line = strings.TrimSpace(printable(line))
	if strings.HasPrefix(line, "::") {
		return "| " + line
	}
	return line
}

// isBreak reports whether some reader of logs begins a new line at r.
func isBreak(r rune) bool {
	switch r {
	case '\n', '\r', '\v', '\f', '\u0085', '\u2028', '\u2029':
		return true
	}
	return false
}

// printable removes what a terminal would obey or hide, and defuses commands
// last, so that removing cannot put one together.
func printable(line string) string {
	line = escapes.ReplaceAllString(line, "")
	line = strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(line, "\uFFFD"))
	return defused.Replace(line)
}
