package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// disguised are the characters that spoil a document which can be read all the same: a
// name that ends with a no-break space, say. Tabs do no harm there.
func (l *look) disguised() Problems {
	var problems Problems
	for _, s := range l.strange {
		if s.char != '\t' {
			problems = append(problems, s.problem())
		}
	}
	return problems
}

func (s strange) problem() Problem {
	return Problem{Place: s.place,
		Message: fmt.Sprintf("%s (U+%04X) where only a space can stand", article(strangeName(s.char)), s.char),
		Hint:    "replace it by spaces; copying from a web page often brings it along"}
}

// article puts the one that it takes before a word.
func article(word string) string {
	if strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}

// explain says why a document cannot be read, in the words of who wrote it if it can
// be seen, else in the parser's.
func (l *look) explain(err error) Problems {
	parser := l.parserProblems(err)
	problems := l.disguised()
	problems = append(problems, l.crooked()...)
	for _, place := range l.markers {
		problems = append(problems, Problem{Place: place, Message: `"---" is indented: it separates documents only at the beginning of a line`})
	}
	certain := len(problems) > 0
	for _, s := range l.strange {
		if s.char == '\t' {
			problems = append(problems, s.problem())
			certain = certain || near(s.place, parser)
		}
	}
	if !certain {
		problems = append(problems, parser...)
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return comparePlaces(a.Place, b.Place) })
	return problems
}

// near reports whether the parser stopped on a place's line or next to it.
func near(place Place, parser Problems) bool {
	return slices.ContainsFunc(parser, func(p Problem) bool {
		return p.Place.Line >= place.Line-1 && p.Place.Line <= place.Line+1
	})
}

// crooked are keys that stand deeper than the key before them, though that one already
// has a value and so cannot hold them.
func (l *look) crooked() Problems {
	var problems Problems
	for i := 1; i < len(l.keys); i++ {
		before, here := l.keys[i-1], l.keys[i]
		if !before.hasValue || here.place.Column <= before.place.Column || here.place.Line != before.place.Line+1 {
			continue
		}
		place := here.place
		if before.name == "apiVersion" {
			place = before.place
		}
		problems = append(problems, Problem{Place: place,
			Message: fmt.Sprintf("wrong indentation: %q (line %d) begins in column %d, its sibling %q (line %d) in column %d",
				before.name, before.place.Line, before.place.Column, here.name, here.place.Line, here.place.Column),
			Hint: "let all keys of one object begin in the same column"})
	}
	return problems
}

var (
	syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)
	typeError   = regexp.MustCompile(`(?m)^  line (\d+): (.*)$`)
)

// parserProblems are the parser's own words, with the lines of the real file.
func (l *look) parserProblems(err error) Problems {
	var problems Problems
	for _, match := range typeError.FindAllStringSubmatch(err.Error(), -1) {
		problems = append(problems, Problem{Place: l.doc.place(index(match[1]), 0), Message: match[2]})
	}
	if len(problems) > 0 {
		return problems
	}
	match := syntaxError.FindStringSubmatch(strings.SplitN(err.Error(), "\n", 2)[0])
	if match == nil {
		return Problems{{Place: l.doc.start(), Message: err.Error()}}
	}
	if strings.HasPrefix(match[2], "invalid map key:") { // followed by how Go writes it
		return Problems{{Place: l.doc.start(), Message: "a key is a mapping or a list, and has to be a text",
			Hint: "a template has to be rendered first; text that begins with a brace or a bracket stands in quotes"}}
	}
	line := index(match[1])
	// The parser, unlike its scanner, counts lines from 0:
	// https://github.com/yaml/go-yaml/blob/v2.4.2/decode.go#L111
	if match[1] != "" && strings.HasPrefix(match[2], "did not find expected") {
		line++
	}
	return Problems{{Place: l.doc.place(line, 0), Message: match[2]}}
}

// index is a line number counted from 0.
func index(number string) int {
	n, err := strconv.Atoi(number)
	if err != nil {
		return 0
	}
	return max(n-1, 0)
}
