package report

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Heard is what a port of the Service answered. Answers are foreign text.
type Heard struct {
	Port   string
	Images []string // of the version that serves
	Pods   int      // behind the Service

	Answers, Failed int
	kinds           map[string]int // answers, pods' names taken out
	pods            map[string]int
	tagged          int // answers that hold the tag of an image
}

// Add takes note of an answer.
func (h *Heard) Add(answer string, pods []string) {
	if h.kinds == nil {
		h.kinds, h.pods = map[string]int{}, map[string]int{}
	}
	h.Answers++
	if slices.ContainsFunc(h.Images, func(image string) bool { return tag(image) != "" && strings.Contains(answer, tag(image)) }) {
		h.tagged++
	}
	for _, pod := range pods {
		if strings.Contains(answer, pod) {
			h.pods[pod]++
			answer = strings.ReplaceAll(answer, pod, "<pod>")
		}
	}
	h.kinds[answer]++
}

// tag is an image's, empty if it has none.
func tag(image string) string {
	name, _, _ := strings.Cut(image[strings.LastIndexByte(image, '/')+1:], "@")
	_, tag, _ := strings.Cut(name, ":")
	return tag
}

// telling is how many answers it takes to say that one pod gives them all: with two pods, chance does so
// once in half a million times.
const telling = 20

// lines say what can be made of the answers.
func (h *Heard) lines() []string {
	lines := []string{fmt.Sprintf("%d answers, %d failed", h.Answers, h.Failed)}
	if h.Answers == 0 {
		return lines
	}
	switch {
	case len(h.kinds) == 1:
		lines = append(lines, "all answers are alike: "+quoteAnswer(slices.Collect(maps.Keys(h.kinds))[0]))
	case len(h.kinds) > h.Answers/2:
		lines = append(lines, "the answers differ from each other: a run looks for the part that tells the version, or patterns pick it")
	default:
		lines = append(lines, fmt.Sprintf("%d kinds of answers", len(h.kinds)))
	}
	if h.tagged == h.Answers {
		lines = append(lines, "every answer holds the image's tag: the versions can be told apart, such as by stable-pattern: '"+h.pattern()+"'")
	} else {
		lines = append(lines, "the answers do not hold the image's tag: a run looks for what else tells the versions apart")
	}
	return append(lines, h.spread())
}

// spread says whether one client reaches more than one pod.
func (h *Heard) spread() string {
	named := fmt.Sprintf("the answers name %d of %s", len(h.pods), plural(h.Pods, "pod"))
	switch {
	case h.Pods < 2:
		return "whether a client sticks to a pod cannot be seen: there is one"
	case len(h.pods) == 0:
		return "whether a client sticks to a pod cannot be seen: the answers do not name their pods"
	case len(h.pods) == 1 && h.Answers >= telling:
		return named + ": one client always reaches the same pod, and the split cannot be seen from here"
	case len(h.pods) == 1:
		return named + ": too few answers to say whether a client sticks to a pod"
	}
	return named + ": a client does not stick to a pod"
}

// pattern is a pattern for the version that serves, empty if the answers do not tell it.
func (h *Heard) pattern() string {
	if h.Answers == 0 || h.tagged < h.Answers {
		return ""
	}
	return `\b` + regexp.QuoteMeta(h.heldTag()) + `\b`
}

// heldTag is the tag that the answers hold.
func (h *Heard) heldTag() string {
	for _, image := range h.Images {
		for answer := range h.kinds {
			if t := tag(image); t != "" && strings.Contains(answer, t) {
				return t
			}
		}
	}
	return ""
}

// quoteAnswer is the beginning of an answer on one line.
func quoteAnswer(answer string) string {
	const longest = 80
	return fmt.Sprintf("%q", shorten(clean(answer), longest))
}
