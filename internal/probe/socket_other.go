//go:build !linux

package probe

import (
	"errors"
	"math"
	"net"
	"syscall"
)

// dialer is empty where net.Dialer does the work.
type dialer struct{}

// open gives the conversation a socket that is bound to the source port and
// connected to the target. An error that wraps errLocal is this machine's own;
// errTaken asks for another source port.
func (c *conversation) open(source uint16) error {
	d := net.Dialer{Deadline: c.deadline, KeepAlive: -1, LocalAddr: &net.TCPAddr{Port: int(source)}}
	network := "tcp"
	if c.protocol == UDP {
		d.LocalAddr, network = &net.UDPAddr{Port: int(source)}, "udp"
	}
	s, err := d.Dial(network, c.target.String())
	switch {
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.EADDRNOTAVAIL):
		return errTaken
	case err != nil:
		return err
	}
	if err := c.keep(s); err != nil {
		return err
	}
	return s.SetDeadline(c.deadline)
}

// mostFiles is how many files this process may have open at once; here nobody knows.
func mostFiles() int { return math.MaxInt }
