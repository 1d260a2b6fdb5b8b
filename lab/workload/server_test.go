package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const anyPort = "127.0.0.1:0"

// version "new" in pod "web-1", on free ports of loopback.
func testConfig() Config {
	return Config{
		Version: "new", Pod: "web-1", OtherVersion: "old", Seed: 1,
		HTTPAddr: anyPort, TCPAddrs: []string{anyPort}, UDPAddrs: []string{anyPort}, HealthAddr: anyPort,
	}
}

// running is a server whose Serve has been called.
type running struct {
	*Server
	stop context.CancelFunc // what SIGTERM does
	err  chan error         // what Serve returned
}

// start serves until the test ends, or until stop is called.
func start(t *testing.T, cfg Config) *running {
	t.Helper()
	s, err := Listen(t.Context(), cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{Server: s, stop: cancel, err: make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.err <- s.Serve(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return r
}

// answer is what a request came back with.
type answer struct {
	status int
	header http.Header
	body   string
}

// get asks over a connection of its own.
func get(t *testing.T, l net.Listener, path string) answer {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+path, nil)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
}

// dial opens a connection that is closed when the test ends.
func dial(t *testing.T, network string, addr net.Addr) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), network, addr.String())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	return conn
}

func readLine(t *testing.T, from *bufio.Reader) string {
	t.Helper()
	line, err := from.ReadString('\n')
	require.NoError(t, err)
	return line
}

func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(conn, text)
	require.NoError(t, err)
}

func TestHTTPAnswersWithTheVersion(t *testing.T) {
	t.Parallel()
	s := start(t, testConfig())
	for _, path := range []string{"/", "/any/path?q=1"} {
		got := get(t, s.http, path)
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, "new\n", got.body)
		require.Equal(t, "new", got.header.Get("X-Version"))
		require.Equal(t, "web-1", got.header.Get("X-Pod"))
	}
}

func TestTCPGreetsAndEchoesHeldConnections(t *testing.T) {
	t.Parallel()
	s := start(t, testConfig())
	conn := dial(t, "tcp", s.tcp[0].Addr())
	lines := bufio.NewReader(conn)
	require.Equal(t, "new web-1\n", readLine(t, lines))
	for range 3 {
		write(t, conn, "are you there?\n")
		require.Equal(t, "new are you there?\n", readLine(t, lines))
	}
}

func TestUDPAnswersAnyDatagram(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.UDPAddrs = []string{anyPort, anyPort}
	s := start(t, cfg)
	for _, socket := range s.udp {
		conn := dial(t, "udp", socket.LocalAddr())
		write(t, conn, "?")
		require.Equal(t, "new web-1\n", readLine(t, bufio.NewReader(conn)))
	}
}

func TestMetricsCountConversations(t *testing.T) {
	t.Parallel()
	s := start(t, testConfig())
	conn := dial(t, "tcp", s.tcp[0].Addr())
	readLine(t, bufio.NewReader(conn))
	got := get(t, s.health, "/metrics")
	require.Equal(t, http.StatusOK, got.status)
	require.Contains(t, got.body, "\nworkload_sessions{version=\"new\"} 1\n")
	require.Contains(t, got.body, "\nworkload_resets_total{version=\"new\"} 0\n")
	require.Regexp(t, `\nprocess_resident_memory_bytes{version="new"} [1-9]\d{6,8}\n`, got.body)
	conn.Close()
	require.Eventually(t, func() bool { return s.sessions.Load() == 0 }, 10*time.Second, time.Millisecond)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := start(t, testConfig())
	for _, l := range []net.Listener{s.http, s.health} {
		require.Eventually(t, s.ready.Load, time.Second, time.Millisecond)
		got := get(t, l, "/healthz")
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, "ok\n", got.body)
	}
	got := get(t, s.health, "/")
	require.Equal(t, http.StatusNotFound, got.status)
}

func TestNeverReady(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.NeverReady = true
	s := start(t, cfg)
	got := get(t, s.http, "/healthz")
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	got = get(t, s.http, "/")
	require.Equal(t, "new\n", got.body, "it serves all the same")
}

func TestRefuseIsReadyAndListensNowhereElse(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Refuse = true
	s := start(t, cfg)
	require.Nil(t, s.http)
	require.Empty(t, s.tcp)
	require.Empty(t, s.udp)
	require.Eventually(t, s.ready.Load, time.Second, time.Millisecond)
	got := get(t, s.health, "/healthz")
	require.Equal(t, http.StatusOK, got.status)
}

func TestDelayComesBeforeEveryAnswer(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Delay = 50 * time.Millisecond
	s := start(t, cfg)

	began := time.Now()
	got := get(t, s.http, "/")
	require.Equal(t, "new\n", got.body)
	require.GreaterOrEqual(t, time.Since(began), cfg.Delay)

	began = time.Now()
	conn := dial(t, "tcp", s.tcp[0].Addr())
	lines := bufio.NewReader(conn)
	readLine(t, lines)
	require.GreaterOrEqual(t, time.Since(began), cfg.Delay)
	write(t, conn, "x\n")
	readLine(t, lines)
	require.GreaterOrEqual(t, time.Since(began), 2*cfg.Delay)

	began = time.Now()
	datagrams := dial(t, "udp", s.udp[0].LocalAddr())
	write(t, datagrams, "?")
	readLine(t, bufio.NewReader(datagrams))
	require.GreaterOrEqual(t, time.Since(began), cfg.Delay)
}

func TestListenFailsWhole(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", anyPort)
	require.NoError(t, err)
	defer taken.Close()
	cfg := testConfig()
	cfg.TCPAddrs = append(cfg.TCPAddrs, taken.Addr().String())
	err = Run(t.Context(), cfg, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "listening on TCP "+taken.Addr().String())
}
