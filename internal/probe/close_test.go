package probe

import (
	"io"
	"math"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestClose sees from the server how flows end: after their answer, and never before it.
func TestClose(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		how   Close
		serve func(net.Conn)
		class Class
		reset bool
	}{
		{"by default", "", say("old\n"), Answered, false},
		{"finished", FIN, say("old\n"), Answered, false},
		{"reset", RST, say("old\n"), Answered, true},
		{"on loopback ports rest for nobody", AutoClose, say("old\n"), Answered, false},
		{"without an answer", RST, func(net.Conn) {}, Timeout, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ends := make(chan error, 5)
			port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
				row.serve(c)
				_, err := c.Read(make([]byte, 1))
				ends <- err
			})
			for _, f := range sample(t, Options{Ports: []Port{port}, Count: 5, Close: row.how, Timeout: 200 * time.Millisecond}) {
				require.Equal(t, row.class, f.Class, "%v", f.Err)
			}
			for range 5 {
				if err := <-ends; row.reset {
					require.ErrorIs(t, err, syscall.ECONNRESET)
				} else {
					require.ErrorIs(t, err, io.EOF)
				}
			}
		})
	}
}

// TestCloseOfLongAnswers: the answer goes on beyond what is read.
func TestCloseOfLongAnswers(t *testing.T) {
	t.Parallel()
	ends := make(chan error, 2)
	port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
		_, err := c.Write(make([]byte, 3*MaxAnswer))
		if err == nil {
			_ = c.(*net.TCPConn).CloseWrite()
			_, err = c.Read(make([]byte, 1))
		}
		ends <- err
	})
	sample(t, Options{Ports: []Port{port}, Count: 2})
	for range 2 {
		require.ErrorIs(t, <-ends, io.EOF)
	}
}

// TestAutoClose asks the sampler itself: what is far away cannot be sampled here.
func TestAutoClose(t *testing.T) {
	t.Parallel()
	far, near := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("::1")
	for _, row := range []struct {
		how    Close
		rate   float64
		resets bool
	}{
		{FIN, 1000, false}, {RST, 1, true}, {AutoClose, 1, false}, {AutoClose, 1000, true}, {AutoClose, 0, true},
	} {
		s, err := NewSampler(Options{
			Ports: []Port{{Number: 80, Protocol: TCP, Exchange: banner()}}, Addresses: []netip.Addr{far, near},
			Rate: row.rate, Close: row.how, Cursor: newCursor(1, 32768, 60999),
		})
		require.NoError(t, err)
		require.Equal(t, row.resets, s.resets(far), "%+v", row)
		require.Equal(t, row.how == RST, s.resets(near), "%+v", row)
	}
}

func TestHurry(t *testing.T) {
	t.Parallel()
	c := newCursor(1, 32768, 60999)
	require.Empty(t, Hurry(c, 235, loopback("192.0.2.7")), "28232 ports in 120 s are 235 a second")
	require.Equal(t, "at 470 flows a second each source port is used again after 1m0s; below 2m0s a balancer may repeat an earlier choice: "+
		"sample at 235 a second or less, or widen net.ipv4.ip_local_port_range", Hurry(c, 470, loopback("127.0.0.1", "192.0.2.7")))
	require.Empty(t, Hurry(c, 470, loopback("127.0.0.1", "::1")), "loopback forgets at once")
	require.Empty(t, Hurry(c, 0, loopback("192.0.2.7")))
}

// TestTimeouts has one server for each phase that can take too long.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	slow := func(c net.Conn) { say("o")(c); hush(c) }
	for _, row := range []struct {
		name     string
		serve    func(net.Conn)
		timeouts Timeouts
		exchange Exchange
		class    Class
		version  Version
	}{
		{"first byte", hush, Timeouts{FirstByte: 50 * time.Millisecond}, banner(), Timeout, None},
		{"first byte of a response", hush, Timeouts{FirstByte: 50 * time.Millisecond}, request{}, Timeout, None},
		{"total", hush, Timeouts{Total: 50 * time.Millisecond}, banner(), Timeout, None},
		{"the first byte came in time, the second later", func(c net.Conn) {
			say("o")(c)
			<-time.After(200 * time.Millisecond) // within quiet
			say("ld\n")(c)
		}, Timeouts{FirstByte: 150 * time.Millisecond}, banner(), Answered, Stable},
		{"the total holds after the first byte", slow, Timeouts{FirstByte: 20 * time.Millisecond, Total: 100 * time.Millisecond},
			oneStep(t, "", "old"), Timeout, None},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			port := serveTCP(t, "127.0.0.1", row.serve)
			port.Timeouts, port.Exchange = row.timeouts, row.exchange
			for _, f := range sample(t, Options{Ports: []Port{port}, Count: 3, Timeout: time.Minute}) {
				require.Equal(t, row.class, f.Class, "%v", f.Err)
				require.Equal(t, row.version, f.Version)
				require.Less(t, f.Total, 20*time.Second)
			}
		})
	}
}

// TestConnectTimeout connects to a listener whose queue is full: nothing answers there.
func TestConnectTimeout(t *testing.T) {
	t.Parallel()
	port := Port{
		Number: fullQueue(t), Protocol: TCP, Exchange: banner(),
		Timeouts: Timeouts{Connect: 100 * time.Millisecond, Total: 20 * time.Second},
	}
	for _, f := range sample(t, Options{Ports: []Port{port}, Count: 12, Concurrency: 12}) {
		require.Equal(t, Timeout, f.Class, "%v", f.Err)
		require.Zero(t, f.Connect)
		require.Less(t, f.Total, 10*time.Second, "the connect's own bound")
	}
}

func TestPortsAreCheckedForRatesAndTimeouts(t *testing.T) {
	t.Parallel()
	good := Port{Number: 80, Protocol: TCP, Exchange: banner()}
	slow, late := good, good
	slow.Rate, late.Timeouts = math.NaN(), Timeouts{TLS: -1}
	_, err := NewSampler(Options{Ports: []Port{good, slow, late}, Addresses: loopback(), Close: "slam"})
	require.EqualError(t, err, "port 80/TCP: rate NaN is not a number of flows a second\n"+
		"port 80/TCP: time-outs must not be negative\n"+
		`close "slam" is unknown: allowed are fin, rst, auto`)
}

// TestPortRateIsKept samples two ports, of which one allows less.
func TestPortRateIsKept(t *testing.T) {
	t.Parallel()
	fast, slow := serveTCP(t, "127.0.0.1", say("old\n")), serveTCP(t, "127.0.0.1", say("new\n"))
	slow.Rate = 20
	counts := map[Version]int{}
	var last Flow
	for _, f := range sample(t, Options{Ports: []Port{fast, slow}, Rate: 800, Count: 420}) {
		counts[f.Version]++
		last = f
	}
	require.Equal(t, 420, counts[Stable]+counts[Canary])
	require.InDelta(t, 20, counts[Canary], 19, "20 of 420 a second")
	require.Greater(t, last.Scheduled, 500*time.Millisecond, "what one port leaves is not given to the other")
}
