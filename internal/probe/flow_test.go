package probe

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTCP holds the banner preset against servers of every kind.
func TestTCP(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		serve   func(net.Conn)
		class   Class
		version Version
		pod     string
		err     string
	}{
		{"greets and hangs up", say("old web-1\n"), Answered, Stable, "web-1", ""},
		{"greets and waits", func(c net.Conn) { say("new web-2\n")(c); hush(c) }, Answered, Canary, "web-2", ""},
		{"greets without a line feed and waits", func(c net.Conn) { say("old")(c); hush(c) }, Answered, Stable, "", ""},
		{"greets in two parts", func(c net.Conn) { say("ol")(c); say("d web-1\n")(c) }, Answered, Stable, "web-1", ""},
		{"says something else", say("hello\n"), Answered, Unknown, "", ""},
		{"hangs up", func(net.Conn) {}, Faulty, None, "", "closed without an answer"},
		{"resets", reset, Reset, None, "", "connection reset"},
		{"sends more than is read", say("old web-1 " + strings.Repeat("x", 2*MaxAnswer)), Answered, Stable, "web-1", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			flows := sample(t, Options{Ports: []Port{serveTCP(t, "127.0.0.1", row.serve)}, Count: 8})
			require.Len(t, flows, 8)
			for i, f := range flows {
				require.Equal(t, i, f.Index)
				require.Equal(t, row.class, f.Class, "%v", f.Err)
				require.Equal(t, row.version, f.Version, "%q", f.Answer)
				require.Equal(t, row.pod, f.Pod)
				require.LessOrEqual(t, len(f.Answer), MaxAnswer)
				if row.class != Reset { // a reset can come before the socket learns that it was connected
					require.Positive(t, f.Connect)
				}
				require.GreaterOrEqual(t, f.Total, f.FirstByte)
				if row.class == Answered {
					require.NoError(t, f.Err)
					require.GreaterOrEqual(t, f.FirstByte, f.Connect)
				} else {
					require.ErrorContains(t, f.Err, row.err)
				}
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	for _, protocol := range []Protocol{TCP, UDP} {
		port := Port{Number: freePorts(t, 1), Protocol: protocol, Exchange: Auto("", "", protocol, 1)}
		for _, f := range sample(t, Options{Ports: []Port{port}, Count: 5}) {
			require.Equal(t, Refused, f.Class, "%s: %v", protocol, f.Err)
			require.ErrorIs(t, f.Err, syscall.ECONNREFUSED)
			require.Equal(t, None, f.Version)
			require.True(t, f.Failed())
		}
	}
}

// TestSilence covers servers that keep one waiting: the flow ends with its
// timeout, whatever came before.
func TestSilence(t *testing.T) {
	t.Parallel()
	silentUDP := serveUDP(t, "127.0.0.1", func([]byte, func(string)) {})
	half := serveTCP(t, "127.0.0.1", func(c net.Conn) { hear(c); say("HTTP/1.1 200 OK\r\nX-Is: old\r\n")(c); hush(c) })
	half.Exchange = request{}
	partial := serveTCP(t, "127.0.0.1", func(c net.Conn) { say("old")(c); hush(c) })
	partial.Exchange = oneStep(t, "", "old.*\n")
	for name, port := range map[string]Port{
		"tcp":                     serveTCP(t, "127.0.0.1", hush),
		"udp":                     silentUDP,
		"half a response":         half,
		"half of what is awaited": partial,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, f := range sample(t, Options{Ports: []Port{port}, Count: 4, Timeout: 500 * time.Millisecond}) {
				require.Equal(t, Timeout, f.Class, "%v", f.Err)
				require.GreaterOrEqual(t, f.Total, 150*time.Millisecond)
				if strings.HasPrefix(name, "half") {
					require.Equal(t, Stable, f.Version, "what came before it failed says who it was")
				} else {
					require.Equal(t, None, f.Version)
				}
			}
		})
	}
}

func TestUDP(t *testing.T) {
	t.Parallel()
	var got atomic.Value
	port := serveUDP(t, "127.0.0.1", func(datagram []byte, reply func(string)) {
		got.Store(string(datagram))
		reply("new web-7\n")
	})
	flows := sample(t, Options{Ports: []Port{port}, Count: 20})
	require.Len(t, flows, 20)
	for _, f := range flows {
		require.Equal(t, Answered, f.Class, "%v", f.Err)
		require.Equal(t, Canary, f.Version)
		require.Equal(t, "web-7", f.Pod)
		require.Zero(t, f.Connect)
		require.Zero(t, f.Resent)
		require.Positive(t, f.FirstByte)
	}
	require.Equal(t, "l4-canary\n", got.Load())
}

