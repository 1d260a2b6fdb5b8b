package report

import (
	"regexp"
	"strings"
	"unicode"
)

// longestText is how many characters of a foreign text a report shows.
const longestText = 300

// escapes are terminal sequences: CSI (colours, cursor), OSC (titles, links)
// and the two-byte rest (ECMA-48, sections 5.3 to 5.6).
var escapes = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[ -/]*[0-~])")

// lookalikes stand for the two characters that end a code span or a cell. No
// escape would do: renderers disagree about a backslash before | in a span, and
// inside one nothing else is special to any of them.
var lookalikes = strings.NewReplacer("`", "ˋ", "|", "│")

// code shows foreign text as a code span, which may stand anywhere in a line and
// in a cell. In one, nothing is a mention, a reference, a link or HTML.
func code(text string) string { return codeUpTo(text, longestText) }

// codeUpTo is code with a limit of its own.
func codeUpTo(text string, limit int) string {
	text = lookalikes.Replace(shorten(clean(text), limit))
	if text == "" {
		return "–"
	}
	return "`" + text + "`"
}

// joiner is U+2060, which takes no room and breaks no line: put into a word it
// keeps GitHub from making more of the word than it is.
const joiner = "\u2060"

// marks are the characters that mean something in Markdown or HTML, as entities:
// unlike backslashes they are the same inside and outside a cell.
var marks = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;", "|", "&#124;", "`", "&#96;", "*", "&#42;", "_", "&#95;",
	"~", "&#126;", "[", "&#91;", "]", "&#93;", "\\", "&#92;", "!", "&#33;", "$", "&#36;",
	"@", "@"+joiner, "#", "#"+joiner, "://", ":"+joiner+"//",
)

// references are words that GitHub links without any mark: www.…, GH-12, and then what
// may be a commit, which the number behind GH- may be as well.
var references = []*regexp.Regexp{regexp.MustCompile(`(?i)\bwww\.|\bGH-\d`), regexp.MustCompile(`(?i)[0-9a-f]{7,}`)}

// prose shows foreign text as words of a sentence, which must not begin a line.
// Mentions and references are looked for in the rendered text, where an entity
// is a character like any other, hence the joiners.
func prose(text string) string {
	text = shorten(clean(text), longestText)
	for _, reference := range references {
		text = reference.ReplaceAllStringFunc(text, broken)
	}
	return marks.Replace(text)
}

// broken is a word with joiners in it, so near to each other that no part of it
// is a commit (seven digits).
func broken(word string) string {
	var b strings.Builder
	for i := 0; i < len(word); i += 2 {
		if i > 0 {
			b.WriteString(joiner)
		}
		b.WriteString(word[i:min(i+2, len(word))])
	}
	return b.String()
}

// clean is text on one line without what a terminal or a reader's eye would be
// misled by: escapes, control, formatting and direction characters.
func clean(text string) string {
	text = escapes.ReplaceAllString(strings.ToValidUTF8(text, "\uFFFD"), "")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r):
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// shorten cuts the middle out of a text longer than limit characters, so that
// both its beginning and its end stay.
func shorten(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	head := (limit - 1) * 2 / 3
	return string(runes[:head]) + "…" + string(runes[len(runes)-(limit-1-head):])
}

// plainName is what may be pasted into a shell as it stands.
var plainName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)

// word is a text as one word of a shell line inside a fenced block.
func word(text string) string {
	text = clean(text)
	if plainName.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
