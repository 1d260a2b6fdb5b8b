package spec

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// reader gathers what is wrong, and what must not be shown.
type reader struct {
	source   Source
	problems Problems
	secrets  []string
}

// node is a value in the YAML, and where it stands.
type node struct {
	r     *reader
	title string // of the entry, such as "port 80"
	path  string // below it, such as "steps[0].send"
	value any    // nil: absent
}

// reject records what is wrong with a value. The value itself may be a secret, so
// messages never hold it.
func (n node) reject(format string, args ...any) {
	where := n.title
	if n.path != "" {
		where += ": " + n.path
	}
	n.r.problems = append(n.r.problems, where+": "+fmt.Sprintf(format, args...))
}

// there reports whether the key was written, if only with nothing behind it.
func (n node) there() bool { return n.value != nil }

// fields are the values of a mapping with no other keys than these; a key that is not
// written is a node without a value.
func (n node) fields(allowed ...string) map[string]node {
	found := map[string]node{}
	for _, key := range allowed {
		found[key] = node{n.r, n.title, n.below(key), nil}
	}
	object, ok := n.value.(map[string]any)
	if !ok {
		n.reject("it has to be a mapping, with the keys %s", listing(allowed))
		return found
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(allowed, key) {
			n.reject("key %q is unknown: allowed are %s", key, listing(allowed))
			continue
		}
		value := object[key]
		if value == nil {
			n.reject("key %q has no value", key)
			continue
		}
		found[key] = node{n.r, n.title, n.below(key), value}
	}
	return found
}

func (n node) below(key string) string {
	if n.path == "" {
		return key
	}
	return n.path + "." + key
}

// items are the values of a list.
func (n node) items(allowed string) []node {
	list, ok := n.value.([]any)
	if !ok {
		n.reject("%s", allowed)
	}
	var items []node
	for i, value := range list {
		items = append(items, node{n.r, n.title, fmt.Sprintf("%s[%d]", n.path, i), value})
	}
	return items
}

// text is a text, empty if there is none.
func (n node) text() string {
	if n.value == nil {
		return ""
	}
	text, ok := n.value.(string)
	if !ok {
		n.reject("it has to be a text: put it in quotes")
	}
	return text
}

func (n node) texts() []string {
	if n.value == nil {
		return nil
	}
	var texts []string
	for _, item := range n.items("it has to be a list of texts") {
		texts = append(texts, item.text())
	}
	return texts
}

func (n node) truth() bool {
	if n.value == nil {
		return false
	}
	truth, ok := n.value.(bool)
	if !ok {
		n.reject("allowed are true and false")
	}
	return truth
}

// choice is one of the words, in their own letters whatever those of the value.
func (n node) choice(words ...string) string {
	if n.value == nil {
		return ""
	}
	text, _ := n.value.(string)
	for _, word := range words {
		if strings.EqualFold(word, text) {
			return word
		}
	}
	n.reject("allowed are %s", listing(words))
	return ""
}

// number is a number above 0 and up to most; 0 if there is none.
func (n node) number(most float64) float64 {
	if n.value == nil {
		return 0
	}
	number, _ := n.value.(json.Number)
	f, err := number.Float64()
	if err != nil || f <= 0 || f > most {
		n.reject("it has to be a number above 0 and up to %v", most)
		return 0
	}
	return f
}

// whole is a whole number from 1 to most, and whether it is one.
func (n node) whole(most int64) (int, bool) {
	number, _ := n.value.(json.Number)
	i, err := number.Int64()
	return int(i), err == nil && i >= 1 && i <= most
}

func (n node) duration() time.Duration {
	if n.value == nil {
		return 0
	}
	text, _ := n.value.(string)
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		n.reject("it has to be a duration above 0, such as 500ms or 2s")
		return 0
	}
	return d
}

func listing(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
