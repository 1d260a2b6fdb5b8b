package probe

import "bytes"

// candidate is a mark that may tell a side: one word of its reading, or two that follow
// each other with what is between them.
type candidate struct {
	mark
	at    int // of its first word in the reading; -1 is the beginning
	words int
}

// bare reports whether a mark is a word that can come up anywhere.
func (c candidate) bare() bool {
	return c.words == 1 && (len(c.Text) <= short || digits(string(c.Text)))
}

// markKey is a mark by which one can look it up.
type markKey struct {
	text       string
	begin, end bool
}

// longestMark is how many bytes a mark may have.
const longestMark = 256

// eachMark gives every mark that a text has: each word, and each two that follow each
// other, where what is before the first and after the last counts as a word.
func eachMark(text []byte, words []span, give func(c candidate)) {
	for i := -1; i < len(words); i++ {
		for n := 1; n <= 2; n++ {
			from, to := wordAt(text, words, i).from, wordAt(text, words, i+n-1).to
			m := mark{Text: text[from:to], Begin: i < 0 && n == 2, End: i+1 == len(words) && n == 2}
			if to-from <= longestMark && !m.empty() {
				give(candidate{m, i, n})
			}
		}
	}
}

// kept are those marks of the reading that every answer of its side has, in the order
// of the answer, each once.
func (s *side) kept() []candidate {
	seen := map[markKey]int{} // how many answers have it
	var order []candidate
	eachMark(s.first.text, s.first.words, func(c candidate) {
		key := markKey{string(c.Text), c.Begin, c.End}
		if _, known := seen[key]; !known && s.first.clear(s.first.word(c.at).from, s.first.word(c.at+c.words-1).to) {
			seen[key] = 0
			order = append(order, c)
		}
	})
	for i, a := range s.answers {
		eachMark(a.text, wordsOf(a.text), func(c candidate) {
			// The key is looked up first with bytes, which allocates nothing.
			if n, known := seen[markKey{string(c.Text), c.Begin, c.End}]; known && n == i {
				seen[markKey{string(c.Text), c.Begin, c.End}] = i + 1
			}
		})
	}
	return filter(order, func(c candidate) bool { return seen[markKey{string(c.Text), c.Begin, c.End}] == len(s.answers) })
}

// without are those of the marks that no answer of a side has.
func (s *side) without(marks []candidate) []candidate {
	left := make(map[markKey]bool, len(marks))
	for _, c := range marks {
		left[markKey{string(c.Text), c.Begin, c.End}] = true
	}
	for _, a := range s.answers {
		eachMark(a.text, wordsOf(a.text), func(c candidate) {
			if left[markKey{string(c.Text), c.Begin, c.End}] {
				delete(left, markKey{string(c.Text), c.Begin, c.End})
			}
		})
	}
	return filter(marks, func(c candidate) bool { return left[markKey{string(c.Text), c.Begin, c.End}] })
}

// filter keeps some of the candidates.
func filter(all []candidate, keep func(candidate) bool) []candidate {
	var kept []candidate
	for _, c := range all {
		if keep(c) {
			kept = append(kept, c)
		}
	}
	return kept
}

// sharedWords are the words that every one of the answers has.
func sharedWords(answers []answer) map[string]bool {
	shared := map[string]int{}
	for i, a := range answers {
		for _, w := range wordsOf(a.text) {
			word := a.text[w.from:w.to]
			if n, known := shared[string(word)]; i == 0 || known && n == i {
				shared[string(word)] = i + 1
			}
		}
	}
	words := map[string]bool{}
	for word, n := range shared {
		if n == len(answers) {
			words[word] = true
		}
	}
	return words
}

// contains reports whether some answer has a word.
func (s *side) contains(word []byte) bool {
	for _, a := range s.answers {
		if bytes.Contains(a.text, word) && (mark{Text: word}).in(a.text, true) {
			return true
		}
	}
	return false
}
