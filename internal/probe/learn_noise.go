package probe

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// noisy are the parts of answers that say when, not which version: they can be the
// same in all answers that were heard and in no later one.
var noisy = regexp.MustCompile(`(?i)` + strings.Join([]string{
	`\d{4}-\d\d-\d\d[t ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:z| ?[-+]\d\d:?\d\d)?`, // ISO 8601
	`\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? \d{1,2}[- ][a-z]{3}[- ]\d{2,4}(?: \d\d:\d\d:\d\d(?: [a-z]{3,4}| [-+]\d{4})?)?`,
	`\b(?:(?:mon|tue|wed|thu|fri|sat|sun) )?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec) +\d{1,2} \d\d:\d\d(?::\d\d)?(?: [a-z]{3,4})?(?: \d{4})?`,
	`\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?(?: ?[ap]m\b)?`,
	`\b1\d{9}(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?\b`,                       // since 1970, up to 2033
	`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`, // a UUID
}, "|"))

// moody are the headers of HTTP whose values belong to a request, a connection or a
// file, and the status, which belongs to the moment.
var moody = regexp.MustCompile(`(?im)^(?:HTTP/\d(?:\.\d)?|(?:` + strings.Join([]string{
	"date", "age", "expires", "last-modified", "etag", "content-length", "content-md5", "content-range", "digest",
	"set-cookie2?", "connection", "keep-alive", "transfer-encoding", "via", "alt-svc", "server-timing", "retry-after",
	"traceparent", "tracestate", "content-security-policy(?:-report-only)?", "report-to", "nel", "cf-ray",
	"x-(?:request|correlation|trace|transaction|amz|amzn|b3|cloud|envoy|response|runtime|timer|served|ratelimit|cache)[a-z0-9-]*",
	"(?:ratelimit|request|correlation|trace)[a-z0-9-]*",
}, "|") + `):)[ \t]*([^\r\n]*)`)

// reading is one answer, cut into words, with its noise masked.
type reading struct {
	text  []byte
	noise []bool // of each byte
	words []span
	head  int // bytes of HTTP's head; 0 if it is none
}

// read masks what belongs to a moment, and what belongs to a pod.
func read(answer []byte, own [][]byte) *reading {
	r := &reading{text: answer, noise: make([]bool, len(answer)), words: wordsOf(answer)}
	if bytes.HasPrefix(answer, []byte("HTTP/")) {
		r.head = len(answer)
		if end := bytes.Index(answer, []byte("\r\n\r\n")); end >= 0 {
			r.head = end
		}
		for _, at := range moody.FindAllSubmatchIndex(answer[:r.head], -1) {
			r.mask(at[2], at[3])
		}
	}
	for _, at := range noisy.FindAllIndex(answer, -1) {
		r.mask(at[0], at[1])
	}
	lower := bytes.ToLower(answer)
	for _, name := range own {
		for from := 0; len(lower) == len(answer); {
			at := bytes.Index(lower[from:], name)
			if at < 0 {
				break
			}
			r.mask(from+at, from+at+len(name))
			from += at + len(name)
		}
	}
	return r
}

// mask takes some bytes for noise, and the letters and digits that touch them.
func (r *reading) mask(from, to int) {
	if from >= to {
		return
	}
	for ; from > 0 && wordByte(r.text[from]) && wordByte(r.text[from-1]); from-- {
	}
	for ; to < len(r.text) && wordByte(r.text[to-1]) && wordByte(r.text[to]); to++ {
	}
	for i := from; i < to; i++ {
		r.noise[i] = true
	}
}

// clear reports whether no byte from from up to to is noise.
func (r *reading) clear(from, to int) bool { return !slices.Contains(r.noise[from:to], true) }

// word is the word with a number.
func (r *reading) word(i int) span { return wordAt(r.text, r.words, i) }

// bytesOf is a word's text.
func (r *reading) bytesOf(i int) []byte { return r.text[r.word(i).from:r.word(i).to] }

// before is the word that names another one, as in "version: 2" and "nginx/2"; empty if
// none stands close enough.
func (r *reading) before(i int) string {
	const most = 6 // bytes between them
	between := r.text[r.word(i-1).to:r.word(i).from]
	if i < 1 || len(between) > most || bytes.ContainsAny(between, "\n,;{}") {
		return ""
	}
	return string(r.bytesOf(i - 1))
}

// after is the unit of a number, as in "14 days"; empty if there is none.
func (r *reading) after(i int) string {
	if string(r.text[r.word(i).to:r.word(i+1).from]) != " " {
		return ""
	}
	return string(r.bytesOf(i + 1))
}

// namesOf are the names by which pods could be told apart, in lower case: what was
// given, and the parts of it that a ReplicaSet makes up.
func namesOf(sides ...[]Heard) [][]byte {
	const least = 4 // characters; what is shorter stands in other words too
	var names [][]byte
	add := func(name string) {
		name = strings.ToLower(name)
		if len(name) >= least && !slices.ContainsFunc(names, func(n []byte) bool { return string(n) == name }) {
			names = append(names, []byte(name))
		}
	}
	for _, heard := range slices.Concat(sides...) {
		for _, name := range append([]string{heard.Pod}, heard.Own...) {
			add(name)
			add(strings.NewReplacer(".", "-", ":", "-").Replace(name)) // an address as in a host's name
		}
		parts := strings.Split(heard.Pod, "-")
		for _, part := range parts[max(1, len(parts)-2):] { // the template's hash and the pod's own
			add(part)
		}
	}
	return names
}
