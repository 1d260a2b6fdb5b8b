package probe

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"
)

// Protocol is the transport of a Service port.
type Protocol string

// The transports a balancer of layer 4 splits.
const (
	TCP Protocol = "TCP"
	UDP Protocol = "UDP"
)

// Class says how a flow ended.
type Class string

// A flow is answered, or it failed in one of five ways. Local failures are the
// prober's own (no free port, no route on this machine): they are never counted
// against the service.
const (
	Answered Class = "answered"
	Refused  Class = "refused"
	Reset    Class = "reset"
	Timeout  Class = "timeout"
	Faulty   Class = "protocol" // an answer that breaks the protocol or the expectation
	Local    Class = "local"
)

// Version says which side answered a flow.
type Version string

// Unknown is an answer that neither pattern, or both, match. A flow that was
// never answered has no version at all.
const (
	Stable  Version = "stable"
	Canary  Version = "canary"
	Unknown Version = "unknown"
	None    Version = ""
)

// Port is a port of the Service with the probe that speaks to it.
type Port struct {
	Name     string // the Service's name for it, may be empty
	Number   uint16
	Protocol Protocol
	Exchange Exchange

	Timeouts Timeouts
	Rate     float64 // most flows a second, whatever the sampler's rate; 0: no limit of its own

	// Secrets are said by the exchange. A server may repeat them, and answers are kept, learned
	// from and shown: they have stars in their place. Each comes before what is a part of it.
	Secrets []string
}

// shown is an answer without the secrets of the port, of whose bytes it may be a copy.
func (p Port) shown(answer []byte) []byte {
	for _, secret := range p.Secrets {
		if bytes.Contains(answer, []byte(secret)) {
			answer = bytes.ReplaceAll(answer, []byte(secret), []byte("***"))
		}
	}
	return answer
}

// Timeouts bound the phases of a flow; 0 is no bound but that of the whole flow.
type Timeouts struct {
	Connect   time.Duration
	TLS       time.Duration // the handshake
	FirstByte time.Duration // from then until the first byte of the answer
	Total     time.Duration // the whole flow; 0: what the sampler says
}

// total is how long a flow may take where others may take so long.
func (t Timeouts) total(others time.Duration) time.Duration {
	if t.Total > 0 {
		return t.Total
	}
	return others
}

// String is the port as users know it, such as "80/TCP".
func (p Port) String() string { return fmt.Sprintf("%d/%s", p.Number, p.Protocol) }

// Flow is one sample: one new socket to one port of one address, and what came
// of it. Times are durations since the sampling began, except Connect,
// FirstByte and Total, which count from the flow's own Start.
type Flow struct {
	Index   int // position in the schedule, from 0, without gaps
	Port    int // index into Options.Ports
	Address netip.Addr

	Class   Class
	Version Version
	Both    bool   // Unknown because both patterns match
	Told    bool   // whose it is was said where it was made, and its answer stayed there
	Pod     string // from the pattern's group "pod", if it has one
	Answer  []byte // at most MaxAnswer bytes; foreign text, never to be shown unescaped
	Err     error  // why the flow failed; nil when answered
	Resent  int    // datagrams sent again on the same socket before the answer came
	Skipped int    // slots of this port, since its flow before, that the in-flight cap left out

	Scheduled time.Duration
	Start     time.Duration
	Connect   time.Duration // until the socket was connected; zero for UDP
	FirstByte time.Duration // service time: until the first byte of the answer
	Total     time.Duration
}

// Failed reports whether the service, not the prober, failed this flow.
func (f Flow) Failed() bool { return f.Class != Answered && f.Class != Local }
