package probe

import (
	"fmt"
	"regexp"
	"slices"
)

// Classifier tells versions apart by what they answer. Its zero value, like a
// nil one, knows neither: every answer is Unknown. NewClassifier makes one of
// patterns, Learn one of answers.
type Classifier struct {
	stable, canary pattern
	learned        *learned // nil: the patterns decide
}

// pattern is an expression that one side's answers match. If it has a group
// named "pod", what the group captures is the pod's name.
type pattern struct {
	expression *regexp.Regexp // nil: not given, matches nothing
	pod        int            // the group's number, 0 if it has none
}

// NewClassifier compiles the patterns, RE2 over the bytes of the answer; an
// empty one is absent.
func NewClassifier(stable, canary string) (*Classifier, error) {
	var c Classifier
	var err error
	if c.stable, err = newPattern(stable); err != nil {
		return nil, fmt.Errorf("stable-pattern: %w", err)
	}
	if c.canary, err = newPattern(canary); err != nil {
		return nil, fmt.Errorf("canary-pattern: %w", err)
	}
	return &c, nil
}

func newPattern(text string) (pattern, error) {
	if text == "" {
		return pattern{}, nil
	}
	expression, err := regexp.Compile(text)
	if err != nil {
		return pattern{}, err
	}
	return pattern{expression: expression, pod: max(0, slices.Index(expression.SubexpNames(), "pod"))}, nil
}

// Classify says which side an answer is from, and which pod if the pattern can
// tell. An answer that neither pattern matches, or both, is Unknown: with one
// pattern alone, what does not match it is Unknown too and never the other side.
func (c *Classifier) Classify(answer []byte) (Version, string) {
	if c == nil {
		return Unknown, ""
	}
	if c.learned != nil {
		return c.learned.classify(answer, true), ""
	}
	stablePod, isStable := c.stable.match(answer)
	canaryPod, isCanary := c.canary.match(answer)
	switch {
	case isStable == isCanary:
		return Unknown, ""
	case isStable:
		return Stable, stablePod
	default:
		return Canary, canaryPod
	}
}

// ambiguous reports whether both patterns match an answer: then they, and not the
// service, are wrong.
func (c *Classifier) ambiguous(answer []byte) bool {
	if c == nil {
		return false
	}
	_, stable := c.stable.match(answer)
	_, canary := c.canary.match(answer)
	return stable && canary
}

func (p pattern) match(answer []byte) (pod string, ok bool) {
	if p.expression == nil {
		return "", false
	}
	if p.pod == 0 { // the common case, free of allocations
		return "", p.expression.Match(answer)
	}
	at := p.expression.FindSubmatchIndex(answer)
	if at == nil {
		return "", false
	}
	if from := at[2*p.pod]; from >= 0 {
		pod = string(answer[from:at[2*p.pod+1]])
	}
	return pod, true
}
