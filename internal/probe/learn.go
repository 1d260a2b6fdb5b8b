package probe

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Heard is one answer whose side is known.
type Heard struct {
	Pod    string   // that was asked directly; empty: the balancer chose
	Own    []string // what else is that pod's alone: addresses, node, UID
	Answer []byte
}

// Evidence are answers of both sides. Those of stable should come through the balancer
// as well as from pods asked directly, and these at the same time and in the same way
// as the canary's: then what differs is neither the moment nor the way.
type Evidence struct{ Stable, Canary []Heard }

// AlikeError says that answers do not tell the versions apart.
type AlikeError struct {
	Stable, Canary []byte // one answer of each
	Why            string // without a word of the answers
	Doubt          []byte // what differs and can be a pod's own, which answers of more pods could tell; nil if nothing does
}

// Error shows both answers, shortened and escaped.
func (e *AlikeError) Error() string {
	doubt := ""
	if e.Doubt != nil {
		doubt = ", as " + quote(e.Doubt)
	}
	return fmt.Sprintf("%s%s; stable answers %s, the canary %s", e.Why, doubt, quote(e.Stable), quote(e.Canary))
}

// quote is a foreign text for people, in ASCII and without control characters.
func quote(text []byte) string {
	const most = 120
	if len(text) > most {
		return strconv.QuoteToASCII(string(text[:most])) + fmt.Sprintf(" … (%d bytes)", len(text))
	}
	return strconv.QuoteToASCII(string(text))
}

// Learn finds what differs between the versions' answers and repeats within each: the
// same in all answers of one side, and in none of the other. What can be a pod's own
// or the moment's does not count: pods that nobody has asked yet have to be recognised.
//
// It prefers words that look like versions, and words that stand in the same place on
// both sides. A word of which nothing tells that it belongs to a version counts only
// if several pods were asked and have it. Two stable versions are one side, "any of
// these". If nothing is found the error is an *AlikeError.
func Learn(e Evidence) (*Classifier, error) {
	if len(e.Stable) == 0 || len(e.Canary) == 0 {
		return nil, errors.New("no answer of one of the versions was heard")
	}
	own := namesOf(e.Stable, e.Canary)
	l := &learner{stable: newSide(e.Stable, own), canary: newSide(e.Canary, own)}
	l.stable.marks, l.canary.marks = l.canary.without(l.stable.kept()), l.stable.without(l.canary.kept())
	for _, find := range []func() *learned{l.pair, l.union, l.absence} {
		if found := find(); found != nil && l.right(found) {
			return &Classifier{learned: found}, nil
		}
	}
	return nil, &AlikeError{Stable: l.stable.first.text, Canary: l.canary.first.text, Why: l.why(), Doubt: l.doubtful}
}

// side is what was heard of one version.
type side struct {
	answers []answer        // each once
	pods    int             // that were asked directly
	first   *reading        // the answer whose marks are tried
	shared  map[string]bool // words that all answers have
	marks   []candidate     // that all answers have and none of the other side
}

type answer struct {
	text  []byte
	times int
}

func newSide(heard []Heard, own [][]byte) *side {
	s := &side{}
	at, pods := map[string]int{}, map[string]bool{}
	for _, h := range heard {
		if i, known := at[string(h.Answer)]; known {
			s.answers[i].times++
		} else {
			at[string(h.Answer)] = len(s.answers)
			s.answers = append(s.answers, answer{h.Answer, 1})
		}
		if h.Pod != "" {
			pods[h.Pod] = true
		}
	}
	s.pods = len(pods)
	first := max(0, slices.IndexFunc(heard, func(h Heard) bool { return h.Pod != "" })) // its names are known
	s.first, s.shared = read(heard[first].Answer, own), sharedWords(s.answers)
	return s
}

type learner struct {
	stable, canary *side
	doubtful       []byte // the first mark that could be a pod's own
}

// right reports whether a classifier knows every answer that it was made from.
func (l *learner) right(found *learned) bool {
	wrong := func(s *side, version Version) bool {
		return slices.ContainsFunc(s.answers, func(a answer) bool { return found.classify(a.text, true) != version })
	}
	return !wrong(l.stable, Stable) && !wrong(l.canary, Canary)
}

