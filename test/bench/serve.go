//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// kind is what a flow says.
type kind string

const (
	tcp  kind = "tcp" // the server speaks first
	http kind = "http"
	udp  kind = "udp"
)

// places is how many addresses of loopback the server listens on: more than there are
// runs within the minute that TIME_WAIT lasts.
const places = 64

// place is the address of a run, by its number.
func place(run int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + run%places)}) }

// the two versions' answers, of one size: ab takes another size for a failure.
var (
	words   = [2]string{"old web-1\n", "new web-1\n"}
	respond = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\nConnection: close\r\n\r\n"
)

// serve listens until stdin ends, and says on stdout where.
func serve(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	s := server{ports: map[kind]uint16{}}
	defer s.close()
	for run := range places {
		for _, k := range []kind{tcp, http, udp} {
			if err := s.listen(ctx, k, place(run)); err != nil {
				return fmt.Errorf("listening for %s: %w", k, err)
			}
		}
	}
	if err := json.NewEncoder(stdout).Encode(s.ports); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, stdin)
	return err
}

// server answers every flow as one of two versions, each as likely as the other.
type server struct {
	ports   map[kind]uint16 // the same on every address
	open    []io.Closer
	running sync.WaitGroup
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
	if k == udp {
		socket, err := net.ListenPacket("udp", address)
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
	s.running.Go(func() { s.accept(listener, k) })
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

// version is one of the two, at random.
func version() string { return words[rand.Uint32()&1] }

func (s *server) accept(listener net.Listener, k kind) {
	for {
		c, err := listener.Accept()
		if err != nil {
			return // closed
		}
		s.running.Go(func() {
			defer c.Close()
			switch {
			case k == tcp:
				_, _ = io.WriteString(c, version()) // who has gone is counted by the client
			case readRequest(c):
				_, _ = io.WriteString(c, respond+version())
			}
		})
	}
}

var buffers = sync.Pool{New: func() any { return new([2048]byte) }}

// readRequest reads a request without a body.
func readRequest(c io.Reader) bool {
	buffer := buffers.Get().(*[2048]byte)
	defer buffers.Put(buffer)
	for n := 0; n < len(buffer); {
		more, err := c.Read(buffer[n:])
		if n += more; bytes.HasSuffix(buffer[:n], []byte("\r\n\r\n")) {
			return true
		}
		if err != nil {
			return false
		}
	}
	return false
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
