package probe

import (
	"io"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSteps holds one step against a server that answers in two parts.
func TestSteps(t *testing.T) {
	t.Parallel()
	re := regexp.MustCompile
	for _, row := range []struct {
		name   string
		step   Step
		first  string
		second string
		stays  bool // the server waits after its answer
		class  Class
		err    string
	}{
		{"a line in two parts", Step{Until: UntilLine}, "ol", "d\nmore", true, Answered, ""},
		{"a line that must match", Step{Until: UntilLine, Expect: re("^old$")}, "ol", "d\n", true, Faulty, "does not match"},
		{"a line that matches", Step{Until: UntilLine, Expect: re(`^old\n$`)}, "ol", "d\n", true, Answered, ""},
		{"a line that does not end", Step{Until: UntilLine}, "ol", "d", false, Faulty, "an answer of 3 bytes is not complete"},
		{"until it closes", Step{Until: UntilClose, Expect: re("l.*d")}, "ol", "d\nmore", false, Answered, ""},
		{"until it pauses", Step{Until: UntilQuiet, Expect: re("^old$")}, "ol", "d", true, Answered, ""},
		{"bytes", Step{Bytes: 3, Expect: re("^old$")}, "ol", "dies", true, Answered, ""},
		{"too few bytes", Step{Bytes: 30}, "ol", "d", false, Faulty, "an answer of 3 bytes is not complete"},
		{"prefix", Step{Prefix: []byte("old")}, "ol", "dies", true, Answered, ""},
		{"another prefix is not waited for", Step{Prefix: []byte("one that never comes")}, "o", "ld", true, Faulty, "an answer of"},
		{"nothing", Step{Until: UntilQuiet}, "", "", false, Faulty, "closed without an answer"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
				say(row.first)(c)
				<-time.After(20 * time.Millisecond) // so that the parts come apart
				say(row.second)(c)
				if row.stays {
					hush(c)
				}
			})
			port.Exchange = NewScript(row.step)
			for _, f := range sample(t, Options{Ports: []Port{port}, Count: 3}) {
				require.Equal(t, row.class, f.Class, "%v", f.Err)
				if row.err != "" {
					require.ErrorContains(t, f.Err, row.err)
				}
				require.Less(t, f.Total, 5*time.Second, "no answer is waited for that has come, or cannot come any more")
			}
		})
	}
}

// TestCaptures: what one answer held is sent back, from whichever step.
func TestCaptures(t *testing.T) {
	t.Parallel()
	steps := []Step{
		{Expect: regexp.MustCompile(`token (?P<token>\S+)( never)? (\d+)\n`)},
		{Send: []byte("hello \n"), Refs: []Ref{{At: 6, Step: 0, Group: 3}}, Expect: regexp.MustCompile(`you are (\w+)`)},
		{Send: []byte("--\r\n"), Refs: []Ref{{At: 0, Step: 1, Group: 1}, {At: 1, Step: 0, Group: 1}, {At: 2, Step: 0, Group: 2}}, Until: UntilLine},
	}
	port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
		say("a token \x00\xff$1 42\n")(c)
		if hear(c) != "hello 42\n" {
			return
		}
		say("you are old")(c)
		say("got " + hear(c))(c)
	})
	port.Exchange = NewScript(steps...)
	for _, f := range sample(t, Options{Ports: []Port{port}, Count: 3}) {
		require.Equal(t, Answered, f.Class, "%v", f.Err)
		require.True(t, strings.HasSuffix(string(f.Answer), "got old-\x00\xff$1-\r\n"), "%q", f.Answer)
	}
}

func TestCapturesOverUDP(t *testing.T) {
	t.Parallel()
	port := serveUDP(t, "127.0.0.1", func(datagram []byte, reply func(string)) { reply("old " + string(datagram) + "1") })
	port.Exchange = NewScript(
		Step{Send: []byte("a"), Expect: regexp.MustCompile(`a(\d)$`)},
		Step{Send: []byte("b"), Refs: []Ref{{At: 1, Group: 1}}},
	)
	for _, f := range sample(t, Options{Ports: []Port{port}, Count: 3}) {
		require.Equal(t, "old a1old b11", string(f.Answer), "%v", f.Err)
	}
}

