package metric

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/org/l4-canary/internal/rollout"
)

// Problems are everything that is wrong with a text.
type Problems []string

// Error is a line for each.
func (ps Problems) Error() string { return strings.Join(ps, "\n") }

// keys are those of a query.
var keys = []string{"name", "expr", "min", "max", "for"}

// The longest that a query may be, in bytes: names stand in tables, and expressions are
// sent every few seconds.
const (
	longestName = 63
	longestExpr = 10_000
	mostQueries = 50
)

// IsYAML reports whether a text is YAML itself rather than the name of a file.
func IsYAML(text string) bool {
	return strings.ContainsAny(text, "\n{}[]") || strings.Contains(text, ": ") || strings.HasPrefix(text, "- ")
}

// Parse reads queries: a list in YAML. Their expressions still have placeholders. The
// error is [Problems].
func Parse(text string) ([]rollout.Query, error) {
	document, err := decode(text)
	if err != nil {
		return nil, Problems{err.Error()}
	}
	list, ok := document.([]any)
	switch {
	case !ok || len(list) == 0:
		return nil, Problems{"it has to be a list of queries, each with the keys " + listing(keys) + ", such as \"- {name: errors, expr: sum(rate(errors_total[1m])), max: 0.5}\""}
	case len(list) > mostQueries:
		return nil, Problems{fmt.Sprintf("it holds %d queries: allowed are %d", len(list), mostQueries)}
	}
	var queries []rollout.Query
	var problems Problems
	seen := map[string]bool{}
	for i, value := range list {
		e := entry{title: fmt.Sprintf("query %d", i+1)}
		query := e.query(value)
		if query.Name != "" && seen[query.Name] {
			e.reject("there is another one of that name")
		}
		seen[query.Name] = true
		queries, problems = append(queries, query), append(problems, e.problems...)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return queries, nil
}

// decode turns YAML into maps, lists, texts and numbers.
func decode(text string) (any, error) {
	data, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		because := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "unmarshal errors:\n  ", ""), "yaml: ")
		if strings.Contains(because, "unsupported value") { // JSON has no such numbers
			because = "a number in it is .nan or .inf, and bounds have to be finite"
		}
		return nil, fmt.Errorf("it is not YAML that can be read: %s", because)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil && err != io.EOF {
		return nil, fmt.Errorf("it is not YAML that can be read: %w", err)
	}
	return document, nil
}

// entry is one query on its way, and what is wrong with it.
type entry struct {
	title    string
	problems Problems
}

// reject records what is wrong, below the query's name.
func (e *entry) reject(format string, args ...any) {
	e.problems = append(e.problems, e.title+": "+fmt.Sprintf(format, args...))
}

// query reads one of the list.
func (e *entry) query(value any) rollout.Query {
	fields, ok := value.(map[string]any)
	if !ok {
		e.reject("it has to be a mapping, with the keys %s", listing(keys))
		return rollout.Query{}
	}
	var q rollout.Query
	q.Name = e.name(fields["name"])
	if q.Name != "" {
		e.title = "query " + strconv.Quote(q.Name)
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		switch {
		case !slices.Contains(keys, key):
			e.reject("key %q is unknown: allowed are %s", key, listing(keys))
		case fields[key] == nil && key != "name" && key != "expr":
			e.reject("key %q has no value", key)
		}
	}
	q.Expr = e.expression(fields["expr"])
	q.NamesStable, q.NamesCanary = names(q.Expr, "stable"), names(q.Expr, "canary")
	_, lower := fields["min"]
	_, upper := fields["max"]
	q.Min, q.Max, q.For = e.bound("min", fields["min"]), e.bound("max", fields["max"]), e.duration(fields["for"])
	switch {
	case !lower && !upper:
		e.reject("min and max are both missing: write one of them, or both")
	case q.Min != nil && q.Max != nil && *q.Min > *q.Max:
		e.reject("min is %v and max is %v: no value could be within", *q.Min, *q.Max)
	}
	return q
}

// name is what the query is called; empty if it cannot be called so.
func (e *entry) name(value any) string {
	name, ok := value.(string)
	switch {
	case value == nil, ok && name == "":
		e.reject("key \"name\" is missing: what it is called in reports")
	case !ok:
		e.reject("name is %s: it has to be a text, so put it in quotes", shown(value))
	case len(name) > longestName || !plain(name):
		e.reject("name is %s: allowed are up to %d printable characters", shown(name), longestName)
	default:
		return name
	}
	return ""
}

// expression is the query itself, with placeholders.
func (e *entry) expression(value any) string {
	expr, ok := value.(string)
	switch {
	case value == nil, ok && strings.TrimSpace(expr) == "":
		e.reject("key \"expr\" is missing: a query in PromQL")
		return ""
	case !ok:
		e.reject("expr is %s: it has to be a text, so put it in quotes", shown(value))
		return ""
	case len(expr) > longestExpr:
		e.reject("expr has %d bytes: allowed are %d", len(expr), longestExpr)
		return ""
	}
	if err := checkPlaceholders(expr); err != nil {
		e.reject("expr: %v", err)
	}
	return strings.TrimSpace(expr)
}

// bound is a finite number, nil if there is none.
func (e *entry) bound(key string, value any) *float64 {
	if value == nil {
		return nil
	}
	number, _ := value.(json.Number)
	bound, err := number.Float64()
	if err != nil || math.IsNaN(bound) || math.IsInf(bound, 0) {
		e.reject("%s is %s: it has to be a finite number", key, shown(value))
		return nil
	}
	return &bound
}

// duration is how long a value may lie outside.
func (e *entry) duration(value any) time.Duration {
	if value == nil {
		return 0
	}
	text, ok := value.(string)
	if number, bare := value.(json.Number); bare {
		text = number.String()
		ok = text == "0"
	}
	d, err := time.ParseDuration(text)
	if !ok || err != nil || d < 0 {
		e.reject("for is %s: it has to be a duration such as 30s or 2m, or 0s", shown(value))
		return 0
	}
	return d
}

// shown is a wrong value for a message.
func shown(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return "what it is"
	}
	const most = 120
	if runes := []rune(string(text)); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(text)
}

// plain reports whether a text is printable and on one line.
func plain(text string) bool {
	return strings.TrimSpace(text) == text && !strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) })
}

func listing(words []string) string {
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
