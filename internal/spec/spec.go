package spec

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/org/l4-canary/internal/probe"
)

// Probes say how ports are asked.
type Probes struct {
	// Secrets are the values that came from the environment. They must not be shown. The
	// longest come first, for one may be a part of another.
	Secrets []string

	entries []entry
}

// entry is how one port is asked.
type entry struct {
	port     string         // its number or its name; empty: every port that no other entry names
	protocol probe.Protocol // empty: either
	off      bool           // the port is not asked at all
	lenient  bool           // where it cannot be spoken, the port's own word is

	exchange probe.Exchange // nil: auto, or what the layers make of nothing
	bare     bool           // TLS alone: its certificate is the answer
	layers   probe.Layers
	timeouts probe.Timeouts
	rate     float64
}

// The words beside those of the presets.
const (
	Auto = "auto" // by what the Service says of the port
	None = "none" // the port is not measured
)

// Word are the probes of a preset's word, for every port whose transport speaks it.
// Other ports are asked as with "auto".
func Word(word string) (Probes, error) {
	e := entry{lenient: true}
	if word != Auto {
		var err error
		if e.exchange, err = probe.Preset(word); err != nil {
			return Probes{}, err
		}
	}
	return Probes{entries: []entry{e}}, nil
}

// Port is a port that there is.
type Port struct {
	Name, AppProtocol string // may be empty
	Number            uint16
	Protocol          probe.Protocol
}

func (p Port) String() string {
	text := fmt.Sprintf("%d/%s", p.Number, p.Protocol)
	if p.Name != "" {
		text += " (" + p.Name + ")"
	}
	return text
}

// Ports are the ports to be asked, and those that are left out on purpose. It is an
// error if an entry fits no port, or if no port is left.
func (p Probes) Ports(available []Port) (asked []probe.Port, left []Port, _ error) {
	var problems Problems
	used := map[int]bool{}
	for _, port := range available {
		i, e := p.of(port)
		used[i] = true
		if e.off {
			left = append(left, port)
			continue
		}
		ready, err := e.ready(port)
		if err != nil {
			problems = append(problems, fmt.Sprintf("port %s: %v", port, err))
			continue
		}
		ready.Secrets = p.repeated()
		asked = append(asked, ready)
	}
	for i, e := range p.entries {
		if e.port != "" && !used[i] {
			problems = append(problems, e.unfit(available))
		}
	}
	if len(available) == 0 {
		problems = append(problems, "there is nothing to ask: the Service has no port")
	} else if len(problems) == 0 && len(asked) == 0 {
		problems = append(problems, "no port is left to be measured: preset none stands for all of them")
	}
	if len(problems) > 0 {
		return nil, nil, problems
	}
	return asked, left, nil
}

// Only is the one port that is asked where nothing but its number is known. Without a
// transport it is that of the entry, TCP where it says nothing. Entries for other ports
// are left aside.
func (p Probes) Only(port Port) (probe.Port, error) {
	if port.Protocol == "" {
		port.Protocol = probe.TCP
		for _, e := range p.entries {
			if e.port == "" || e.port == strconv.Itoa(int(port.Number)) {
				port.Protocol = e.transport()
				break
			}
		}
	}
	i, e := p.of(port)
	switch {
	case i < 0:
		return probe.Port{}, Problems{fmt.Sprintf("there is no entry for port %s", port)}
	case e.off:
		return probe.Port{}, Problems{fmt.Sprintf("port %s: preset none leaves nothing to measure", port)}
	}
	ready, err := e.ready(port)
	if err != nil {
		return probe.Port{}, Problems{fmt.Sprintf("port %s: %v", port, err)}
	}
	ready.Secrets = p.repeated()
	return ready, nil
}

// repeated are the secrets that are looked for in answers. Shorter ones may be a part of any.
func (p Probes) repeated() []string {
	const shortest = 8
	return slices.DeleteFunc(slices.Clone(p.Secrets), func(secret string) bool { return len(secret) < shortest })
}

