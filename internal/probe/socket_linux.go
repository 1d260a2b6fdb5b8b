package probe

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
)

// dialer opens sockets by system calls: a net.Dialer spends some thirty
// allocations and a goroutine on what a flow needs none of.
type dialer struct {
	v4      syscall.SockaddrInet4
	v6      syscall.SockaddrInet6
	target  syscall.Sockaddr
	outcome error
	connect func(fd uintptr) bool // made once
	waiting waiting               // the socket, where the worker is alone
}

// open gives the conversation a socket that is bound to the source port and
// connected to the target. An error that wraps errLocal is this machine's own;
// errTaken asks for another source port.
func (c *conversation) open(source uint16) error {
	family, kind := syscall.AF_INET, syscall.SOCK_STREAM
	if c.target.Addr().Is6() {
		family = syscall.AF_INET6
	}
	if c.protocol == UDP {
		kind = syscall.SOCK_DGRAM
	}
	fd, err := syscall.Socket(family, kind|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return localError("opening a socket", err)
	}
	pending, err := c.dial(fd, source)
	if err != nil {
		_ = syscall.Close(fd) // nothing was sent on it that could be lost
		return err
	}
	s := c.dialer.adopt(fd, c.alone)
	if err := c.keep(s); err != nil {
		return err
	}
	if err := s.SetDeadline(c.due); err != nil {
		return localError("watching a socket", err)
	}
	if !pending {
		return nil
	}
	return c.connected(s)
}

// adopt makes a socket of a descriptor.
func (d *dialer) adopt(fd int, alone bool) socket {
	if !alone {
		return os.NewFile(uintptr(fd), "")
	}
	d.waiting = waiting{fd: fd}
	return &d.waiting
}

// dial binds and begins to connect. It reports whether the connection is still
// to come.
func (c *conversation) dial(fd int, source uint16) (pending bool, err error) {
	if c.protocol == TCP {
		if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
			return false, localError("sharing the source port", err)
		}
	}
	if err := syscall.Bind(fd, c.dialer.source(c.target.Addr().Is6(), source)); err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return false, errTaken
		}
		return false, localError(fmt.Sprintf("binding source port %d", source), err)
	}
	if err := c.dialer.aim(c); err != nil {
		return false, localError("addressing", err)
	}
	return begun(syscall.Connect(fd, c.dialer.target))
}

// begun reads the outcome of a connect that does not wait.
func begun(err error) (pending bool, _ error) {
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, syscall.EINPROGRESS):
		return true, nil
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EADDRINUSE):
		return false, errTaken // an earlier flow to the same target still rests in TIME_WAIT
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return false, err // over loopback the answer is there at once
	default:
		return false, localError("connecting", err)
	}
}

// connected waits for a connection that has begun. Connecting again asks how it
// went without another packet: nil once it stands, EALREADY while it does not.
func (c *conversation) connected(s socket) error {
	if c.dialer.connect == nil {
		c.dialer.connect = func(fd uintptr) bool {
			c.dialer.outcome = syscall.Connect(int(fd), c.dialer.target)
			return !errors.Is(c.dialer.outcome, syscall.EALREADY) && !errors.Is(c.dialer.outcome, syscall.EINPROGRESS)
		}
	}
	if err := until(s, c.dialer.connect); err != nil {
		return err
	}
	if errors.Is(c.dialer.outcome, syscall.EISCONN) {
		return nil
	}
	return c.dialer.outcome
}

// until tries something on a socket's descriptor until it is done, and waits in between for
// the socket to take more.
func until(s socket, done func(fd uintptr) bool) error {
	switch s := s.(type) {
	case *waiting:
		return s.until(done)
	case *os.File:
		raw, err := s.SyscallConn()
		if err != nil {
			return localError("watching a socket", err)
		}
		return raw.Write(done)
	}
	return localError("watching a socket", errors.ErrUnsupported)
}

// interrupt ends what is going on on a socket: whoever talks on it gets an error.
func interrupt(s socket) {
	if w, ok := s.(*waiting); ok {
		w.wake()
		return
	}
	_ = s.Close()
}

// control does something to a socket's descriptor.
func control(s socket, do func(fd int) error) error {
	if w, ok := s.(*waiting); ok {
		return do(w.fd)
	}
	file, ok := s.(syscall.Conn)
	if !ok {
		return errors.ErrUnsupported
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err = raw.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// finish says that nothing more will be said.
func finish(s socket) error {
	return control(s, func(fd int) error { return syscall.Shutdown(fd, syscall.SHUT_WR) })
}

// abort has the socket reset its connection when it is closed.
func abort(s socket) error {
	return control(s, func(fd int) error {
		return syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	})
}

// local is the socket's own address.
func local(s socket) (address netip.AddrPort, _ error) {
	err := control(s, func(fd int) error {
		name, err := syscall.Getsockname(fd)
		switch name := name.(type) {
		case *syscall.SockaddrInet4:
			address = netip.AddrPortFrom(netip.AddrFrom4(name.Addr), uint16(name.Port))
		case *syscall.SockaddrInet6:
			address = netip.AddrPortFrom(netip.AddrFrom16(name.Addr), uint16(name.Port))
		}
		return err
	})
	return address, err
}

// source is the wildcard address with the source port.
func (d *dialer) source(six bool, port uint16) syscall.Sockaddr {
	if six {
		d.v6 = syscall.SockaddrInet6{Port: int(port)}
		return &d.v6
	}
	d.v4 = syscall.SockaddrInet4{Port: int(port)}
	return &d.v4
}

// aim sets the target.
func (d *dialer) aim(c *conversation) error {
	address, port := c.target.Addr(), int(c.target.Port())
	if !address.Is6() {
		d.v4 = syscall.SockaddrInet4{Port: port, Addr: address.As4()}
		d.target = &d.v4
		return nil
	}
	d.v6 = syscall.SockaddrInet6{Port: port, Addr: address.As16()}
	d.target = &d.v6
	if address.Zone() == "" {
		return nil
	}
	if index, err := strconv.ParseUint(address.Zone(), 10, 32); err == nil {
		d.v6.ZoneId = uint32(index)
		return nil
	}
	device, err := net.InterfaceByName(address.Zone())
	if err != nil {
		return err
	}
	d.v6.ZoneId = uint32(device.Index)
	return nil
}

// mostFiles is how many files this process may have open at once.
func mostFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt // it is not known to be too few
	}
	return int(min(limit.Cur, math.MaxInt32))
}
