package probe

import (
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serveTCP answers each connection on a loopback port of its own, until the
// test ends.
func serveTCP(tb testing.TB, host string, handle func(net.Conn)) Port {
	tb.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(tb.Context(), "tcp", net.JoinHostPort(host, "0"))
	require.NoError(tb, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(conn)
			}()
		}
	}()
	tb.Cleanup(func() {
		listener.Close()
		<-done
	})
	return Port{Number: portOf(tb, listener.Addr()), Protocol: TCP, Exchange: banner()}
}

// serveUDP hands each datagram to answer, with a way to reply.
func serveUDP(tb testing.TB, host string, answer func(datagram []byte, reply func(string))) Port {
	tb.Helper()
	var config net.ListenConfig
	conn, err := config.ListenPacket(tb.Context(), "udp", net.JoinHostPort(host, "0"))
	require.NoError(tb, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			answer(buffer[:n], func(text string) { _, _ = conn.WriteTo([]byte(text), from) })
		}
	}()
	tb.Cleanup(func() {
		_ = conn.Close() // ends the loop
		<-done
	})
	return Port{Number: portOf(tb, conn.LocalAddr()), Protocol: UDP, Exchange: datagram()}
}

func portOf(tb testing.TB, address net.Addr) uint16 {
	tb.Helper()
	parsed, err := netip.ParseAddrPort(address.String())
	require.NoError(tb, err)
	return parsed.Port()
}

// fullQueue is a port where a connection is neither accepted nor refused.
func fullQueue(tb testing.TB) uint16 {
	tb.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, syscall.Close(fd)) })
	require.NoError(tb, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(tb, syscall.Listen(fd, 0))
	name, err := syscall.Getsockname(fd)
	require.NoError(tb, err)
	port := name.(*syscall.SockaddrInet4).Port
	filler, err := (&net.Dialer{}).DialContext(tb.Context(), "tcp", netip.AddrPortFrom(loopback()[0], uint16(port)).String())
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, filler.Close()) })
	return uint16(port)
}

// say writes a text and hangs up.
func say(text string) func(net.Conn) {
	return func(conn net.Conn) { _, _ = io.WriteString(conn, text) }
}

// hush reads until the prober hangs up.
func hush(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// reset drops the connection with a RST.
func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

// hear reads a request's head.
func hear(conn net.Conn) string {
	var heard []byte
	buffer := make([]byte, 4096)
	for {
		n, err := conn.Read(buffer)
		heard = append(heard, buffer[:n]...)
		if err != nil || n < len(buffer) {
			return string(heard)
		}
	}
}

// loopback are addresses that one listener on the wildcard answers on.
func loopback(texts ...string) []netip.Addr {
	if len(texts) == 0 {
		texts = []string{"127.0.0.1"}
	}
	var addresses []netip.Addr
	for _, text := range texts {
		addresses = append(addresses, netip.MustParseAddr(text))
	}
	return addresses
}

// sample runs a sampler to its end.
func sample(tb testing.TB, o Options) []Flow {
	tb.Helper()
	if o.Addresses == nil {
		o.Addresses = loopback()
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second // far off: only tests of silence wait for it
	}
	if o.Concurrency == 0 {
		o.Concurrency = 4
	}
	if o.Classifier == nil {
		o.Classifier = oldAndNew(tb)
	}
	sampler, err := NewSampler(o)
	require.NoError(tb, err)
	var flows []Flow
	for flow := range sampler.Flows(tb.Context()) {
		flows = append(flows, flow)
	}
	if o.Count > 0 {
		require.Len(tb, flows, o.Count, "else a test of each could not fail")
	}
	return flows
}

// oldAndNew tells answers "old NAME" from answers "new NAME".
func oldAndNew(tb testing.TB) *Classifier {
	tb.Helper()
	c, err := NewClassifier(`\bold(?: (?P<pod>[a-z]+-\d+))?`, `\bnew(?: (?P<pod>[a-z]+-\d+))?`)
	require.NoError(tb, err)
	return c
}

// freePorts is the first of n ports in a row that nobody uses. They are below the
// ephemeral range and that of NodePorts, so that nobody comes upon them by chance.
func freePorts(tb testing.TB, n uint16) uint16 {
	tb.Helper()
	for range 100 {
		first := 15000 + uint16(rand.N(14000))
		if free(tb, first, n) {
			return first
		}
	}
	require.FailNow(tb, "no free ports were found")
	return 0
}

func free(tb testing.TB, first, n uint16) bool {
	tb.Helper()
	for port := first; port < first+n; port++ {
		var config net.ListenConfig
		address := net.JoinHostPort("", strconv.Itoa(int(port)))
		stream, err := config.Listen(tb.Context(), "tcp", address)
		if err != nil {
			return false
		}
		stream.Close()
		packet, err := config.ListenPacket(tb.Context(), "udp", address)
		if err != nil {
			return false
		}
		_ = packet.Close()
	}
	return true
}

// oneStep is a script of one step: text to send, and an expression to expect; either may
// be empty.
func oneStep(tb testing.TB, send, expect string) script {
	tb.Helper()
	text, err := ParseText(send)
	require.NoError(tb, err)
	step := Step{Send: text}
	if expect != "" {
		step.Expect = regexp.MustCompile(expect)
	}
	return script{name: "custom", steps: []Step{step}}
}
