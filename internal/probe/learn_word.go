package probe

// span is a word of an answer, or the nothing before the first and after the last.
type span struct{ from, to int }

// wordByte reports whether a byte is part of words wherever it stands.
func wordByte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '_'
}

// joiner reports whether a byte is part of a word that goes on on both sides of it,
// as in "1.27.1-rc1+build~2".
func joiner(b byte) bool { return b == '.' || b == '-' || b == '+' || b == '~' }

// continues reports whether the word beside i, on its other side than step points to,
// goes on with i.
func continues(text []byte, i, step int) bool {
	if i < 0 || i >= len(text) {
		return false
	}
	beyond := i + step
	return wordByte(text[i]) || joiner(text[i]) && beyond >= 0 && beyond < len(text) && wordByte(text[beyond])
}

// bounded reports whether the bytes from from up to to neither begin nor end within
// a word.
func bounded(text []byte, from, to int) bool {
	if from == to {
		return true
	}
	within := wordByte(text[from]) && continues(text, from-1, -1) || wordByte(text[to-1]) && continues(text, to, 1)
	return !within
}

// wordsOf cuts a text into its words.
func wordsOf(text []byte) []span {
	var words []span
	for at := 0; at < len(text); {
		if !wordByte(text[at]) {
			at++
			continue
		}
		end := at + 1
		for continues(text, end, 1) {
			end++
		}
		words = append(words, span{at, end})
		at = end
	}
	return words
}

// wordAt is the word with a number; the one before the first and the one after the last
// are empty.
func wordAt(text []byte, words []span, i int) span {
	switch {
	case i < 0:
		return span{0, 0}
	case i >= len(words):
		return span{len(text), len(text)}
	}
	return words[i]
}