// why says why nothing was found.
func (l *learner) why() string {
	s, c := l.stable.answers, l.canary.answers
	switch {
	case len(s) == 1 && len(c) == 1 && bytes.Equal(s[0].text, c[0].text):
		return "all answers of both versions are the same"
	case l.doubtful != nil:
		return "what differs between the versions' answers can be a pod's own, or change with time"
	}
	return "no part of the answers differs between the versions and repeats within each"
}

// choice is a pair of candidates, the better the smaller.
type choice struct {
	stable, canary candidate
	shape          shape
	apart          bool // they do not stand in the same place
}

func (c choice) compare(d choice) int {
	number := map[bool]int{true: 1}
	return cmp.Or(cmp.Compare(c.shape, d.shape), cmp.Compare(number[c.apart], number[d.apart]),
		cmp.Compare(c.canary.at, d.canary.at), cmp.Compare(c.canary.words, d.canary.words), cmp.Compare(c.stable.at, d.stable.at))
}

// pair finds a mark of each side.
func (l *learner) pair() *learned {
	choices := l.inPlace(l.stable.marks, l.canary.marks)
	if s, sShape, ok := l.best(l.stable, l.canary); ok {
		if c, cShape, ok := l.best(l.canary, l.stable); ok {
			choices = append(choices, choice{s, c, max(sShape, cShape), true})
		}
	}
	if len(choices) == 0 {
		return nil
	}
	found := slices.MinFunc(choices, choice.compare)
	stableWords, _ := l.stable.shown(found.stable, l.canary)
	canaryWords, place := l.canary.shown(found.canary, l.stable)
	return &learned{
		Stable: []mark{found.stable.mark}, Canary: []mark{found.canary.mark},
		Words: "stable answers contain " + stableWords + ", canary's " + canaryWords + ", " + place,
	}
}

// inPlace are the pairs that share one word and what is between it and the other.
func (l *learner) inPlace(stable, canary []candidate) []choice {
	places := map[string]candidate{}
	for _, s := range stable {
		for _, place := range l.stable.places(s) {
			if _, taken := places[place]; !taken {
				places[place] = s
			}
		}
	}
	var found []choice
	for _, c := range canary {
		for _, place := range l.canary.places(c) {
			s, ok := places[place]
			if !ok {
				continue
			}
			worse := max(l.shape(l.stable, l.canary, s, true), l.shape(l.canary, l.stable, c, true))
			if worse < fickle {
				found = append(found, choice{stable: s, canary: c, shape: worse})
			}
		}
	}
	return found
}

// places say where a candidate's words stand: after one, and before the other.
func (s *side) places(c candidate) []string {
	switch {
	case c.words == 1:
		return nil
	case c.Begin && c.End: // no word at all
		return []string{"whole"}
	}
	r, left, right := s.first, s.first.word(c.at), s.first.word(c.at+1)
	between := r.text[left.to:right.from]
	return []string{
		fmt.Sprintf("after %t %q %q", c.Begin, r.bytesOf(c.at), between), fmt.Sprintf("before %t %q %q", c.End, between, r.bytesOf(c.at+1)),
	}
}

// best is the candidate of a side that looks most like a version.
func (l *learner) best(own, other *side) (best candidate, of shape, ok bool) {
	of = fickle
	for _, c := range own.marks {
		if is := l.shape(own, other, c, false); is < of {
			best, of = c, is
		}
	}
	return best, of, of < fickle
}

// shape is that of the candidate's worst word that the other side has not; fickle if
// it could be a pod's own. If the other side has something else in the same place, it
// is enough that several of its pods agree on it. Words that both sides have are good
// company unless they can change for both.
func (l *learner) shape(own, other *side, c candidate, inPlace bool) shape {
	worst := structure
	novel := false
	for i := c.at; i < c.at+c.words; i++ {
		word := own.first.bytesOf(i)
		if len(word) == 0 {
			continue
		}
		s := own.first.shape(i)
		switch shared := other.shared[string(word)]; {
		case shared && (s == fickle || digits(string(word))):
			return fickle
		case !shared && (!novel || s > worst):
			worst, novel = s, true
		}
	}
	if c.words == 2 && strange(own.first.text[own.first.word(c.at).to:own.first.word(c.at+1).from]) {
		worst = max(worst, opaque)
	}
	several := own.pods > 1 || inPlace && other.pods > 1
	if worst == opaque && !several || worst > labelled && c.bare() {
		worst = fickle
	}
	if worst == fickle && l.doubtful == nil {
		l.doubtful = c.Text
	}
	return worst
}
