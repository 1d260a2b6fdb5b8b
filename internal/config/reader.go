package config

import (
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Optional is a value that may be absent: an input left empty, auto or off.
type Optional[T any] struct {
	Value T
	Set   bool
}

// Or is the value, or another where there is none.
func (o Optional[T]) Or(other T) T {
	if o.Set {
		return o.Value
	}
	return other
}

// reader turns texts into values and gathers what is wrong with them.
type reader struct {
	values   Values
	problems Problems
}

// reject records that an input's value is not allowed.
func (r *reader) reject(name, allowed string) { r.rejectHint(name, allowed, "") }

func (r *reader) rejectHint(name, allowed, hint string) {
	value := r.values.Get(name)
	for _, input := range ForCommand(r.values.command) {
		if input.Name == name && input.Secret {
			value = ""
		}
	}
	r.problems = append(r.problems, Problem{Input: name, Value: value, Allowed: allowed, Hint: hint})
}

// err is nil, or Problems in the table's order.
func (r *reader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	inputs := ForCommand(r.values.command)
	place := func(p Problem) int {
		return slices.IndexFunc(inputs, func(i Input) bool { return i.Name == p.Input })
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int { return place(a) - place(b) })
	return r.problems
}

func (r *reader) text(name string) string { return r.values.Get(name) }

// lines are the non-empty lines of an input, without white space around them.
func (r *reader) lines(name string) []string {
	var lines []string
	for line := range strings.Lines(r.text(name)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func (r *reader) choice(name string, allowed ...string) string {
	value := strings.ToLower(r.text(name))
	if !slices.Contains(allowed, value) {
		r.reject(name, "allowed are "+listing(allowed))
	}
	return value
}

// ProbeWords are the words for input "probe" that stand for every port.
func ProbeWords() []string {
	return []string{"auto", "tcp", "udp", "tls", "http", "https", "dns", "redis", "grpc"}
}

// probe is a word, or YAML or the name of a file, which others read.
func (r *reader) probe() string {
	text := r.text("probe")
	if word := strings.ToLower(text); slices.Contains(ProbeWords(), word) {
		return word
	}
	if !strings.ContainsAny(text, "\n:{[./") {
		r.reject("probe", "allowed are "+listing(ProbeWords())+", or YAML, or the name of a file that holds it")
	}
	return text
}

// truth reads a boolean as the runner's own toolkit does.
func (r *reader) truth(name string) bool {
	switch r.text(name) {
	case "true", "True", "TRUE":
		return true
	case "false", "False", "FALSE":
		return false
	}
	r.reject(name, "allowed are true and false")
	return false
}

func (r *reader) whole(name string, lowest, highest int) int {
	return r.wholeAs(name, "", lowest, highest)
}

func (r *reader) wholeAs(name, other string, lowest, highest int) int {
	n, ok := parseWhole(r.text(name))
	if !ok || n < lowest || n > highest {
		r.reject(name, fmt.Sprintf("%sa whole number from %d to %d", other, lowest, highest))
	}
	return n
}

// maxProbes is a number of flows, or absent where it is found out.
func (r *reader) maxProbes() Optional[int] {
	if r.text("max-probes") == "auto" {
		return Optional[int]{}
	}
	return Optional[int]{Value: r.wholeAs("max-probes", "auto, or ", 1, 100_000_000), Set: true}
}

// optionalWhole is 1 to highest, or absent if the input is empty.
func (r *reader) optionalWhole(name string, highest int) Optional[int] {
	if r.text(name) == "" {
		return Optional[int]{}
	}
	return Optional[int]{Value: r.whole(name, 1, highest), Set: true}
}

// number reads a decimal, which check must accept. A percent sign is allowed where
// the input is a percentage.
func (r *reader) number(name, allowed string, percent bool, check func(float64) bool) float64 {
	text := r.text(name)
	if percent {
		text = strings.TrimSpace(strings.TrimSuffix(text, "%"))
	}
	n, err := strconv.ParseFloat(text, 64)
	if !decimal.MatchString(text) || err != nil || math.IsInf(n, 0) || !check(n) {
		r.reject(name, allowed)
		return 0
	}
	return n
}

// between is a percentage from lowest to highest.
func (r *reader) between(name string, lowest, highest float64) float64 {
	return r.number(name, fmt.Sprintf("a percentage from %v to %v", lowest, highest), true,
		func(n float64) bool { return n >= lowest && n <= highest })
}

func (r *reader) duration(name string, zero bool) time.Duration {
	if zero {
		return r.durationAs(name, "a duration such as 30s, 5m or 1h30m", true)
	}
	return r.durationAs(name, "a duration above 0, such as 30s, 5m or 1h30m", false)
}

func (r *reader) durationAs(name, allowed string, zero bool) time.Duration {
	text := r.text(name)
	d, err := time.ParseDuration(text)
	if _, bare := parseWhole(text); bare && err != nil {
		r.rejectHint(name, allowed, fmt.Sprintf("a unit is missing: write %ss for seconds or %sm for minutes", text, text))
		return 0
	}
	if err != nil || d < 0 || (d == 0 && !zero) {
		r.reject(name, allowed)
		return 0
	}
	return d
}

func (r *reader) optionalDuration(name string) Optional[time.Duration] {
	if r.text(name) == "auto" {
		return Optional[time.Duration]{}
	}
	return Optional[time.Duration]{Value: r.durationAs(name, "auto, or a duration such as 30s, 5m or 1h30m", true), Set: true}
}

func (r *reader) pattern(name string) *regexp.Regexp {
	text := r.text(name)
	if text == "" {
		return nil
	}
	pattern, err := regexp.Compile(text)
	if err != nil {
		r.rejectHint(name, "a regular expression in RE2 syntax", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return pattern
}

// The names of Kubernetes objects: those of Namespaces and Services are a label of DNS, others
// several. https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
var (
	labelName  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	objectName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
)

const longestName = 253

// label reads the name of a Namespace or a Service, or nothing.
func (r *reader) label(name string) string {
	text := r.text(name)
	if text != "" && !labelName.MatchString(text) {
		r.reject(name, "a Kubernetes name: up to 63 lower-case letters, digits and '-', with no '-' at either end")
	}
	return text
}

// object reads the name of another Kubernetes object, or nothing.
func (r *reader) object(name string) string {
	text := r.text(name)
	if text != "" && (len(text) > longestName || !objectName.MatchString(text)) {
		r.reject(name, "a Kubernetes name: up to 253 lower-case letters, digits, '-' and '.', with a letter or a digit at either end")
	}
	return text
}

var imageName = regexp.MustCompile(`^[a-zA-Z0-9][-a-zA-Z0-9._:/@+]{0,511}$`)

// image reads the name of a container image, or nothing.
func (r *reader) image(name string) string {
	text := r.text(name)
	if text != "" && !imageName.MatchString(text) {
		r.reject(name, "the name of a container image, such as registry.example/l4-canary:v1.2.3")
	}
	return text
}

var hostName = regexp.MustCompile(`^[a-zA-Z0-9_]([-a-zA-Z0-9_]{0,62})(\.[a-zA-Z0-9_][-a-zA-Z0-9_]{0,62})*\.?$`)

// host reads an IP address or a host name, or nothing.
func (r *reader) host(name string) string {
	text := r.text(name)
	if text == "" {
		return ""
	}
	bare := text
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		bare = text[1 : len(text)-1]
	}
	if _, err := netip.ParseAddr(bare); err == nil {
		return bare
	}
	labels := strings.Split(strings.TrimSuffix(text, "."), ".")
	_, number := parseWhole(labels[len(labels)-1]) // no host is called so: it is an address with a mistake
	if len(text) > longestName || number || !hostName.MatchString(text) {
		hint := ""
		if _, err := netip.ParseAddrPort(text); err == nil || strings.Contains(text, ":") {
			hint = "leave the port out: it is not part of the address"
		}
		if strings.Contains(text, "://") {
			hint = "leave out what stands before and behind the host"
		}
		r.rejectHint(name, "an IP address or a host name", hint)
	}
	return text
}

func listing(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
