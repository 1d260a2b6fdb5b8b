package spec

import (
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/org/l4-canary/internal/probe"
)

// script is a conversation by steps.
func (n node) script(goodbye node, protocol probe.Protocol) probe.Exchange {
	items := n.items("it has to be a list of steps, each with the keys send, sendHex, expect, expectHex and until")
	if list, ok := n.value.([]any); ok && len(list) == 0 {
		n.reject("it holds no step")
	}
	var steps []probe.Step
	for _, item := range items {
		steps = append(steps, item.step(steps))
	}
	if protocol == probe.UDP && len(steps) > 0 {
		n.datagrams(steps)
	}
	if goodbye.there() {
		return probe.WithGoodbye(goodbye.literal(), steps...)
	}
	return probe.NewScript(steps...)
}

// datagrams checks steps that go over UDP.
func (n node) datagrams(steps []probe.Step) {
	if len(steps[0].Send) == 0 {
		n.reject("over UDP the first step has to send")
	}
	if slices.ContainsFunc(steps, func(s probe.Step) bool { return s.Until != "" || s.Bytes > 0 }) {
		n.reject("over UDP an answer ends where its datagram does: leave until out")
	}
}

// step is one step; it may refer to those before it.
func (n node) step(earlier []probe.Step) probe.Step {
	fields := n.fields("send", "sendHex", "expect", "expectHex", "until")
	var s probe.Step
	s.Send, s.Refs = fields["send"].sent(earlier)
	if fields["sendHex"].there() {
		if fields["send"].there() {
			fields["sendHex"].reject("it stands in the place of send: leave one of them out")
		}
		s.Send = fields["sendHex"].hex()
	}
	if fields["expect"].there() {
		expression, err := regexp.Compile(fields["expect"].text())
		if err != nil {
			fields["expect"].reject("it has to be a regular expression in RE2 syntax: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		s.Expect = expression
	}
	if fields["expectHex"].there() {
		if fields["expect"].there() {
			fields["expectHex"].reject("it stands in the place of expect: leave one of them out")
		}
		s.Prefix = fields["expectHex"].hex()
	}
	s.Until, s.Bytes = fields["until"].until()
	if object, ok := n.value.(map[string]any); ok && len(object) == 0 {
		n.reject("it says nothing: write send or sendHex, expect or expectHex, or until")
	}
	return s
}

// until is where an answer ends: a word, or a number of bytes.
func (n node) until() (probe.Until, int) {
	if !n.there() {
		return "", 0
	}
	if size, ok := n.whole(probe.MaxAnswer); ok {
		return "", size
	}
	words := []string{string(probe.UntilLine), string(probe.UntilClose), string(probe.UntilQuiet)}
	text, _ := n.value.(string)
	if !slices.Contains(words, text) {
		n.reject("allowed are %s, and a number of bytes up to %d", strings.Join(words, ", "), probe.MaxAnswer)
	}
	return probe.Until(text), 0
}

// hex are bytes in hexadecimal digits, with any white space between.
func (n node) hex() []byte {
	data, err := hex.DecodeString(strings.Join(strings.Fields(n.text()), ""))
	if err != nil || len(data) == 0 {
		n.reject("it has to be bytes in hexadecimal, such as \"00 00 00 08 04 d2 16 2f\"")
	}
	return data
}

var (
	variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	capture  = regexp.MustCompile(`^(\d{1,3})\.(\w+)$`)
)

// literal is text in which ${NAME} and escapes stand for something.
func (n node) literal() []byte {
	data, _ := n.sent(nil)
	return data
}

// sent is what a text comes to: escapes stand for bytes, ${NAME} for a variable of the
// environment, ${1.2} and ${1.name} for what the first step captured, and $${ for ${
// itself. What is put in is taken as it is.
func (n node) sent(earlier []probe.Step) (out []byte, refs []probe.Ref) {
	text := n.text()
	for text != "" {
		before, after, found := strings.Cut(text, "${")
		escaped := found && strings.HasSuffix(before, "$")
		if escaped {
			before = strings.TrimSuffix(before, "$")
		}
		data, err := probe.ParseText(before)
		if err != nil {
			n.reject("%s", err)
		}
		out, text = append(out, data...), after
		switch {
		case !found:
			return out, refs
		case escaped:
			out = append(out, "${"...)
			continue
		}
		name, rest, closed := strings.Cut(after, "}")
		text = rest
		switch {
		case closed && variable.MatchString(name):
			out = append(out, n.environment(name)...)
		case closed && capture.MatchString(name):
			if ref, ok := n.reference(name, earlier); ok {
				ref.At = len(out)
				refs = append(refs, ref)
			}
		default:
			n.reject("after ${ allowed are the name of an environment variable, or a step and a group of its expect as in ${1.name}, and then }; $${ stands for ${ itself")
			return out, refs
		}
	}
	return out, refs
}

// environment is a variable's value, which is a secret from here on.
func (n node) environment(name string) string {
	value := n.r.source.Getenv(name)
	if value == "" {
		n.reject("the environment variable %s is empty or not there", name)
		return ""
	}
	if !slices.Contains(n.r.secrets, value) {
		n.r.secrets = append(n.r.secrets, value)
	}
	return value
}

// reference finds what an earlier step captures.
func (n node) reference(name string, earlier []probe.Step) (probe.Ref, bool) {
	parts := capture.FindStringSubmatch(name)
	step, err := strconv.Atoi(parts[1])
	if err != nil || step < 1 || step > len(earlier) {
		n.reject("${%s} is no step before this one: there are %d", name, len(earlier))
		return probe.Ref{}, false
	}
	expression := earlier[step-1].Expect
	if expression == nil {
		n.reject("${%s}: step %d has no expect that could capture anything", name, step)
		return probe.Ref{}, false
	}
	group, err := strconv.Atoi(parts[2])
	if err != nil {
		group = expression.SubexpIndex(parts[2])
	}
	if group < 0 || group > expression.NumSubexp() {
		n.reject("${%s}: the expect of step %d has no such group", name, step)
		return probe.Ref{}, false
	}
	return probe.Ref{Step: step - 1, Group: group}, true
}
