//go:build !linux

package probe

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"syscall"
)

// dialer is empty where net.Dialer does the work.
type dialer struct{}

// open gives the conversation a socket that is bound to the source port and
// connected to the target. An error that wraps errLocal is this machine's own;
// errTaken asks for another source port.
func (c *conversation) open(source uint16) error {
	d := net.Dialer{Deadline: c.due, KeepAlive: -1, LocalAddr: &net.TCPAddr{Port: int(source)}}
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
	return s.SetDeadline(c.due)
}

// interrupt ends what is going on on a socket: whoever talks on it gets an error.
func interrupt(s socket) { _ = s.Close() }

// finish says that nothing more will be said.
func finish(s socket) error {
	if conn, ok := s.(*net.TCPConn); ok {
		return conn.CloseWrite()
	}
	return errors.ErrUnsupported
}

// abort has the socket reset its connection when it is closed.
func abort(s socket) error {
	if conn, ok := s.(*net.TCPConn); ok {
		return conn.SetLinger(0)
	}
	return errors.ErrUnsupported
}

// local is the socket's own address.
func local(s socket) (netip.AddrPort, error) {
	if conn, ok := s.(net.Conn); ok {
		return netip.ParseAddrPort(conn.LocalAddr().String())
	}
	return netip.AddrPort{}, errors.ErrUnsupported
}

// mostFiles is how many files this process may have open at once; here nobody knows.
func mostFiles() int { return math.MaxInt }
