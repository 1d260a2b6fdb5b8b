package probe

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// answerer answers questions in class CHAOS: a text each, or a code.
type answerer struct {
	texts map[string][]string
	code  dnsmessage.RCode // of names without a text
}

func (a answerer) answer(t *testing.T, question []byte) string {
	t.Helper()
	var m dnsmessage.Message
	require.NoError(t, m.Unpack(question))
	require.Len(t, m.Questions, 1)
	q := m.Questions[0]
	require.Equal(t, dnsmessage.TypeTXT, q.Type)
	require.Equal(t, dnsmessage.ClassCHAOS, q.Class)
	m.Response, m.RCode = true, a.code
	if texts, ok := a.texts[q.Name.String()]; ok {
		m.RCode = dnsmessage.RCodeSuccess
		if texts != nil {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}, Body: &dnsmessage.TXTResource{TXT: texts},
			}}
		}
	}
	packed, err := m.Pack()
	require.NoError(t, err)
	return string(packed)
}

func overTCP(t *testing.T, a answerer) Port {
	t.Helper()
	return serveTCP(t, "127.0.0.1", func(c net.Conn) {
		for size := make([]byte, 2); ; {
			if _, err := io.ReadFull(c, size); err != nil {
				return
			}
			question := make([]byte, binary.BigEndian.Uint16(size))
			if _, err := io.ReadFull(c, question); err != nil {
				return
			}
			answer := a.answer(t, question)
			say(string(binary.BigEndian.AppendUint16(nil, uint16(len(answer)))))(c)
			say(answer)(c)
		}
	})
}

func overUDP(t *testing.T, a answerer) Port {
	t.Helper()
	return serveUDP(t, "127.0.0.1", func(datagram []byte, reply func(string)) { reply(a.answer(t, datagram)) })
}

func TestDNS(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		server  answerer
		class   Class
		version Version
		answer  string
	}{
		{"all of them", answerer{texts: map[string][]string{
			"version.bind.": {"old ", "9.18"}, "hostname.bind.": {"web-1"}, "id.server.": {"a\nb"},
		}}, Answered, Stable, "version.bind: old 9.18\nhostname.bind: web-1\nid.server: a b\n"},
		{"one, and the others refused", answerer{texts: map[string][]string{"version.bind.": {"new"}, "id.server.": nil}, code: dnsmessage.RCodeRefused},
			Answered, Canary, "version.bind: new\nhostname.bind: REFUSED\nid.server: NODATA\n"},
		{"none", answerer{code: dnsmessage.RCodeNotImplemented}, Answered, Unknown, "version.bind: NOTIMP\nhostname.bind: NOTIMP\nid.server: NOTIMP\n"},
		{"broken", answerer{code: dnsmessage.RCodeServerFailure}, Faulty, None, "version.bind: SERVFAIL\nhostname.bind: SERVFAIL\nid.server: SERVFAIL\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for _, port := range []Port{overTCP(t, row.server), overUDP(t, row.server)} {
				port.Exchange = preset(t, "dns")
				for _, f := range sample(t, Options{Ports: []Port{port}, Count: 5}) {
					require.Equal(t, row.class, f.Class, "%s: %v", port, f.Err)
					require.Equal(t, row.version, f.Version)
					require.Equal(t, row.answer, string(f.Answer))
				}
			}
		})
	}
}

// TestDNSAsksAgain drops the first datagram and answers the later ones twice.
func TestDNSAsksAgain(t *testing.T) {
	t.Parallel()
	a := answerer{texts: map[string][]string{"version.bind.": {"old"}}, code: dnsmessage.RCodeNameError}
	var n atomic.Int64
	port := serveUDP(t, "127.0.0.1", func(datagram []byte, reply func(string)) {
		if n.Add(1) > 1 {
			reply(a.answer(t, datagram))
			reply(a.answer(t, datagram))
		}
	})
	port.Exchange = preset(t, "dns")
	for _, f := range sample(t, Options{Ports: []Port{port}, Count: 1, Timeout: 1500 * time.Millisecond}) {
		require.Equal(t, Answered, f.Class, "%v", f.Err)
		require.Equal(t, 1, f.Resent)
		require.Equal(t, "version.bind: old\nhostname.bind: NXDOMAIN\nid.server: NXDOMAIN\n", string(f.Answer))
	}
}

func TestDNSThatIsNone(t *testing.T) {
	t.Parallel()
	for name, port := range map[string]Port{
		"text":    serveTCP(t, "127.0.0.1", func(c net.Conn) { hear(c); say("\x00\x05hello")(c) }),
		"short":   serveTCP(t, "127.0.0.1", func(c net.Conn) { hear(c); say("\x05\x00hello")(c) }),
		"nothing": serveTCP(t, "127.0.0.1", func(c net.Conn) { hear(c) }),
		"udp":     serveUDP(t, "127.0.0.1", func(_ []byte, reply func(string)) { reply("old") }),
	} {
		port.Exchange = preset(t, "dns")
		for _, f := range sample(t, Options{Ports: []Port{port}, Count: 2}) {
			require.Equal(t, Faulty, f.Class, "%s: %v", name, f.Err)
		}
	}
}

// TestHeldDNS repeats a question over UDP, and sees that another version answers.
func TestHeldDNS(t *testing.T) {
	t.Parallel()
	var version atomic.Value
	version.Store("old")
	var asked atomic.Int64
	port := serveUDP(t, "127.0.0.1", func(datagram []byte, reply func(string)) {
		asked.Add(1)
		reply(answerer{texts: map[string][]string{"version.bind.": {version.Load().(string)}}}.answer(t, datagram))
	})
	port.Exchange = preset(t, "dns")
	h := holding(t, seldom, 3, port)
	await(t, &asked, 9)
	requireAlive(t, h, Stable, "")
	at := time.Now()
	version.Store("new")
	requireEnd(t, h, EndMoved, at)
}

// FuzzIdentity: whatever comes back, its text is one line.
func FuzzIdentity(f *testing.F) {
	question, err := chaosQuestion(7, identities()[0])
	require.NoError(f, err)
	f.Add(question)
	f.Add([]byte("hello"))
	f.Fuzz(func(t *testing.T, datagram []byte) {
		text := string(chaos{}.text(datagram))
		require.LessOrEqual(t, strings.Count(text, "\n"), 1)
	})
}
