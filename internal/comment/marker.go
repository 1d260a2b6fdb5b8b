package comment

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// The two hidden lines: which comment it is, and which process has not finished it.
const (
	markerPrefix  = "<!-- l4-canary:"
	writingPrefix = "<!-- l4-canary-writing:"
	lineSuffix    = " -->"
)

// longestWord is how much of a key is written out. One that is longer ends in a digest.
const longestWord = 200

// Key tells one comment, or one process, from another, and may stand in a comment of
// HTML. The zero value is a key too.
type Key struct{ word string }

// NewKey joins what tells apart. Different parts give different keys.
func NewKey(parts ...string) Key {
	words := make([]string, len(parts))
	for i, part := range parts {
		words[i] = strings.ReplaceAll(escape(part), "/", "%2F")
	}
	return Key{short(strings.Join(words, "/"))}
}

// marker is the hidden line that a comment with this key is found by.
func (k Key) marker() string { return markerPrefix + k.word + lineSuffix }

// writing is the hidden line of a comment that this process has not finished.
func (k Key) writing() string { return writingPrefix + k.word + lineSuffix }

// besides reports whether a body is being written by a process whose key differs from
// this one in its last part only.
func (k Key) besides(body string) bool {
	front := func(word string) string { return word[:strings.LastIndexByte(word, '/')+1] }
	for line := range strings.Lines(body) {
		word, begins := strings.CutPrefix(strings.TrimRight(line, "\r\n"), writingPrefix)
		word, ends := strings.CutSuffix(word, lineSuffix)
		if begins && ends && word != k.word && front(word) != "" && front(word) == front(k.word) {
			return true
		}
	}
	return false
}

// escape writes everything as %XX that could end a comment of HTML, a line, or be a
// mention: only letters, digits, and . _ / : - stay, and of two "-" in a row the second
// does not. https://html.spec.whatwg.org/multipage/syntax.html#comments
func escape(text string) string {
	var b strings.Builder
	last := byte(0)
	for i := range len(text) {
		at := text[i]
		if !plain(at) || at == '-' && last == '-' {
			fmt.Fprintf(&b, "%%%02X", at)
			last = 0
			continue
		}
		b.WriteByte(at)
		last = at
	}
	return b.String()
}

func plain(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("._/:-", b) >= 0
}

// short keeps a word's beginning and tells it apart from others by a digest.
func short(word string) string {
	if len(word) <= longestWord {
		return word
	}
	sum := sha256.Sum256([]byte(word))
	return strings.TrimRight(word[:longestWord], "-%") + "~" + hex.EncodeToString(sum[:16])
}

// has reports whether a line of a body is this hidden line, and nothing else is on it: a
// quotation begins with ">", and a sentence about the marker has more to say.
func has(body, line string) bool {
	for at := range strings.Lines(body) {
		if strings.TrimRight(at, "\r\n") == line {
			return true
		}
	}
	return false
}

// without is a body that lacks a hidden line.
func without(body, line string) string {
	var b strings.Builder
	for at := range strings.Lines(body) {
		if strings.TrimRight(at, "\r\n") != line {
			b.WriteString(at)
		}
	}
	return b.String()
}

// same reports whether two bodies read alike: platforms change the ends of lines, and
// drop those of the body.
func same(a, b string) bool {
	even := func(text string) string {
		return strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	}
	return even(a) == even(b)
}
