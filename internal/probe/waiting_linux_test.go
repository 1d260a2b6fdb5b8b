package probe

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAloneIsTheSame: how a worker waits for its socket shows in no flow.
func TestAloneIsTheSame(t *testing.T) {
	t.Parallel()
	web := serveTCP(t, "127.0.0.1", func(c net.Conn) { hear(c); say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")(c) })
	web.Exchange = request{}
	secure := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{newAuthority(t).issue(t, "old")}}, hush, nil)
	secure.Exchange = preset(t, "tls")
	impatient := func(p Port) Port { p.Timeouts.Total = 400 * time.Millisecond; return p } // nobody answers it
	for name, port := range map[string]Port{
		"greets":           serveTCP(t, "127.0.0.1", say("old web-1\n")),
		"greets and waits": serveTCP(t, "127.0.0.1", func(c net.Conn) { say("new web-2")(c); hush(c) }),
		"greets at length": serveTCP(t, "127.0.0.1", say("old "+strings.Repeat("x", 2*MaxAnswer))),
		"answers":          web,
		"speaks TLS":       secure,
		"hangs up":         serveTCP(t, "127.0.0.1", func(net.Conn) {}),
		"resets":           serveTCP(t, "127.0.0.1", func(c net.Conn) { time.Sleep(20 * time.Millisecond); reset(c) }),
		"is silent":        impatient(serveTCP(t, "127.0.0.1", hush)),
		"is not there":     {Number: freePorts(t, 1), Protocol: TCP, Exchange: banner()},
		"takes no more":    impatient(Port{Number: fullQueue(t), Protocol: TCP, Exchange: banner()}),

		"answers over UDP":      serveUDP(t, "127.0.0.1", func(_ []byte, reply func(string)) { reply("new web-2\n") }),
		"says nothing over UDP": serveUDP(t, "127.0.0.1", func(_ []byte, reply func(string)) { reply("") }),
		"is silent over UDP":    impatient(serveUDP(t, "127.0.0.1", func([]byte, func(string)) {})),
		"is not there over UDP": {Number: freePorts(t, 1), Protocol: UDP, Exchange: datagram()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Options{Ports: []Port{port}, Count: 4}
			many := sample(t, o)
			o.Concurrency = 1
			for i, f := range sample(t, o) {
				require.Equal(t, many[i].Class, f.Class, "%v", f.Err)
				require.Equal(t, many[i].Version, f.Version)
				require.Equal(t, many[i].Answer, f.Answer)
				require.Equal(t, many[i].Err == nil, f.Err == nil)
				require.Equal(t, many[i].Resent, f.Resent)
				require.Less(t, f.Total, 20*time.Second)
			}
		})
	}
}

// lone is the conversation of a worker that is alone, with a port.
func lone(port Port, timeout time.Duration) *conversation {
	c := &conversation{buffer: make([]byte, MaxAnswer), alone: true}
	c.reset(port, loopback()[0], time.Now(), timeout)
	return c
}

// TestWaitingWrites writes more than a socket takes at once.
func TestWaitingWrites(t *testing.T) {
	t.Parallel()
	const size = 16 << 20
	heard := make(chan int64, 1)
	port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
		n, _ := io.Copy(io.Discard, c)
		heard <- n
	})
	c := lone(port, time.Minute)
	_, err := c.connect(t.Context(), NewCursor(1))
	require.NoError(t, err)
	require.NoError(t, c.send(make([]byte, size)))
	c.close(false)
	require.Equal(t, int64(size), <-heard)

	deaf := lone(serveTCP(t, "127.0.0.1", func(net.Conn) { <-t.Context().Done() }), 300*time.Millisecond)
	_, err = deaf.connect(t.Context(), NewCursor(1))
	require.NoError(t, err)
	defer deaf.close(true)
	require.ErrorIs(t, deaf.send(make([]byte, size)), os.ErrDeadlineExceeded)
}

// TestWaitingIsCut ends what a lone worker waits for: an answer, over TCP and UDP, and a
// connection.
func TestWaitingIsCut(t *testing.T) {
	t.Parallel()
	for name, port := range map[string]Port{
		"answer":     serveTCP(t, "127.0.0.1", hush),
		"datagram":   serveUDP(t, "127.0.0.1", func([]byte, func(string)) {}),
		"connection": {Number: fullQueue(t), Protocol: TCP},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := lone(port, time.Minute)
			ended := make(chan error, 1)
			go func() {
				_, err := c.connect(t.Context(), NewCursor(1))
				if err == nil {
					err = c.receive(c.deadline)
				}
				c.close(false)
				ended <- err
			}()
			require.Eventually(t, func() bool {
				c.mu.Lock()
				defer c.mu.Unlock()
				return c.socket != nil
			}, 10*time.Second, time.Millisecond)
			time.Sleep(50 * time.Millisecond) // until it waits; if it does not yet, it is cut all the same
			c.cut()
			select {
			case err := <-ended:
				require.ErrorIs(t, err, errCut)
			case <-time.After(20 * time.Second):
				require.Fail(t, "it still waits")
			}
			_, err := c.connect(t.Context(), NewCursor(1))
			require.ErrorIs(t, err, errCut, "and so does every later one")
		})
	}
}
