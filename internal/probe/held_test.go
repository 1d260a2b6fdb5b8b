package probe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHeldEcho(t *testing.T) {
	t.Parallel()
	for how, end := range map[Ending]func(net.Conn){
		EndClosed: func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() },
		EndReset:  reset,
	} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			var l lobby
			h := holding(t, often, 10, serveTCP(t, "127.0.0.1", l.serve))
			await(t, &l.lines, 50)
			requireAlive(t, h, Stable, "web-1")
			at := time.Now()
			l.each(end)
			requireEnd(t, h, how, at)
		})
	}
}

// TestHeldFallsSilent: the server still holds the connection, and answers no more.
func TestHeldFallsSilent(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	var silent atomic.Bool
	h := holding(t, often, 3, serveTCP(t, "127.0.0.1", func(c net.Conn) {
		for lines := bufio.NewScanner(c); lines.Scan(); asked.Add(1) {
			if !silent.Load() {
				_, _ = fmt.Fprintln(c, "old", "web-1") // nothing before the first line
			}
		}
	}))
	requireAlive(t, h, Stable, "web-1")
	await(t, &asked, 9)
	at := time.Now()
	silent.Store(true)
	requireEnd(t, h, EndTimeout, at)
}

// TestHeldIsOnlyWatched: a server that does not answer a line is sent no other, while
// one beside it is talked to.
func TestHeldIsOnlyWatched(t *testing.T) {
	t.Parallel()
	var talks, silent lobby
	h := holding(t, often, 8, serveTCP(t, "127.0.0.1", talks.serve), serveTCP(t, "127.0.0.1", func(c net.Conn) {
		silent.mu.Lock()
		silent.conns = append(silent.conns, c)
		silent.mu.Unlock()
		say("new web-2\n")(c)
		for lines := bufio.NewScanner(c); lines.Scan(); {
			silent.lines.Add(1)
		}
	}))
	await(t, &talks.lines, 40)
	for _, f := range h.Flows() {
		require.NoError(t, f.Err)
		require.Empty(t, f.How)
		require.Equal(t, f.Port == 1, f.Watched)
	}
	require.EqualValues(t, 4, silent.lines.Load())
	at := time.Now()
	silent.each(reset)
	talks.each(reset)
	requireEnd(t, h, EndReset, at)
}

// TestHeldCannotBeOpened covers servers with which nothing can be held, or nobody.
func TestHeldCannotBeOpened(t *testing.T) {
	t.Parallel()
	silent := serveUDP(t, "127.0.0.1", func([]byte, func(string)) {})
	web := webOf(serveTCP(t, "127.0.0.1", func(c net.Conn) { hear(c); say("HTTP/1.0 200 OK\r\n\r\nold\n")(c) }))
	for err, port := range map[string]Port{
		"ends the connection after its first answer":    serveTCP(t, "127.0.0.1", say("old\n")),
		"the server ends the connection after":          serveTCP(t, "127.0.0.1", func(c net.Conn) { say("old")(c); hear(c); reset(c) }),
		"the server ends the connection after its":      web,
		"connection refused":                            {Number: freePorts(t, 1), Protocol: TCP, Exchange: banner()},
		"no answer":                                     silent,
		"closed without an answer":                      serveTCP(t, "127.0.0.1", func(net.Conn) {}),
		"connection reset by peer":                      serveTCP(t, "127.0.0.1", reset),
		"reading the response: malformed HTTP response": webOf(serveTCP(t, "127.0.0.1", say("SSH-2.0\r\nx y z\r\n"))),
	} {
		t.Run(err, func(t *testing.T) {
			t.Parallel()
			h := holding(t, often, 3, port)
			for _, f := range h.Flows() {
				require.ErrorContains(t, f.Err, err)
				require.Zero(t, f.Ended)
			}
			require.Zero(t, h.options.Cursor.keeping.Load(), "their ports are free again")
		})
	}
}

func webOf(p Port) Port {
	p.Exchange = request{}
	return p
}

// TestHeldHTTP asks on one connection again and again.
func TestHeldHTTP(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	var connections sync.Map
	var closing atomic.Bool
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		connections.Store(r.RemoteAddr, true)
		if closing.Load() {
			w.Header().Set("Connection", "close")
		}
		w.WriteHeader(http.StatusServiceUnavailable) // an answer all the same
		_, _ = io.WriteString(w, "<p>old web-3"+strings.Repeat(" ", 20_000))
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	h := holding(t, often, 5, Port{Number: portOf(t, listener.Addr()), Protocol: TCP, Exchange: request{}})
	await(t, &asked, 30)
	requireAlive(t, h, Stable, "web-3")
	count := 0
	connections.Range(func(any, any) bool { count++; return true })
	require.Equal(t, 5, count)
	at := time.Now()
	closing.Store(true)
	requireEnd(t, h, EndClosed, at)
}

// TestHeldHTTPIsClosedWhileIdle sees the end between two questions.
func TestHeldHTTPIsClosedWhileIdle(t *testing.T) {
	t.Parallel()
	h := holding(t, often, 2, webOf(serveTCP(t, "127.0.0.1", func(c net.Conn) {
		hear(c)
		say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nold\n")(c)
	})))
	requireEnd(t, h, EndClosed, time.Now().Add(-time.Second))
}

