//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
)

// kind is what a flow says.
type kind string

const (
	greeting kind = "tcp" // the server speaks first
	request  kind = "http"
	datagram kind = "udp"
)

// places is how many addresses of loopback the server listens on: so many runs take
// longer than the minute that TIME_WAIT lasts.
const places = 64

// place is the address of a run, by its number.
func place(run int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + run%places)}) }

// words are the two versions' answers, of one size: ab takes another size for a failure.
var words = [2]string{"old web-1\n", "new web-1\n"}

// version is one of the two, at random.
func version() string { return words[rand.Uint32()&1] }

// server answers every flow as one of two versions, each as likely as the other.
type server struct {
	ports   map[kind]uint16 // the same on every address
	web     http.Server
	open    []io.Closer
	running sync.WaitGroup
}

// serve listens until stdin ends, and says on stdout where.
func serve(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	s, err := newServer(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if err = json.NewEncoder(stdout).Encode(s.ports); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, stdin)
	return err
}

// newServer listens on all addresses.
func newServer(ctx context.Context) (*server, error) {
	s := &server{ports: map[kind]uint16{}}
	s.web.SetKeepAlivesEnabled(false)
	s.web.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, version()) // who has gone is counted by the client
	})
	for run := range places {
		for _, k := range []kind{greeting, request, datagram} {
			if err := s.listen(ctx, k, place(run)); err != nil {
				s.close()
				return nil, fmt.Errorf("listening for %s: %w", k, err)
			}
		}
	}
	return s, nil
}

// close ends everything.
func (s *server) close() {
	for _, o := range s.open {
		_ = o.Close() // what waits on it returns
	}
	s.running.Wait()
}

// listen answers one kind on an address.
func (s *server) listen(ctx context.Context, k kind, at netip.Addr) error {
	address := netip.AddrPortFrom(at, s.ports[k]).String()
	if k == datagram {
		socket, err := new(net.ListenConfig).ListenPacket(ctx, "udp", address)
		if err != nil {
			return err
		}
		s.open = append(s.open, socket)
		s.ports[k] = socket.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		s.running.Go(func() { echo(socket.(*net.UDPConn)) })
		return nil
	}
	corked := net.ListenConfig{Control: cork}
	listener, err := corked.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	s.open = append(s.open, listener)
	s.ports[k] = listener.Addr().(*net.TCPAddr).AddrPort().Port()
	if k == request {
		s.running.Go(func() { _ = s.web.Serve(listener) }) // until it is closed
	} else {
		s.running.Go(func() { s.greet(listener) })
	}
	return nil
}

// cork has what is written wait for the close, on all connections of a listener: the
// answer and its FIN leave as one packet. So the client hears the end no later than the
// answer, and never closes first.
func cork(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CORK, 1)
	})
	if err != nil {
		return err
	}
	return failed
}

// greet speaks first.
func (s *server) greet(listener net.Listener) {
	for {
		c, err := listener.Accept()
		if err != nil {
			return // closed
		}
		s.running.Go(func() {
			defer c.Close()
			_, _ = io.WriteString(c, version()) // who has gone is counted by the client
		})
	}
}

// echo answers datagrams.
func echo(socket *net.UDPConn) {
	question := make([]byte, 2048)
	for {
		_, from, err := socket.ReadFromUDPAddrPort(question)
		if err != nil {
			return // closed
		}
		_, _ = socket.WriteToUDPAddrPort([]byte(version()), from) // who has gone is counted by the client
	}
}