// TestSecondDatagram: where nothing was asked there is nothing to ask again, and what comes
// late still comes in time.
func TestSecondDatagram(t *testing.T) {
	t.Parallel()
	port := serveUDP(t, "127.0.0.1", func(_ []byte, reply func(string)) {
		reply("wait for it")
		time.AfterFunc(resendAfter+200*time.Millisecond, func() { reply("old") })
	})
	port.Exchange = NewScript(
		Step{Send: []byte("hello"), Expect: regexp.MustCompile("^wait")}, Step{Expect: regexp.MustCompile("^old$")},
	)
	for _, f := range sample(t, Options{Ports: []Port{port}, Count: 2}) {
		require.Equal(t, Answered, f.Class, "%v", f.Err)
		require.Equal(t, "wait for itold", string(f.Answer))
		require.Zero(t, f.Resent)
	}
}

// TestGoodbye: the last word is said, its answer is heard out and is no part of the
// sample, and then the connection is finished, not reset.
func TestGoodbye(t *testing.T) {
	t.Parallel()
	for how, end := range map[Close]error{FIN: io.EOF, RST: nil} {
		ends := make(chan error, 3)
		port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
			say("old\n")(c)
			if hear(c) != "QUIT\r\n" {
				return
			}
			say("221 bye\r\n")(c)
			_, err := c.Read(make([]byte, 1))
			ends <- err
		})
		port.Exchange = WithGoodbye([]byte("QUIT\r\n"), Step{Until: UntilLine})
		for _, f := range sample(t, Options{Ports: []Port{port}, Count: 3, Close: how}) {
			require.Equal(t, Answered, f.Class, "%v", f.Err)
			require.Equal(t, "old\n", string(f.Answer))
			if err := <-ends; end != nil {
				require.ErrorIs(t, err, end)
			} else {
				require.ErrorContains(t, err, "reset")
			}
		}
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, reply string
		class       Class
		err         string
	}{
		{"info", "$25\r\n# Server\r\nversion:old-7.0\r\n\r\n", Answered, ""},
		{"password", "-NOAUTH Authentication required.\r\n", Faulty, `the server answers "-NOAUTH Authentication required."`},
		{"no length", "$x\r\n", Faulty, `the server answers "$x"`},
		{"cut short", "$100\r\nold\r\n", Faulty, "is not complete"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
				if hear(c) != "INFO server\r\n" {
					return
				}
				say(row.reply)(c)
				if row.class == Answered && hear(c) == "QUIT\r\n" {
					say("+OK\r\n")(c)
				}
			})
			port.Exchange = preset(t, "redis")
			for _, f := range sample(t, Options{Ports: []Port{port}, Count: 3}) {
				require.Equal(t, row.class, f.Class, "%v", f.Err)
				if row.err != "" {
					require.ErrorContains(t, f.Err, row.err)
					continue
				}
				require.Equal(t, row.reply, string(f.Answer))
				require.Equal(t, Stable, f.Version)
			}
		})
	}
}

// TestHeldSaysNoGoodbye: a flow that is held has no last word, so that it lives on.
func TestHeldSaysNoGoodbye(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 3)
	port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
		hear(c)
		say("$5\r\nold-1\r\n")(c)
		heard <- hear(c)
	})
	port.Exchange = preset(t, "redis")
	h := holding(t, often, 3, port)
	for _, f := range h.Flows() {
		require.NoError(t, f.Err)
		require.True(t, f.Watched)
		require.Equal(t, Stable, f.Version)
		require.Empty(t, f.How)
	}
	h.Close()
	for range 3 {
		require.Empty(t, <-heard, "nothing but the end")
	}
}

// TestHeldStepsOverUDP repeats the last question, with what the first answer held.
func TestHeldStepsOverUDP(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	var strange atomic.Int64
	port := serveUDP(t, "127.0.0.1", func(datagram []byte, reply func(string)) {
		switch string(datagram) {
		case "hello":
			reply("token 7\n")
		case "ask 7":
			asked.Add(1)
			reply("old web-1")
		default:
			strange.Add(1)
		}
	})
	port.Exchange = NewScript(
		Step{Send: []byte("hello"), Expect: regexp.MustCompile(`token (\d)`)},
		Step{Send: []byte("ask "), Refs: []Ref{{At: 4, Group: 1}}, Expect: regexp.MustCompile("old")},
	)
	h := holding(t, seldom, 2, port)
	await(t, &asked, 4)
	requireAlive(t, h, Stable, "web-1")
	require.Zero(t, strange.Load())
}