// TestUDPLostThenAnswered drops the first datagram of each flow: the second
// comes from the same source port, hence is the same flow.
func TestUDPLostThenAnswered(t *testing.T) {
	t.Parallel()
	var packets atomic.Int64
	port := serveUDP(t, "127.0.0.1", func(_ []byte, reply func(string)) {
		if packets.Add(1)%2 == 0 {
			reply("old")
		}
	})
	flows := sample(t, Options{Ports: []Port{port}, Count: 3, Concurrency: 1, Timeout: 1500 * time.Millisecond})
	for _, f := range flows {
		require.Equal(t, Answered, f.Class, "%v", f.Err)
		require.Equal(t, 1, f.Resent)
	}
	require.Equal(t, int64(6), packets.Load())
}

func TestUDPEmptyAnswer(t *testing.T) {
	t.Parallel()
	port := serveUDP(t, "127.0.0.1", func(_ []byte, reply func(string)) { reply("") })
	for _, f := range sample(t, Options{Ports: []Port{port}, Count: 2}) {
		require.Equal(t, Answered, f.Class)
		require.Equal(t, Unknown, f.Version)
		require.Positive(t, f.FirstByte)
	}
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("y", 3*MaxAnswer)
	for _, row := range []struct {
		name, response string
		class          Class
		version        Version
		answer, err    string
	}{
		{"body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nold web-1\n", Answered, Stable,
			"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nold web-1\n", ""},
		{"header", "HTTP/1.1 200 OK\r\nX-Version: new\r\nContent-Length: 0\r\n\r\n", Answered, Canary, "X-Version: new", ""},
		{"until the end", "HTTP/1.0 200 OK\r\n\r\nnew web-1", Answered, Canary, "new web-1", ""},
		{"chunks that split the word", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nol\r\n1\r\nd\r\n0\r\n\r\n",
			Answered, Stable, "\r\n\r\nold", ""},
		{"interim response", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold",
			Answered, Stable, "Early Hints", ""},
		{"not found", "HTTP/1.1 404 Not Found\r\nServer: old\r\nContent-Length: 0\r\n\r\n", Answered, Stable, "404", ""},
		{"server error that tells who it is", "HTTP/1.1 503 Busy\r\nServer: new\r\nContent-Length: 0\r\n\r\n", Faulty, Canary, "", "status 503 Busy"},
		{"server error that does not", "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", Faulty, None, "", "status 500 Oops"},
		{"garbage", "SSH-2.0-old\r\n", Faulty, Stable, "", "malformed HTTP"},
		{"nothing", "", Faulty, None, "", "closed without an answer"},
		{"cut short", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nold", Faulty, Stable, "", "unexpected EOF"},
		{"long body", "HTTP/1.1 200 OK\r\nX-Is: new\r\n\r\n" + body, Answered, Canary, "yyyy", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var heard atomic.Value
			port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
				heard.Store(hear(c))
				say(row.response)(c)
			})
			port.Exchange = request{}
			for _, f := range sample(t, Options{Ports: []Port{port}, Count: 4}) {
				require.Equal(t, row.class, f.Class, "%v", f.Err)
				require.Equal(t, row.version, f.Version, "%q", f.Answer)
				require.Contains(t, string(f.Answer), row.answer)
				require.LessOrEqual(t, len(f.Answer), MaxAnswer)
				if row.err != "" {
					require.ErrorContains(t, f.Err, row.err)
				}
			}
			require.Equal(t, "GET / HTTP/1.1\r\nHost: 127.0.0.1:"+strings.TrimSuffix(port.String(), "/TCP")+
				"\r\nUser-Agent: l4-canary\r\nAccept: */*\r\nConnection: close\r\n\r\n", heard.Load())
		})
	}
}

func TestHTTPHost(t *testing.T) {
	t.Parallel()
	c := &conversation{}
	for address, want := range map[string]string{"192.0.2.7": "192.0.2.7", "2001:db8::1": "[2001:db8::1]"} {
		for _, number := range []uint16{80, 8080} {
			c.reset(Port{Number: number, Protocol: TCP}, loopback(address)[0], time.Now(), time.Second)
			host := want
			if number != 80 {
				host += ":8080"
			}
			require.Contains(t, string(request{}.get(c, "close", nil)), "\r\nHost: "+host+"\r\n")
		}
	}
}

