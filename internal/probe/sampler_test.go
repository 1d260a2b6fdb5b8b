package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOptionsAreCheckedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := NewSampler(Options{})
	require.EqualError(t, err, "no port to probe\nno address to probe")
	_, err = NewSampler(Options{
		Ports: []Port{
			{Protocol: TCP, Exchange: banner()},
			{Number: 80, Protocol: "SCTP", Exchange: banner()},
			{Number: 80, Protocol: UDP, Exchange: request{}},
			{Number: 80, Protocol: TCP, Exchange: datagram()},
			{Number: 53, Protocol: UDP, Exchange: NewScript(Step{})},
			{Number: 80, Protocol: TCP},
		},
		Addresses: loopback("0.0.0.0", "224.0.0.1"),
		Rate:      -1, Count: -1,
	})
	require.EqualError(t, err, strings.Join([]string{
		`port 0/TCP: allowed are 1 to 65535`,
		`port 80/SCTP: protocol "SCTP" is unknown: allowed are TCP, UDP`,
		`port 80/UDP: probe "http" cannot be held over UDP`,
		`port 80/TCP: probe "udp" cannot be held over TCP`,
		`port 53/UDP: probe "custom" cannot be held over UDP`,
		`port 80/TCP has no probe`,
		`address "0.0.0.0" is not that of a host`,
		`address "224.0.0.1" is not that of a host`,
		`rate -1 is not a number of flows a second`,
		`concurrency 0, in-flight cap 0, count -1 and timeout 0s must not be negative`,
	}, "\n"))
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]int{0.01: 1, 50: 250, 5000: 512} {
		require.Equal(t, want, Options{Rate: rate}.withDefaults().InFlight, "rate × 5 s at %v/s", rate)
	}
	require.Equal(t, "127.0.0.1", Options{Addresses: loopback("::ffff:127.0.0.1")}.withDefaults().Addresses[0].String())
}

// TestSweepsSourcePorts sees from the server that ports come one after the
// other, go on in the next sampler, and skip those that are taken.
func TestSweepsSourcePorts(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []int
	port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
		mu.Lock()
		seen = append(seen, c.RemoteAddr().(*net.TCPAddr).Port)
		mu.Unlock()
		say("old\n")(c)
	})
	first := freePorts(t, 20)
	cursor := newCursor(1, uint32(first), uint32(first)+19)
	cursor.next.Store(10)
	for range 2 {
		sample(t, Options{Ports: []Port{port}, Count: 8, Concurrency: 1, Cursor: cursor})
	}
	mu.Lock()
	defer mu.Unlock()
	for i, got := range seen {
		require.Equal(t, int(first)+(10+i)%20, got, "flow %d", i)
	}
	require.Len(t, seen, 16)
}

// TestSkipsTakenPorts sweeps over five ports, of which one is taken and one is
// the server's own number.
func TestSkipsTakenPorts(t *testing.T) {
	t.Parallel()
	first := freePorts(t, 5)
	at := func(offset uint16) string { return netip.AddrPortFrom(loopback()[0], first+offset).String() }
	var config net.ListenConfig
	taken, err := config.ListenPacket(t.Context(), "udp", at(2))
	require.NoError(t, err)
	defer func() { require.NoError(t, taken.Close()) }()
	var mu sync.Mutex
	seen := map[string]int{}
	server, err := config.ListenPacket(t.Context(), "udp", at(4))
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	go func() {
		buffer := make([]byte, 100)
		for {
			_, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			mu.Lock()
			seen[from.String()]++
			mu.Unlock()
			_, _ = server.WriteTo([]byte("old"), from)
		}
	}()
	for _, f := range sample(t, Options{
		Ports: []Port{{Number: first + 4, Protocol: UDP, Exchange: datagram()}}, Count: 9, Concurrency: 1,
		Cursor: newCursor(1, uint32(first), uint32(first)+4),
	}) {
		require.Equal(t, Answered, f.Class, "%v", f.Err)
	}
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, map[string]int{at(0): 3, at(1): 3, at(3): 3}, seen)
}

func TestNoFreePortIsLocal(t *testing.T) {
	t.Parallel()
	first := freePorts(t, 2)
	var config net.ListenConfig
	taken, err := config.ListenPacket(t.Context(), "udp", netip.AddrPortFrom(loopback()[0], first).String())
	require.NoError(t, err)
	defer func() { require.NoError(t, taken.Close()) }()
	for _, f := range sample(t, Options{
		Ports: []Port{{Number: first + 1, Protocol: UDP, Exchange: datagram()}}, Count: 2,
		Cursor: newCursor(1, uint32(first), uint32(first)),
	}) {
		require.Equal(t, Local, f.Class)
		require.False(t, f.Failed())
		require.ErrorContains(t, f.Err, "finding a free source port")
	}
}

// TestYieldsInScheduledOrder has a server on which every third flow takes longer
// than many later ones.
func TestYieldsInScheduledOrder(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
		if n.Add(1)%3 == 0 {
			delay := time.NewTimer(20 * time.Millisecond)
			<-delay.C
		}
		say("old\n")(c)
	})
	for _, rate := range []float64{0, 2000} {
		flows := sample(t, Options{Ports: []Port{port}, Count: 300, Concurrency: 16, Rate: rate})
		require.Len(t, flows, 300)
		slow := 0
		for i, f := range flows {
			require.Equal(t, i, f.Index)
			require.Equal(t, Answered, f.Class, "%v", f.Err)
			if i > 0 {
				require.GreaterOrEqual(t, f.Scheduled, flows[i-1].Scheduled)
			}
			if f.FirstByte > 19*time.Millisecond {
				slow++
			}
		}
		require.GreaterOrEqual(t, slow, 100, "slow answers are kept")
	}
}

