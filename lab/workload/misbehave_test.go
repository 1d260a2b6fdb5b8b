package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWrongAnswers(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.ErrorShare = 1
	s := start(t, cfg)

	got := get(t, s.http, "/")
	require.Equal(t, http.StatusInternalServerError, got.status)
	require.Equal(t, "error\n", got.body)
	require.Equal(t, "web-1", got.header.Get("X-Pod"))

	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.tcp[0].Addr().String())
	if err == nil { // the reset may be quicker than the dialer
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
	}
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.Contains(t, get(t, s.health, "/metrics").body, "\nworkload_resets_total{version=\"new\"} 1\n")

	silent := dial(t, "udp", s.udp[0].LocalAddr())
	write(t, silent, "?")
	require.NoError(t, silent.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	_, err = silent.Read(make([]byte, 1))
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())

	require.Eventually(t, s.ready.Load, time.Second, time.Millisecond)
	health := get(t, s.http, "/healthz")
	require.Equal(t, http.StatusOK, health.status, "health is no flow")
}

func TestOtherVersion(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.OtherShare = 1
	s := start(t, cfg)

	got := get(t, s.http, "/")
	require.Equal(t, "old\n", got.body)
	require.Equal(t, "old", got.header.Get("X-Version"))

	conn := dial(t, "tcp", s.tcp[0].Addr())
	lines := bufio.NewReader(conn)
	require.Equal(t, "old web-1\n", readLine(t, lines))
	write(t, conn, "x\n")
	require.Equal(t, "old x\n", readLine(t, lines), "a held connection stays with its version")

	datagrams := dial(t, "udp", s.udp[0].LocalAddr())
	write(t, datagrams, "?")
	require.Equal(t, "old web-1\n", readLine(t, bufio.NewReader(datagrams)))
}

func TestLotteryKeepsItsShares(t *testing.T) {
	t.Parallel()
	const draws = 10_000
	l := newLottery(Config{Version: "new", OtherVersion: "old", ErrorShare: 0.1, OtherShare: 0.5, Seed: 1})
	wrong, other := 0, 0
	for range draws {
		lot := l.draw()
		if lot.wrong {
			wrong++
			require.Equal(t, "new", lot.version)
		} else if lot.version == "old" {
			other++
		}
	}
	require.InDelta(t, 0.1, float64(wrong)/draws, 0.015) // 5 standard errors of 0.003
	require.InDelta(t, 0.5, float64(other)/draws, 0.025) // 5 standard errors of 0.005
}

func TestLotteryRepeatsItsSeed(t *testing.T) {
	t.Parallel()
	cfg := Config{Version: "new", OtherVersion: "old", OtherShare: 0.5, Seed: 42}
	first, second := newLottery(cfg), newLottery(cfg)
	for range 100 {
		require.Equal(t, first.draw(), second.draw())
	}
}

func TestCrashAfter(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.CrashAfter = 20 * time.Millisecond
	began := time.Now()
	require.ErrorIs(t, Run(t.Context(), cfg, slog.New(slog.DiscardHandler)), ErrCrash)
	require.GreaterOrEqual(t, time.Since(began), cfg.CrashAfter)
}

func TestAllocateWhileServing(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.AllocateMiB = 2
	reader, writer := io.Pipe()
	defer func() { _ = reader.Close() }()
	s, err := Listen(t.Context(), cfg, slog.New(slog.NewTextHandler(writer, nil)))
	require.NoError(t, err)
	go func() { _ = s.Serve(t.Context()) }()
	for lines := bufio.NewScanner(reader); lines.Scan(); {
		if strings.Contains(lines.Text(), "msg=allocated mib=2") {
			return
		}
	}
	t.Fatal("the log ended without a word on the memory")
}

func TestDrainDelayKeepsAccepting(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.DrainDelay = 300 * time.Millisecond
	s := start(t, cfg)
	began := time.Now()
	s.stop()
	got := get(t, s.http, "/")
	require.Equal(t, "new\n", got.body)
	require.NoError(t, <-s.err)
	require.GreaterOrEqual(t, time.Since(began), cfg.DrainDelay)
	// A child that another test is just starting holds the socket until it calls exec.
	refused := func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.http.Addr().String())
		if err == nil {
			conn.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	}
	require.Eventually(t, refused, 5*time.Second, time.Millisecond)
}

func TestStopFinishesAnswersAndClosesHeldConnections(t *testing.T) {
	t.Parallel()
	s := start(t, testConfig())
	held := dial(t, "tcp", s.tcp[0].Addr())
	lines := bufio.NewReader(held)
	readLine(t, lines)
	s.stop()
	_, err := lines.ReadString('\n')
	require.ErrorIs(t, err, io.EOF, "closed in order, not reset")
	require.NoError(t, <-s.err)
}

func TestStopCutsTheDelayShortAndAnswers(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Delay = time.Hour
	s := start(t, cfg)
	conn := dial(t, "tcp", s.tcp[0].Addr())
	datagrams := dial(t, "udp", s.udp[0].LocalAddr())
	write(t, datagrams, "?")
	require.Eventually(t, func() bool { return s.flows.Load() == 2 }, 5*time.Second, time.Millisecond)
	s.stop()
	require.Equal(t, "new web-1\n", readLine(t, bufio.NewReader(conn)))
	require.Equal(t, "new web-1\n", readLine(t, bufio.NewReader(datagrams)))
	require.NoError(t, <-s.err)
}

func TestStopAnswersRequestsUnderWay(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Delay = time.Hour
	s := start(t, cfg)
	l, err := listenTCP(t.Context(), anyPort)
	require.NoError(t, err)
	// Only then is the request under way: net/http drops what it has not read yet.
	underWay := make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(underWay)
		s.answerHTTP(w, r)
	})
	serving, stop := context.WithCancel(t.Context())
	defer stop()
	drained := make(chan error, 1)
	go func() { drained <- s.serveHTTP(serving, l, handler) }()
	web := dial(t, "tcp", l.Addr())
	write(t, web, "GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
	<-underWay
	stop()
	require.Equal(t, "HTTP/1.1 200 OK\r\n", readLine(t, bufio.NewReader(web)))
	require.NoError(t, <-drained)
}
