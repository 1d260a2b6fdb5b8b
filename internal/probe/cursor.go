package probe

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"
)

// Cursor hands out source ports, one after the other over the ephemeral range.
// The kernel's own choice repeats itself early (even ports first), and a
// repeated port is a copy, not a sample, wherever the choice of a backend hangs
// on a hash or on conntrack. Carry one cursor through a whole run, so that a new
// stage does not begin with the ports the last one ended with.
type Cursor struct {
	low, size uint32
	next      atomic.Uint32               // counts on; taken modulo size
	kept      [1 << 16 / 64]atomic.Uint64 // a bit for every port that a held flow has
	keeping   atomic.Int64                // bits that are set
}

const (
	rangeFile   = "/proc/sys/net/ipv4/ip_local_port_range"
	defaultLow  = 32768
	defaultHigh = 60999

	// ReuseDistance is how long a source port should rest: conntrack keeps a
	// closed TCP flow, and a UDP stream, for 120 s.
	ReuseDistance = 120 * time.Second
)

// NewCursor begins a sweep over this machine's ephemeral ports, IPv6 included,
// at a place that follows from the seed.
func NewCursor(seed uint64) *Cursor {
	text, err := os.ReadFile(rangeFile)
	if err != nil {
		text = nil // another system, or no /proc: the default range will do
	}
	low, high := portRange(string(text))
	return newCursor(seed, low, high)
}

func newCursor(seed uint64, low, high uint32) *Cursor {
	c := &Cursor{low: low, size: high - low + 1}
	c.next.Store(rand.New(rand.NewPCG(seed, streamSweep)).Uint32N(c.size))
	return c
}

// portRange reads the kernel's two numbers; anything else is the default.
func portRange(text string) (low, high uint32) {
	if _, err := fmt.Sscan(text, &low, &high); err != nil || low == 0 || high < low || high > 65535 {
		return defaultLow, defaultHigh
	}
	return low, high
}

// take is the next source port.
func (c *Cursor) take() uint16 {
	for {
		n := c.next.Load()
		after := n + 1
		if after == c.size {
			after = 0
		}
		if c.next.CompareAndSwap(n, after) && !c.keeps(uint16(c.low+n)) {
			return uint16(c.low + n)
		}
	}
}

// keep takes a port out of the sweep until it is given back.
func (c *Cursor) keep(port uint16) {
	if bit := uint64(1) << (port % 64); c.kept[port/64].Or(bit)&bit == 0 {
		c.keeping.Add(1)
	}
}

func (c *Cursor) giveBack(port uint16) {
	if bit := uint64(1) << (port % 64); c.kept[port/64].And(^bit)&bit != 0 {
		c.keeping.Add(-1)
	}
}

func (c *Cursor) keeps(port uint16) bool { return c.kept[port/64].Load()&(1<<(port%64)) != 0 }

// Reuse is how long after a flow its source port comes round again at a rate in
// flows a second. Below ReuseDistance some samples may be copies of others.
func (c *Cursor) Reuse(rate float64) time.Duration {
	return time.Duration(float64(int64(c.size)-c.keeping.Load()) / rate * float64(time.Second))
}
