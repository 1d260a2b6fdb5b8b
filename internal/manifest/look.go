package manifest

import (
	"strings"
	"unicode/utf8"
)

// look is what a document looks like to the eye: its keys and the characters that
// pass for spaces. It understands just enough YAML (comments, quotes, block scalars) to
// leave foreign text alone, and serves only to explain.
type look struct {
	doc     document
	strange []strange
	keys    []key
	markers []Place // "---" that is indented, and so marks nothing

	block int  // the indentation that a block scalar's lines exceed; -1 outside
	quote rune // of a quoted scalar that goes on in the next line; 0 outside
	depth int  // of flow brackets
}

// strange is a character that looks like a space and is none.
type strange struct {
	place Place
	char  rune
}

// key is a line's first key.
type key struct {
	place    Place
	name     string
	hasValue bool // a plain one, on the same line
}

// strangeName names characters that look like a space, and is empty for all others.
func strangeName(char rune) string {
	switch char {
	case '\t':
		return "tab"
	case '\u00a0':
		return "no-break space"
	case '\u2007':
		return "figure space"
	case '\u202f':
		return "narrow no-break space"
	case '\u3000':
		return "ideographic space"
	case '\u200b':
		return "zero width space"
	case '\ufeff':
		return "byte order mark"
	}
	return ""
}

func isSpace(char rune) bool { return char == ' ' || strangeName(char) != "" }

// look looks at a document. JSON needs none: its parser says well what is wrong, and
// tabs are welcome there.
func (d document) look() *look {
	l := &look{doc: d, block: -1}
	if strings.HasPrefix(strings.TrimSpace(d.text), "{") {
		return l
	}
	number := 0
	for line := range strings.Lines(d.text) {
		l.line(number, []rune(strings.TrimRight(line, "\r\n")))
		number++
	}
	return l
}

// line looks at one line.
func (l *look) line(number int, chars []rune) {
	if l.quote != 0 {
		l.rest(number, chars, 0, cursor{value: true})
		return
	}
	indent := 0
	for indent < len(chars) && chars[indent] == ' ' {
		indent++
	}
	if l.block >= 0 && (indent == len(chars) || indent > l.block) {
		return
	}
	l.block = -1
	at := l.skip(number, chars, indent)
	parent := -1
	for at < len(chars) && chars[at] == '-' && (at+1 == len(chars) || isSpace(chars[at+1])) {
		parent = at
		at = l.skip(number, chars, at+1)
	}
	if indent > 0 && strings.TrimSpace(string(chars)) == "---" {
		l.markers = append(l.markers, l.doc.place(number, indent+1))
	}
	l.rest(number, chars, at, cursor{start: at, parent: parent, token: true})
}

// skip passes over what looks like spaces and records what only looks so.
func (l *look) skip(number int, chars []rune, at int) int {
	for ; at < len(chars) && isSpace(chars[at]); at++ {
		if chars[at] != ' ' {
			l.record(number, at, chars[at])
		}
	}
	return at
}

func (l *look) record(number, at int, char rune) {
	l.strange = append(l.strange, strange{l.doc.place(number, at+1), char})
}

// cursor is where in a line's grammar the look has come to.
type cursor struct {
	start  int  // of the line's first key
	parent int  // position of the last dash before it; -1 for none
	token  bool // a scalar may begin here
	value  bool // the line's first key has been passed
}

// rest looks at a line behind its indentation and dashes.
func (l *look) rest(number int, chars []rune, at int, c cursor) {
	for at < len(chars) {
		char := chars[at]
		switch {
		case l.quote != 0 || (c.token && (char == '"' || char == '\'')):
			at = l.quoted(chars, at)
			c.token = false
			continue
		case char == '#' && (at == 0 || isSpace(chars[at-1])):
			return
		case c.token && (char == '|' || char == '>') && isBlockHeader(string(chars[at:])):
			l.block = c.start
			if !c.value {
				l.block = max(c.parent, 0)
			}
			return
		case char == ':' && (at+1 == len(chars) || isSpace(chars[at+1])):
			l.colon(number, chars, at, &c)
		case isSpace(char):
			at = l.spaces(number, chars, at, c)
			continue
		case c.token && (char == '[' || char == '{'):
			l.depth++
		case l.depth > 0 && (char == ']' || char == '}'):
			l.depth--
		case char == ',' && l.depth > 0:
			c.token = true
		default:
			c.token = false
		}
		at++
	}
}

// colon passes the colon behind a key.
func (l *look) colon(number int, chars []rune, at int, c *cursor) {
	c.token = true
	if c.value {
		return
	}
	c.value = true
	value := strings.TrimSpace(string(chars[at+1:]))
	plain := value != "" && !strings.ContainsRune("|>&*!\"'[{#", []rune(value)[0])
	l.keys = append(l.keys, key{l.doc.place(number, c.start+1), string(chars[min(c.start, at):at]), plain})
}

// spaces passes a run of what looks like spaces. Strange ones matter at the end of a
// line, before a comment, and around the colon behind a key; within a text they belong
// to it.
func (l *look) spaces(number int, chars []rune, at int, c cursor) int {
	end := at
	for end < len(chars) && isSpace(chars[end]) {
		end++
	}
	edge := end == len(chars) || chars[end] == '#' || (chars[end] == ':' && !c.value) ||
		(c.token && c.value)
	for i := at; i < end; i++ {
		if edge && chars[i] != ' ' && chars[i] != '\t' {
			l.record(number, i, chars[i])
		}
	}
	return end
}

// quoted passes a quoted scalar, from its opening quote or from the beginning of a line
// that it goes on in, to behind its end or the line's.
func (l *look) quoted(chars []rune, at int) int {
	if l.quote == 0 {
		l.quote = chars[at]
		at++
	}
	for ; at < len(chars); at++ {
		switch {
		case l.quote == '"' && chars[at] == '\\':
			at++
		case chars[at] != l.quote:
		case l.quote == '\'' && at+1 < len(chars) && chars[at+1] == '\'':
			at++
		default:
			l.quote = 0
			return at + 1
		}
	}
	return min(at, len(chars))
}

// isBlockHeader reports whether a text is the header of a block scalar: | or >, then at
// most an indentation and a chomping indicator, then nothing or a comment.
func isBlockHeader(text string) bool {
	header, _, _ := strings.Cut(text, " #")
	header = strings.TrimSpace(header)
	return utf8.RuneCountInString(header) <= 3 && strings.Trim(header[1:], "+-123456789") == ""
}
