package probe

import (
	"bytes"
	"slices"
	"strings"
)

// union takes two or more stable versions for one side: in the place where all answers
// of the canary have one version, stable's have one of a few others.
func (l *learner) union() *learned {
	for _, c := range l.canary.marks {
		if c.words != 2 || l.shape(l.canary, l.stable, c, false) > labelled {
			continue
		}
		r := l.canary.first
		before := mark{Text: r.text[r.word(c.at).from:r.word(c.at+1).from], Begin: c.Begin}
		label := string(r.bytesOf(c.at))
		versions, ok := l.stable.versionsAfter(before, label)
		if !ok {
			continue
		}
		found := &learned{Canary: []mark{c.mark}}
		var shown []string
		for _, version := range versions {
			found.Stable = append(found.Stable, mark{Text: slices.Concat(before.Text, []byte(version)), Begin: c.Begin})
			shown = append(shown, quote([]byte(version)))
		}
		canaryWords, place := l.canary.shown(c, l.stable)
		found.Words = "stable answers contain " + strings.Join(shown, " or ") + ", canary's " + canaryWords + ", " + place
		return found
	}
	return nil
}

// versionsAfter are the few different versions that stand in a place in the answers,
// sorted; not ok if an answer has none there, or one that was heard only once.
func (s *side) versionsAfter(before mark, label string) (versions []string, ok bool) {
	const most = 4
	times := map[string]int{}
	for _, a := range s.answers {
		version := wordAfter(a.text, before)
		if version == "" || shapeOf(version, label, "") > labelled {
			return nil, false
		}
		times[version] += a.times
	}
	for version, n := range times {
		if n < 2 {
			return nil, false
		}
		versions = append(versions, version)
	}
	slices.Sort(versions)
	return versions, len(versions) <= most
}

// wordAfter is the first word after a place, empty if the answer has no such place.
func wordAfter(text []byte, before mark) string {
	from := 0
	if !before.Begin {
		if from = bytes.Index(text, before.Text); from < 0 {
			return ""
		}
	} else if !bytes.HasPrefix(text, before.Text) {
		return ""
	}
	from += len(before.Text)
	end := from
	for continues(text, end, 1) {
		end++
	}
	return string(text[from:end])
}

// absence takes one side for the other's lack of a mark. It needs something that all
// answers have, and that they end alike: else a broken one would be taken for that
// side.
func (l *learner) absence() *learned {
	common, tail := l.common(), l.tail()
	if len(common) == 0 || len(tail) == 0 {
		return nil
	}
	s, sShape, sOK := l.best(l.stable, l.canary)
	c, cShape, cOK := l.best(l.canary, l.stable)
	found := &learned{Common: common, Tail: tail}
	switch {
	case cOK && (!sOK || cShape <= sShape):
		words, place := l.canary.shown(c, l.stable)
		found.Canary, found.Words = []mark{c.mark}, "canary's answers contain "+words+", stable ones do not, "+place
	case sOK:
		words, place := l.stable.shown(s, l.canary)
		found.Stable, found.Words = []mark{s.mark}, "stable answers contain "+words+", canary's do not, "+place
	default:
		return nil
	}
	return found
}

// common are a few words that every answer has, and will have.
func (l *learner) common() []mark {
	const enough, least = 3, 2
	var found []mark
	r := l.stable.first
	for i, w := range r.words {
		m := mark{Text: r.bytesOf(i)}
		if w.to-w.from < least || !r.clear(w.from, w.to) || r.shape(i) > structure || slices.ContainsFunc(found, func(f mark) bool { return bytes.Equal(f.Text, m.Text) }) {
			continue
		}
		if l.stable.shared[string(m.Text)] && l.canary.shared[string(m.Text)] {
			if found = append(found, m); len(found) == enough {
				break
			}
		}
	}
	return found
}

// tail is how every answer ends.
func (l *learner) tail() []byte {
	const most = 16
	tail := l.stable.first.text
	tail = tail[max(0, len(tail)-most):]
	for _, a := range slices.Concat(l.stable.answers, l.canary.answers) {
		for !bytes.HasSuffix(a.text, tail) {
			tail = tail[1:]
		}
	}
	return tail
}

// shown is a candidate for people: the one word that the other side has not, if it says
// enough by itself, or all of it; and where it stands.
func (s *side) shown(c candidate, other *side) (words, place string) {
	const least = 3
	for i := c.at; i < c.at+c.words; i++ {
		if word := s.first.bytesOf(i); len(word) >= least && !other.contains(word) {
			return quote(word), s.first.place(i)
		}
	}
	return quote(c.Text), s.first.place(max(0, c.at))
}

// place says in words where a word of an answer stands.
func (r *reading) place(i int) string {
	at := r.word(i).from
	switch line := bytes.LastIndexByte(r.text[:at], '\n') + 1; {
	case r.head > 0 && at > r.head:
		return "in the body"
	case r.head > 0 && line > 0:
		if name, _, ok := bytes.Cut(r.text[line:r.head], []byte(":")); ok {
			return "in the header " + quote(name)
		}
	case line == 0 && len(r.text) > 0:
		return "in the banner"
	}
	return "in the answer"
}