// TestHeldUDP: one lost answer is no end, another pod's answer is.
func TestHeldUDP(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, answer string
		how          Ending
	}{
		{"another pod", "old web-2", EndMoved},
		{"another version", "new", EndMoved},
		{"nobody", "", EndTimeout},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			var gone atomic.Bool
			h := holding(t, seldom, 1, serveUDP(t, "127.0.0.1", func(_ []byte, reply func(string)) {
				n := asked.Add(1)
				switch {
				case gone.Load() && row.answer != "":
					reply(row.answer)
				case !gone.Load() && n%3 != 2: // every third is lost
					reply("old web-1")
				}
			}))
			await(t, &asked, 7)
			requireAlive(t, h, Stable, "web-1")
			at := time.Now()
			gone.Store(true)
			requireEnd(t, h, row.how, at)
		})
	}
}

// TestHeldKeepsItsTimeouts: the time to connect is none to answer in, and a first byte that
// has to come within a time is not waited for any longer.
func TestHeldKeepsItsTimeouts(t *testing.T) {
	t.Parallel()
	slow := serveUDP(t, "127.0.0.1", func(_ []byte, reply func(string)) {
		time.AfterFunc(200*time.Millisecond, func() { reply("old web-1") })
	})
	slow.Timeouts = Timeouts{Connect: 50 * time.Millisecond}
	requireAlive(t, holding(t, seldom, 2, slow), Stable, "web-1")

	silent := webOf(serveTCP(t, "127.0.0.1", hush))
	silent.Timeouts = Timeouts{FirstByte: 50 * time.Millisecond, Total: time.Hour}
	for _, f := range holding(t, seldom, 2, silent).Flows() {
		require.ErrorContains(t, f.Err, "no answer")
	}
}

// TestHeldUDPRefused: where nobody listens any more the kernel says so at once, and
// the flow still has its three questions.
func TestHeldUDPRefused(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	server, err := config.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() {
		buffer := make([]byte, 100)
		for n, from, err := server.ReadFrom(buffer); err == nil; n, from, err = server.ReadFrom(buffer) {
			_, _ = server.WriteTo(buffer[:n], from)
		}
	}()
	h := holding(t, seldom, 2, Port{Number: portOf(t, server.LocalAddr()), Protocol: UDP, Exchange: datagram()})
	requireAlive(t, h, Unknown, "")
	at := time.Now()
	require.NoError(t, server.Close())
	requireEnd(t, h, EndTimeout, at)
}

// TestHeldSpread: evenly over ports and addresses, each from a source port of its own
// that the sampler leaves out until the flow has ended.
func TestHeldSpread(t *testing.T) {
	t.Parallel()
	var l lobby
	ports := []Port{serveTCP(t, "0.0.0.0", l.serve), serveTCP(t, "0.0.0.0", l.serve)}
	first := freePorts(t, 16)
	cursor := newCursor(1, uint32(first), uint32(first)+15)
	h, err := hold(t.Context(), Options{Ports: ports, Addresses: loopback("127.0.0.1", "127.0.0.2"), Count: 8, Cursor: cursor}, often)
	require.NoError(t, err)
	t.Cleanup(h.Close)
	seen := map[string]int{}
	for _, f := range h.Flows() {
		require.NoError(t, f.Err)
		seen[fmt.Sprint(f.Port, f.Address)]++
	}
	require.Equal(t, map[string]int{"0 127.0.0.1": 2, "0 127.0.0.2": 2, "1 127.0.0.1": 2, "1 127.0.0.2": 2}, seen)
	held := map[uint16]bool{}
	l.each(func(c net.Conn) { held[portOf(t, c.RemoteAddr())] = true })
	require.Len(t, held, 8)
	require.Equal(t, 8*time.Second, cursor.Reuse(1))
	for range 16 {
		require.NotContains(t, held, cursor.take())
	}
	h.Close()
	require.Equal(t, 16*time.Second, cursor.Reuse(1))
}

// TestHeldEndsByUs: closing ends them at once and is no ending of theirs, also while
// they are being opened.
func TestHeldEndsByUs(t *testing.T) {
	t.Parallel()
	var l lobby
	h := holding(t, often, 50, serveTCP(t, "127.0.0.1", l.serve))
	began := time.Now()
	h.Close()
	require.Less(t, time.Since(began), 2*time.Second)
	requireAlive(t, h, Stable, "web-1")

	began = time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(often, cancel)
	_, err := Hold(ctx, Options{Ports: []Port{serveTCP(t, "127.0.0.1", hush)}, Addresses: loopback(), Count: 5})
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, time.Since(began), 2*time.Second, "nobody waited for the banner")

	_, err = Hold(t.Context(), Options{})
	require.ErrorContains(t, err, "no port to probe")
}

func TestRoom(t *testing.T) {
	t.Parallel()
	require.NoError(t, Room(10, 50))
	require.ErrorContains(t, Room(2_000_000_000, 50), "raise the limit (ulimit -n)")
}