func TestCustom(t *testing.T) {
	t.Parallel()
	echo := func(c net.Conn) {
		for word := hear(c); word != ""; word = hear(c) {
			say("you said " + word)(c)
		}
	}
	for _, row := range []struct {
		name, send, expect string
		serve              func(net.Conn)
		class              Class
		answer             string
	}{
		{"send and expect", `old\r\n`, `said (\w+)`, echo, Answered, "you said old\r\n"},
		{"send alone", `new`, ``, echo, Answered, "you said new"},
		{"expect alone", ``, `ready`, func(c net.Conn) { say("not yet\nready old\n")(c) }, Answered, "not yet\nready old\n"},
		{"over the lines", ``, `(?s)a.*z`, func(c net.Conn) { say("a\nb\nz")(c); hush(c) }, Answered, "a\nb\nz"},
		{"another answer, then the end", `x`, `^hello`, func(c net.Conn) { hear(c); say("old: no")(c) }, Faulty, "old: no"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			port := serveTCP(t, "127.0.0.1", row.serve)
			port.Exchange = oneStep(t, row.send, row.expect)
			for _, f := range sample(t, Options{Ports: []Port{port}, Count: 3}) {
				require.Equal(t, row.class, f.Class, "%v", f.Err)
				require.Equal(t, row.answer, string(f.Answer))
			}
		})
	}
}

func TestCustomUDP(t *testing.T) {
	t.Parallel()
	port := serveUDP(t, "127.0.0.1", func(datagram []byte, reply func(string)) { reply("old " + string(datagram)) })
	for expect, class := range map[string]Class{"old p.ng": Answered, "pong": Faulty} {
		port.Exchange = oneStep(t, "ping", expect)
		for _, f := range sample(t, Options{Ports: []Port{port}, Count: 3}) {
			require.Equal(t, class, f.Class, "%v", f.Err)
			require.Equal(t, Stable, f.Version)
		}
	}
}

// TestStepsConsumeWhatTheyMatched has a server whose second answer repeats the
// first one's words.
func TestStepsConsumeWhatTheyMatched(t *testing.T) {
	t.Parallel()
	steps := oneStep(t, `HELO\n`, `250 ok\n`).steps
	port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
		hear(c)
		say("250 ok\n")(c)
		hear(c)
		say("old 250 ok\n")(c)
	})
	port.Exchange = NewScript(append(steps, steps...)...)
	for _, f := range sample(t, Options{Ports: []Port{port}, Count: 3}) {
		require.Equal(t, "250 ok\nold 250 ok\n", string(f.Answer), "%v", f.Err)
		require.Equal(t, Stable, f.Version)
	}
}

// TestForbiddenIsLocal sends to the broadcast address, which the kernel refuses
// before a packet leaves.
func TestForbiddenIsLocal(t *testing.T) {
	t.Parallel()
	port := Port{Number: 9, Protocol: UDP, Exchange: datagram()}
	for _, f := range sample(t, Options{Ports: []Port{port}, Addresses: loopback("255.255.255.255"), Count: 2}) {
		require.Equal(t, Local, f.Class, "%v", f.Err)
		require.ErrorContains(t, f.Err, "this machine failed the flow: connecting: permission denied")
		require.False(t, f.Failed())
	}
}

func TestClasses(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]Class{
		nil:                    Answered,
		syscall.ECONNREFUSED:   Refused,
		syscall.EHOSTUNREACH:   Refused,
		syscall.ECONNRESET:     Reset,
		syscall.EPIPE:          Reset,
		syscall.ETIMEDOUT:      Timeout,
		syscall.EMFILE:         Local,
		syscall.EADDRNOTAVAIL:  Local,
		syscall.EPERM:          Local,
		io.ErrUnexpectedEOF:    Faulty,
		errSilent:              Faulty,
		errTaken:               Local,
		errors.New("whatever"): Faulty,
	} {
		require.Equal(t, want, classOf(err), "%v", err)
	}
	require.Equal(t, Local, classOf(localError("connecting", syscall.ENETUNREACH)), "no route on this machine")
	require.Equal(t, Refused, classOf(syscall.ENETUNREACH), "a router says so")
}
