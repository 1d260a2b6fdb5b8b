package probe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Options say where flows go and how fast.
type Options struct {
	Ports      []Port       // alternated evenly
	Addresses  []netip.Addr // of the balancer, all families; each port uses all of them evenly
	Classifier *Classifier  // nil: every answer is Unknown

	Rate        float64       // flows a second over all ports together; 0: as fast as Concurrency workers go
	Concurrency int           // workers when Rate is 0; 0: 16
	InFlight    int           // flows that may be under way when Rate is not 0; 0: rate × timeout, at most 512
	Count       int           // flows in all; 0: until the range loop ends
	Timeout     time.Duration // of one flow, where its port has none; 0: 5 s
	Close       Close         // of TCP flows whose answer was read; empty: FIN

	Warn func(string) // what a reader of the results should know of the sampling; nil: nobody is told

	Seed   uint64  // of the schedule and of where the sweep of source ports begins
	Cursor *Cursor // carries the sweep over from an earlier sampler; nil: a new one
}

const (
	defaultTimeout     = 5 * time.Second
	defaultConcurrency = 16
	maxInFlight        = 512
)

// withDefaults fills in what zero values stand for.
func (o Options) withDefaults() Options {
	o.Ports = slices.Clone(o.Ports)
	o.Addresses = slices.Clone(o.Addresses)
	for i, a := range o.Addresses {
		o.Addresses[i] = a.Unmap()
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Close == "" {
		o.Close = FIN
	}
	o = o.paced()
	if o.Concurrency == 0 {
		o.Concurrency = defaultConcurrency
	}
	if o.InFlight == 0 {
		o.InFlight = int(min(maxInFlight, max(1, math.Ceil(o.Rate*o.longest().Seconds()))))
	}
	if o.Cursor == nil {
		o.Cursor = NewCursor(o.Seed)
	}
	return o
}

// paced bounds the rate by what the ports together allow.
func (o Options) paced() Options {
	if len(o.Ports) == 0 { // whoever asks for defaults alone
		return o
	}
	rates := PortRates(o.Rate, o.Ports)
	sum := 0.0
	for _, rate := range rates {
		sum += rate
	}
	o.Rate = sum
	return o
}

// longest is how long a flow may take at most.
func (o Options) longest() time.Duration {
	longest := o.Timeout
	for _, p := range o.Ports {
		longest = max(longest, p.Timeouts.total(o.Timeout))
	}
	return longest
}

// check collects every problem.
func (o Options) check() error {
	var problems []error
	if len(o.Ports) == 0 {
		problems = append(problems, errors.New("no port to probe"))
	}
	if len(o.Addresses) == 0 {
		problems = append(problems, errors.New("no address to probe"))
	}
	for _, p := range o.Ports {
		problems = append(problems, p.check())
	}
	for _, a := range o.Addresses {
		if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
			problems = append(problems, fmt.Errorf("address %q is not that of a host", a))
		}
	}
	if o.Rate < 0 || math.IsNaN(o.Rate) || math.IsInf(o.Rate, 0) {
		problems = append(problems, fmt.Errorf("rate %v is not a number of flows a second", o.Rate))
	}
	if o.Concurrency < 0 || o.InFlight < 0 || o.Count < 0 || o.Timeout < 0 {
		problems = append(problems, fmt.Errorf("concurrency %d, in-flight cap %d, count %d and timeout %s must not be negative",
			o.Concurrency, o.InFlight, o.Count, o.Timeout))
	}
	if !slices.Contains([]Close{"", FIN, RST, AutoClose}, o.Close) {
		problems = append(problems, fmt.Errorf("close %q is unknown: allowed are %s, %s, %s", o.Close, FIN, RST, AutoClose))
	}
	return errors.Join(problems...)
}

// check says what is wrong with one port.
func (p Port) check() error {
	switch {
	case p.Number == 0:
		return fmt.Errorf("port %s: allowed are 1 to 65535", p)
	case p.Protocol != TCP && p.Protocol != UDP:
		return fmt.Errorf("port %s: protocol %q is unknown: allowed are TCP, UDP", p, p.Protocol)
	case p.Exchange == nil:
		return fmt.Errorf("port %s has no probe", p)
	case !p.Exchange.speaks(p.Protocol):
		return fmt.Errorf("port %s: probe %q cannot be held over %s", p, p.Exchange, p.Protocol)
	case p.Rate < 0 || math.IsNaN(p.Rate) || math.IsInf(p.Rate, 0):
		return fmt.Errorf("port %s: rate %v is not a number of flows a second", p, p.Rate)
	case min(p.Timeouts.Connect, p.Timeouts.TLS, p.Timeouts.FirstByte, p.Timeouts.Total) < 0:
		return fmt.Errorf("port %s: time-outs must not be negative", p)
	}
	return nil
}

// Resolve turns what a user calls the balancer into its literal addresses, in a
// stable order and each once. Resolving once per sampler, never per flow, keeps
// Happy Eyeballs and a resolver's rotation out of the sample.
func Resolve(ctx context.Context, address string) ([]netip.Addr, error) {
	if literal, err := netip.ParseAddr(address); err == nil {
		return []netip.Addr{literal.Unmap()}, nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", address)
	if err != nil {
		return nil, fmt.Errorf("resolving %q: %w", address, err)
	}
	for i, a := range found {
		found[i] = a.Unmap()
	}
	slices.SortFunc(found, netip.Addr.Compare)
	return slices.Compact(found), nil
}
