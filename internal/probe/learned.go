package probe

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
)

// mark is a piece of an answer by which a version is known: whole words and what
// stands between them. At begin and end it has to be at that end of the answer.
type mark struct {
	Text  []byte `json:"text"`
	Begin bool   `json:"begin,omitempty"`
	End   bool   `json:"end,omitempty"`
}

// empty reports whether any answer has the mark.
func (m mark) empty() bool { return len(m.Text) == 0 && (!m.Begin || !m.End) }

// in reports whether an answer has the mark, and not only as a part of a longer
// word: "1.1" is not in "1.10", and "nginx/1.27" not in "nginx/1.27.1". An answer that
// is not whole may have been cut within a word, so its end is none.
func (m mark) in(answer []byte, whole bool) bool {
	room := len(answer)
	if !whole {
		room--
	}
	switch {
	case len(m.Text) > room, m.Begin && !bytes.HasPrefix(answer, m.Text):
		return false
	case m.End && (!whole || !bytes.HasSuffix(answer, m.Text)):
		return false
	case m.Begin && m.End:
		return len(answer) == len(m.Text)
	case m.Begin:
		return bounded(answer, 0, len(m.Text))
	case m.End:
		return bounded(answer, len(answer)-len(m.Text), len(answer))
	}
	for from := 0; ; from++ {
		at := bytes.Index(answer[from:room], m.Text)
		if at < 0 {
			return false
		}
		from += at
		if bounded(answer, from, from+len(m.Text)) {
			return true
		}
	}
}

// learned tells versions apart by marks that were found in their answers. If one
// side has none, the other's absence is its mark: then an answer has to be whole,
// which it is if it has the common marks and ends as all answers do.
type learned struct {
	Stable []mark `json:"stable"` // any of them
	Canary []mark `json:"canary"`
	Common []mark `json:"common,omitempty"` // all of them
	Tail   []byte `json:"tail,omitempty"`
	Words  string `json:"words"` // what is looked at
}

// classify says which side an answer is from; a part of one has no absences.
func (l *learned) classify(answer []byte, whole bool) Version {
	stable, canary := anyIn(l.Stable, answer, whole), anyIn(l.Canary, answer, whole)
	switch {
	case stable && canary:
		return Unknown
	case stable:
		return Stable
	case canary:
		return Canary
	case !whole || !l.whole(answer):
		return Unknown
	case len(l.Stable) == 0:
		return Stable
	case len(l.Canary) == 0:
		return Canary
	}
	return Unknown
}

func anyIn(marks []mark, answer []byte, whole bool) bool {
	for i := range marks {
		if marks[i].in(answer, whole) {
			return true
		}
	}
	return false
}

// whole reports whether nothing of an answer is missing.
func (l *learned) whole(answer []byte) bool {
	for i := range l.Common {
		if !l.Common[i].in(answer, true) {
			return false
		}
	}
	return len(l.Common) > 0 && bytes.HasSuffix(answer, l.Tail)
}

// String says in words what a learned classifier looks at, as in: stable answers
// contain "1.8.2", canary's "1.9.0", in the banner. One with patterns, which its
// user knows, says nothing.
func (c *Classifier) String() string {
	if c == nil || c.learned == nil {
		return ""
	}
	return c.learned.Words
}

// Attribute says which side a flow is of, from its answer. A failed one belongs to a
// version only if what came before it failed says so without doubt.
func (c *Classifier) Attribute(f *Flow) {
	f.Version, f.Pod, f.Both = None, "", false
	if f.Class != Answered && len(f.Answer) == 0 {
		return
	}
	if c != nil && c.learned != nil {
		f.Version = c.learned.classify(f.Answer, f.Class == Answered)
	} else {
		f.Version, f.Pod = c.Classify(f.Answer)
	}
	if f.Class != Answered && f.Version == Unknown {
		f.Version = None
	}
	f.Both = f.Version == Unknown && c.ambiguous(f.Answer)
}

// errForgotten is what came from nobody's memory.
var errForgotten = errors.New("reading a learned classifier: it has no marks, or an empty one")

// MarshalJSON keeps what was learned. A classifier with patterns has nothing to keep.
func (c *Classifier) MarshalJSON() ([]byte, error) { return json.Marshal(c.learned) }

// UnmarshalJSON is the inverse.
func (c *Classifier) UnmarshalJSON(data []byte) error {
	var l learned
	if err := json.Unmarshal(data, &l); err != nil {
		return err
	}
	if marks := slices.Concat(l.Stable, l.Canary, l.Common); len(l.Stable)+len(l.Canary) == 0 || slices.ContainsFunc(marks, mark.empty) {
		return errForgotten
	}
	*c = Classifier{learned: &l}
	return nil
}