// TestUsesPortsAndAddressesEvenly listens on both families and two transports.
func TestUsesPortsAndAddressesEvenly(t *testing.T) {
	t.Parallel()
	requireIPv6(t)
	tcp := serveTCP(t, "::", say("old\n"))
	udp := serveUDP(t, "::", func(_ []byte, reply func(string)) { reply("new") })
	flows := sample(t, Options{Ports: []Port{tcp, udp}, Addresses: loopback("127.0.0.1", "::1"), Count: 400})
	counts := map[string]int{}
	for _, f := range flows {
		require.Equal(t, Answered, f.Class, "%v", f.Err)
		require.Equal(t, []Version{Stable, Canary}[f.Port], f.Version)
		counts[fmt.Sprint(f.Port, " ", f.Address)]++
	}
	require.Equal(t, map[string]int{"0 127.0.0.1": 100, "0 ::1": 100, "1 127.0.0.1": 100, "1 ::1": 100}, counts)
}

func requireIPv6(t *testing.T) {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6 loopback: %v", err)
	}
	l.Close()
}

// TestKeepsTheRate is in real time: flows may be as late as the machine makes them, and
// never too many. The exact limits are TestPace's.
func TestKeepsTheRate(t *testing.T) {
	t.Parallel()
	port := serveTCP(t, "127.0.0.1", say("old\n"))
	sampler, err := NewSampler(Options{Ports: []Port{port}, Addresses: loopback(), Rate: 400, Count: 200, Seed: 4})
	require.NoError(t, err)
	n := 0
	for f := range sampler.Flows(t.Context()) {
		require.Equal(t, Unknown, f.Version, "without a classifier")
		require.GreaterOrEqual(t, f.Start, f.Scheduled)
		n++
	}
	stats := sampler.Stats()
	require.Equal(t, 200, n)
	require.Equal(t, 200, stats.Sent)
	require.Zero(t, stats.NotSent)
	require.Positive(t, stats.Rate)
	require.Less(t, stats.Rate, 520.0)
	require.Positive(t, stats.Lateness.P50)
	require.GreaterOrEqual(t, stats.Lateness.Max, stats.Lateness.P99)
}

// TestSaturation has more flows due than may be under way: what is left out is
// told, per port, and no index is missing.
func TestSaturation(t *testing.T) {
	t.Parallel()
	port := serveTCP(t, "127.0.0.1", hush)
	sampler, err := NewSampler(Options{
		Ports: []Port{port}, Addresses: loopback(), Rate: 1000, InFlight: 5, Count: 20, Timeout: 50 * time.Millisecond,
	})
	require.NoError(t, err)
	skipped, n := 0, 0
	for f := range sampler.Flows(t.Context()) {
		require.Equal(t, n, f.Index)
		require.Equal(t, Timeout, f.Class)
		skipped += f.Skipped
		n++
	}
	require.Equal(t, 20, n)
	require.Positive(t, skipped) // how many, on a machine that stalls, nobody knows
	require.Equal(t, skipped, sampler.Stats().NotSent)
}

// TestLeavingTheLoop counts what is left behind when a loop ends in the middle of
// flows that would take long, so it is not parallel.
func TestLeavingTheLoop(t *testing.T) {
	var answered atomic.Int64
	port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
		if answered.Add(1) <= 100 {
			say("old\n")(c)
			return
		}
		hush(c)
	})
	var leave atomic.Pointer[context.CancelFunc] // a while after somebody waits for an answer
	silent := serveUDP(t, "127.0.0.1", func([]byte, func(string)) {
		if cancel := leave.Swap(nil); cancel != nil {
			time.AfterFunc(100*time.Millisecond, *cancel)
		}
	})
	for name, how := range map[string]Options{"closed": {Concurrency: 64}, "open": {Rate: 2000}, "alone": {Concurrency: 1}} {
		goroutines, files := runtime.NumGoroutine(), openFiles(t)
		for range 3 {
			answered.Store(0)
			options := how
			options.Ports, options.Addresses, options.Timeout = []Port{port}, loopback(), 30*time.Second
			sampler, err := NewSampler(options)
			require.NoError(t, err)
			for f := range sampler.Flows(t.Context()) {
				if f.Index == 50 {
					break
				}
			}
			options.Ports = []Port{port, silent}
			sampler, err = NewSampler(options)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			leave.Store(&cancel)
			begin := time.Now()
			for range sampler.Flows(ctx) {
			}
			require.ErrorIs(t, ctx.Err(), context.Canceled)
			require.Less(t, time.Since(begin), 10*time.Second, "leaving does not wait for answers")
		}
		require.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+1 }, 5*time.Second, time.Millisecond,
			"goroutines are left (%s); one more is Eventually's own", name)
		require.LessOrEqual(t, openFiles(t), files, name)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

func TestBodyThatPanicsLeavesNothing(t *testing.T) {
	t.Parallel()
	port := serveTCP(t, "127.0.0.1", say("old\n"))
	sampler, err := NewSampler(Options{Ports: []Port{port}, Addresses: loopback()})
	require.NoError(t, err)
	require.Panics(t, func() {
		for range sampler.Flows(t.Context()) {
			panic("the caller's own")
		}
	})
}

func TestResolve(t *testing.T) {
	t.Parallel()
	for _, literal := range []string{"192.0.2.7", "2001:db8::1"} {
		got, err := Resolve(t.Context(), literal)
		require.NoError(t, err)
		require.Equal(t, loopback(literal), got)
	}
	got, err := Resolve(t.Context(), "localhost")
	require.NoError(t, err)
	require.Contains(t, got, loopback("127.0.0.1")[0])
	_, err = Resolve(t.Context(), "no such host.invalid")
	require.ErrorContains(t, err, `resolving "no such host.invalid"`)
}
