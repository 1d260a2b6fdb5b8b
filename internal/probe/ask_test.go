package probe

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// connect is a connection to a server of these tests.
func connect(t *testing.T, network string, port Port) net.Conn {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), network, netip.AddrPortFrom(loopback()[0], port.Number).String())
	require.NoError(t, err)
	return conn
}

// TestAsk has a pod on another port and another address than the balancer's: it is asked
// what the balancer would be.
func TestAsk(t *testing.T) {
	t.Parallel()
	balancer := netip.MustParseAddr("192.0.2.7")
	server := serveTCP(t, "127.0.0.1", func(c net.Conn) {
		request := hear(c)
		say("HTTP/1.1 200 OK\r\nX-Heard: " + strings.Split(request, "\r\n")[1] + "\r\nContent-Length: 2\r\n\r\nok")(c)
	})
	answer, err := Ask(t.Context(), connect(t, "tcp", server), Port{Number: 8080, Protocol: TCP, Exchange: request{}}, balancer, 5*time.Second)
	require.NoError(t, err)
	require.Contains(t, string(answer), "X-Heard: Host: 192.0.2.7:8080\r\n")
	require.True(t, strings.HasSuffix(string(answer), "\r\n\r\nok"))

	server = serveTCP(t, "127.0.0.1", say("old web-1\n"))
	answer, err = Ask(t.Context(), connect(t, "tcp", server), Port{Number: 7000, Protocol: TCP, Exchange: banner()}, balancer, 5*time.Second)
	require.NoError(t, err)
	require.Equal(t, "old web-1\n", string(answer))

	server = serveUDP(t, "127.0.0.1", func(question []byte, reply func(string)) { reply("new to " + string(question)) })
	answer, err = Ask(t.Context(), connect(t, "udp", server), Port{Number: 7000, Protocol: UDP, Exchange: datagram()}, balancer, 5*time.Second)
	require.NoError(t, err)
	require.Equal(t, "new to l4-canary\n", string(answer))
}

func TestAskSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	balancer := netip.MustParseAddr("192.0.2.7")
	broken := serveTCP(t, "127.0.0.1", func(c net.Conn) {
		hear(c)
		say("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy")(c)
	})
	answer, err := Ask(t.Context(), connect(t, "tcp", broken), Port{Number: 80, Protocol: TCP, Exchange: request{}}, balancer, 5*time.Second)
	require.EqualError(t, err, "port 80/TCP: status 503 Service Unavailable")
	require.Contains(t, string(answer), "busy")

	silent := serveTCP(t, "127.0.0.1", hush)
	_, err = Ask(t.Context(), connect(t, "tcp", silent), Port{Number: 80, Protocol: TCP, Exchange: request{}}, balancer, 100*time.Millisecond)
	require.EqualError(t, err, "port 80/TCP: no answer")

	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan struct{})
	stuck := serveTCP(t, "127.0.0.1", func(c net.Conn) {
		hear(c)
		close(heard)
		hush(c)
	})
	go func() {
		<-heard
		cancel()
	}()
	_, err = Ask(ctx, connect(t, "tcp", stuck), Port{Number: 80, Protocol: TCP, Exchange: request{}}, balancer, time.Minute)
	require.ErrorIs(t, err, context.Canceled)
}

// TestAskIsPolite: a pod that is asked hears the exchange's last word, and is given as
// long as a flow gives it.
func TestAskIsPolite(t *testing.T) {
	t.Parallel()
	words := make(chan string, 4)
	redis := serveTCP(t, "127.0.0.1", func(c net.Conn) {
		for range 2 {
			words <- hear(c)
			say("$4\r\nnew\n\r\n")(c)
		}
	})
	redis.Exchange = preset(t, "redis")
	answer, err := Ask(t.Context(), connect(t, "tcp", redis), redis, loopback()[0], 10*time.Second)
	require.NoError(t, err)
	require.Equal(t, "$4\r\nnew\n\r\n", string(answer))
	require.Equal(t, "INFO server\r\n", <-words)
	require.Equal(t, "QUIT\r\n", <-words)

	silent := serveTCP(t, "127.0.0.1", hush)
	silent.Timeouts = Timeouts{FirstByte: 50 * time.Millisecond}
	began := time.Now()
	_, err = Ask(t.Context(), connect(t, "tcp", silent), silent, loopback()[0], time.Minute)
	require.ErrorContains(t, err, "no answer")
	require.Less(t, time.Since(began), 30*time.Second)
}

// TestAnswersHoldNoSecrets: a server that repeats what was said to it tells nobody else, neither
// through a flow nor through a pod that is asked directly.
func TestAnswersHoldNoSecrets(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-hunter2"
	login := NewScript(Step{Send: []byte("login " + secret + "\n"), Until: UntilLine})
	server := serveTCP(t, "127.0.0.1", func(c net.Conn) { say("old welcomes " + hear(c))(c) })
	server.Exchange, server.Secrets = login, []string{"another", secret}
	answer, err := Ask(t.Context(), connect(t, "tcp", server), server, loopback()[0], 5*time.Second)
	require.NoError(t, err)
	require.Equal(t, "old welcomes login ***\n", string(answer))
	flows := sample(t, Options{Ports: []Port{server}, Addresses: loopback(), Classifier: oldAndNew(t), Rate: 1000, Count: 3})
	require.Len(t, flows, 3)
	for _, flow := range flows {
		require.Equal(t, "old welcomes login ***\n", string(flow.Answer))
		require.Equal(t, Stable, flow.Version)
	}
	server.Secrets = nil
	answer, err = Ask(t.Context(), connect(t, "tcp", server), server, loopback()[0], 5*time.Second)
	require.NoError(t, err)
	require.Contains(t, string(answer), secret, "the server does repeat it")
}
