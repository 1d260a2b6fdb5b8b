package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/org/l4-canary/internal/probe"
)

// Source is what YAML may refer to.
type Source struct {
	Getenv   func(name string) string
	ReadFile func(name string) ([]byte, error)
}

// Load reads the probes from what a user gave: a word, YAML, or the name of a file that
// holds YAML. The error is [Problems], or says why the file cannot be read.
func Load(text string, source Source) (Probes, error) {
	if IsWord(text) {
		return Word(text)
	}
	if IsYAML(text) {
		return Parse(text, source)
	}
	data, err := source.ReadFile(text)
	if err != nil {
		return Probes{}, fmt.Errorf("reading the probe's file: %w", err)
	}
	return Parse(string(data), source)
}

// IsWord reports whether a text is a word for all ports.
func IsWord(text string) bool {
	_, err := Word(text)
	return err == nil
}

// IsYAML reports whether a text is YAML itself rather than the name of a file.
func IsYAML(text string) bool {
	return strings.ContainsAny(text, "\n{}[]") || strings.Contains(text, ": ") || strings.HasSuffix(text, ":") || strings.HasPrefix(text, "- ")
}

// Parse reads entries in YAML: a list of them, or one alone. The error is [Problems].
func Parse(text string, source Source) (Probes, error) {
	document, err := decode(text)
	if err != nil {
		return Probes{}, Problems{err.Error()}
	}
	r := &reader{source: source}
	list, isList := document.([]any)
	if !isList && document != nil {
		list = []any{document}
	}
	var entries []entry
	seen := map[string]bool{}
	for i, value := range list {
		n := node{r: r, title: title(i, value), value: value}
		if _, ok := value.(map[string]any); !ok {
			n.fields(keys()...)
			continue
		}
		e := n.entry()
		entries = append(entries, e)
		place := n.place(e)
		if seen[place] {
			n.reject("there is another entry for it")
		}
		seen[place] = true
	}
	if len(list) == 0 {
		r.problems = append(r.problems, errNothing.Error())
	}
	if len(r.problems) > 0 {
		return Probes{}, r.problems
	}
	slices.SortStableFunc(r.secrets, func(a, b string) int { return len(b) - len(a) })
	return Probes{entries: entries, Secrets: r.secrets}, nil
}

// place is what an entry is for, even if it is no port.
func (n node) place(e entry) string {
	switch {
	case e.port != "":
		return e.port + string(e.protocol)
	case strings.HasPrefix(n.title, "port "):
		return n.title + string(e.protocol)
	}
	return "every other port" + string(e.protocol)
}

// decode turns YAML into maps, lists, texts and numbers.
func decode(text string) (any, error) {
	data, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("it is not YAML: %s", strings.TrimPrefix(strings.ReplaceAll(err.Error(), "unmarshal errors:\n  ", ""), "yaml: "))
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil && err != io.EOF {
		return nil, fmt.Errorf("it is not YAML: %w", err)
	}
	return document, nil
}

// title is what an entry is called in messages.
func title(i int, value any) string {
	if object, ok := value.(map[string]any); ok {
		switch port := object["port"].(type) {
		case string:
			if len(port) <= 63 {
				return "port " + strconv.Quote(port)
			}
		case json.Number:
			return "port " + port.String()
		}
	}
	return fmt.Sprintf("entry %d", i+1)
}

// keys are those of an entry.
func keys() []string {
	return []string{
		"port", "protocol", "preset", "steps", "goodbye", "path", "host", "tls", "starttls", "proxyProtocol", "timeouts", "rate",
	}
}

// entry reads how one port is asked.
func (n node) entry() entry {
	fields := n.fields(keys()...)
	e := entry{port: fields["port"].port(), protocol: probe.Protocol(fields["protocol"].choice("TCP", "UDP"))}
	preset := fields["preset"].choice(append([]string{Auto, None}, probe.PresetNames()...)...)
	e.layers, e.timeouts = fields["tls"].layers(fields), fields["timeouts"].timeouts()
	e.rate = fields["rate"].number(100_000)
	switch {
	case preset == None:
		e.off = true
		n.only(fields, "with preset none nothing is asked, so that it means nothing", "port", "protocol", "preset")
	case fields["steps"].there():
		n.only(fields, "it goes with a preset, and steps stand for themselves",
			"port", "protocol", "steps", "goodbye", "tls", "starttls", "proxyProtocol", "timeouts", "rate")
		e.exchange = fields["steps"].script(fields["goodbye"], e.protocol)
	default:
		n.mustLogIn(fields)
		e.bare = !fields["preset"].there() && (e.layers.TLS != nil || e.layers.StartTLS != "")
		e.exchange = n.preset(preset, fields)
	}
	if e.protocol == probe.UDP {
		for _, key := range []string{"tls", "starttls", "proxyProtocol", "goodbye"} {
			if fields[key].there() {
				fields[key].reject("UDP knows no such thing")
			}
		}
	}
	return e
}

// mustLogIn rejects what would end a connection to MySQL before the login.
func (n node) mustLogIn(fields map[string]node) {
	if e := fields["starttls"]; e.value == "mysql" && !fields["steps"].there() {
		e.reject("mysql needs steps that log in: the server blocks clients that hang up before")
	}
}

// only rejects the keys that are written and not among those.
func (n node) only(fields map[string]node, because string, allowed ...string) {
	for _, key := range keys() {
		if fields[key].there() && !slices.Contains(allowed, key) {
			fields[key].reject("%s", because)
		}
	}
}

// preset is a preset's exchange; nil is auto.
func (n node) preset(word string, fields map[string]node) probe.Exchange {
	if fields["goodbye"].there() {
		fields["goodbye"].reject("it goes with steps: presets have their own")
	}
	path, host := string(fields["path"].literal()), string(fields["host"].literal())
	http := word == "http" || word == "https"
	for _, key := range []string{"path", "host"} {
		if fields[key].there() && !http {
			fields[key].reject("it goes with preset http or https")
		}
	}
	if fields["path"].there() && (!strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \r\n")) {
		fields["path"].reject("it has to begin with / and to hold no white space")
	}
	if strings.ContainsAny(host, " \r\n") {
		fields["host"].reject("it has to hold no white space")
	}
	if word == "" || word == Auto {
		return nil
	}
	exchange, err := probe.Preset(word)
	if err != nil {
		return nil // it was one of the words, or has been rejected
	}
	if http && (path != "" || host != "") {
		return probe.With(exchange, probe.Get(path, host))
	}
	return exchange
}

// port is a number from 1 to 65535 or a name; empty if there is none.
func (n node) port() string {
	if n.value == nil {
		return ""
	}
	if number, ok := n.whole(65535); ok {
		return strconv.Itoa(number)
	}
	text, ok := n.value.(string)
	number, err := strconv.Atoi(text)
	if !ok || text == "" || err == nil && (number < 1 || number > 65535) {
		n.reject("it has to be a number from 1 to 65535, or the name of a port")
	}
	return text
}

func (n node) timeouts() probe.Timeouts {
	if !n.there() {
		return probe.Timeouts{}
	}
	fields := n.fields("connect", "tls", "firstByte", "total")
	return probe.Timeouts{
		Connect: fields["connect"].duration(), TLS: fields["tls"].duration(),
		FirstByte: fields["firstByte"].duration(), Total: fields["total"].duration(),
	}
}