// transport is the one that the entry speaks, TCP if it may be either.
func (e entry) transport() probe.Protocol {
	if e.protocol == "" && e.exchange != nil && !probe.Speaks(e.exchange, probe.TCP) {
		return probe.UDP
	}
	return cmp.Or(e.protocol, probe.TCP)
}

// of is the entry for a port: one that names it, else the one that names none, else
// auto, whose index is -1.
func (p Probes) of(port Port) (int, entry) {
	for _, fits := range []func(entry) bool{
		func(e entry) bool { return e.names(port) && e.protocol != "" },
		func(e entry) bool { return e.names(port) && e.speaks(port.Protocol) },
		func(e entry) bool { return e.port == "" && (e.protocol == "" || e.protocol == port.Protocol) },
	} {
		if i := slices.IndexFunc(p.entries, fits); i >= 0 {
			return i, p.entries[i]
		}
	}
	return -1, entry{}
}

func (e entry) names(port Port) bool {
	return (e.port == strconv.Itoa(int(port.Number)) || e.port == port.Name && e.port != "") &&
		(e.protocol == "" || e.protocol == port.Protocol)
}

// speaks reports whether the entry can be meant for a port of the transport.
func (e entry) speaks(p probe.Protocol) bool {
	if e.layers != (probe.Layers{}) {
		return p == probe.TCP
	}
	return e.exchange == nil || probe.Speaks(e.exchange, p)
}

// ready is the port with all that it takes to ask it.
func (e entry) ready(port Port) (probe.Port, error) {
	ready := probe.Port{Name: port.Name, Number: port.Number, Protocol: port.Protocol, Timeouts: e.timeouts, Rate: e.rate}
	ready.Exchange = e.exchange
	if e.exchange == nil && !e.bare || e.lenient && !probe.Speaks(e.exchange, port.Protocol) {
		ready.Exchange = probe.Auto(port.Name, port.AppProtocol, port.Protocol, port.Number)
		if who := port.punishes(); who != "" && ready.Exchange.String() == "tcp" {
			return ready, fmt.Errorf("auto does not ask %s, which blocks clients that hang up without logging in: "+
				"docs/probes.md has a recipe; preset tcp reads the greeting all the same", who)
		}
	}
	var err error
	if ready.Exchange, err = e.layers.Around(ready.Exchange); err != nil {
		return ready, err
	}
	if !probe.Speaks(ready.Exchange, port.Protocol) {
		return ready, fmt.Errorf("probe %q cannot be held over %s", ready.Exchange, port.Protocol)
	}
	return ready, nil
}

// punishes is the kind of server that a port is for, if it holds it against a client
// that it only reads the greeting.
func (p Port) punishes() string {
	if p.Protocol != probe.TCP {
		return ""
	}
	name, _, _ := strings.Cut(strings.ToLower(cmp.Or(p.AppProtocol, p.Name)), "-")
	switch {
	case name == "mysql", name == "mariadb", name == "" && p.Number == 3306:
		return "MySQL"
	case name == "ssh", name == "sftp", name == "" && p.Number == 22:
		return "SSH"
	}
	return ""
}

// unfit says why an entry fits no port.
func (e entry) unfit(available []Port) string {
	var all []string
	for _, port := range available {
		all = append(all, port.String())
		if e.names(port) {
			return fmt.Sprintf("port %s: what it says cannot be held over %s", e.title(), port.Protocol)
		}
	}
	return fmt.Sprintf("port %s: the Service has no such port: it has %s", e.title(), strings.Join(all, ", "))
}

func (e entry) title() string {
	if e.protocol == "" {
		return e.port
	}
	return e.port + "/" + string(e.protocol)
}

// Problems are everything that is wrong with a text.
type Problems []string

// Error is a line for each.
func (ps Problems) Error() string { return strings.Join(ps, "\n") }

// errNothing is a text without an entry.
var errNothing = errors.New("it holds no entry: write a list with an entry for each port, such as \"- port: 6379\"")
