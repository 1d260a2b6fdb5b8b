package probe

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Close says how a TCP flow ends whose answer was read. All other flows are finished.
type Close string

// A FIN leaves the source port in TIME_WAIT for a minute, here and in every NAT on the
// way, sometimes for longer. A reset frees it within seconds, but a server may note it
// as an error.
const (
	FIN       Close = "fin"
	RST       Close = "rst"
	AutoClose Close = "auto" // RST where source ports would come round too soon, outside loopback
)

// resets reports whether flows to an address end with a reset.
func (s *Sampler) resets(a netip.Addr) bool {
	switch s.options.Close {
	case RST:
		return true
	case AutoClose:
		return s.hurried && !a.IsLoopback()
	case FIN:
	}
	return false
}

// Hurry warns of a rate, in flows a second, at which the source ports of a sweep come
// round before conntrack has forgotten them; empty where that is no matter. Flows that
// repeat a source port may be copies of earlier ones rather than samples of their own.
// Loopback has no such memory.
func Hurry(c *Cursor, rate float64, addresses []netip.Addr) string {
	outside := slices.ContainsFunc(addresses, func(a netip.Addr) bool { return !a.IsLoopback() })
	if rate <= 0 || !outside {
		return ""
	}
	reuse := c.Reuse(rate)
	if reuse >= ReuseDistance {
		return ""
	}
	return fmt.Sprintf("at %.0f flows a second each source port is used again after %s; below %s a balancer may repeat an earlier choice: "+
		"sample at %.0f a second or less, or widen net.ipv4.ip_local_port_range",
		rate, reuse.Round(time.Second), ReuseDistance, float64(c.size)/ReuseDistance.Seconds())
}
