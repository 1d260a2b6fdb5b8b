package probe

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLayersThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		layers Layers
		inner  Exchange
		err    string
	}{
		{Layers{TLS: &TLS{}}, datagram(), `probe "udp" is not spoken over TCP, and TLS, STARTTLS and the PROXY header are`},
		{Layers{Proxy: "v3"}, banner(), `PROXY header "v3" is unknown: allowed are v1, v2`},
		{Layers{StartTLS: "ftp"}, nil, `STARTTLS of "ftp" is unknown: allowed are imap, mysql, pop3, postgres, smtp`},
	} {
		_, err := row.layers.Around(row.inner)
		require.EqualError(t, err, row.err)
	}
	none, err := Layers{}.Around(banner())
	require.NoError(t, err)
	require.IsType(t, script{}, none, "no layer at all")
	again, err := Layers{TLS: &TLS{ServerName: "x"}}.Around(preset(t, "https"))
	require.NoError(t, err)
	require.IsType(t, request{}, innermost(again), "TLS goes around the request, not around TLS")
	require.Equal(t, "https", again.String())
	proxied, err := Layers{Proxy: ProxyV1}.Around(preset(t, "https"))
	require.NoError(t, err)
	require.Equal(t, layered{name: "https", inner: request{}, layers: Layers{Proxy: ProxyV1, TLS: &TLS{Insecure: true, ALPN: []string{"http/1.1"}}}}, proxied)
}

// TestProxyHeader compares with the examples of the specification, section 2.
func TestProxyHeader(t *testing.T) {
	t.Parallel()
	from4, to4 := netip.MustParseAddrPort("192.168.0.1:56324"), netip.MustParseAddrPort("192.168.0.11:443")
	from6, to6 := netip.MustParseAddrPort("[2001:db8::1]:1024"), netip.MustParseAddrPort("[2001:db8::2]:80")
	require.Equal(t, "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", string(ProxyV1.header(from4, to4)))
	require.Equal(t, "PROXY TCP6 2001:db8::1 2001:db8::2 1024 80\r\n", string(ProxyV1.header(from6, to6)))
	const signature = "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"
	require.Equal(t, signature+"\x21\x11\x00\x0c\xc0\xa8\x00\x01\xc0\xa8\x00\x0b\xdc\x04\x01\xbb", string(ProxyV2.header(from4, to4)))
	v6 := ProxyV2.header(from6, to6)
	require.Equal(t, signature+"\x21\x21\x00\x24\x20\x01\x0d\xb8", string(v6[:20]))
	require.Len(t, v6, 16+36)
	require.Equal(t, "PROXY UNKNOWN\r\n", string(ProxyV1.unknown()))
	require.Equal(t, signature+"\x20\x00\x00\x00", string(ProxyV2.unknown()))
	here, there := net.Pipe()
	_, err := local(here)
	require.Error(t, err, "what has no address of its own")
	require.NoError(t, errors.Join(here.Close(), there.Close()))
}

// TestProxy: the header has the flow's own addresses, and TLS comes after it.
func TestProxy(t *testing.T) {
	t.Parallel()
	requireIPv6(t)
	config := &tls.Config{Certificates: []tls.Certificate{newAuthority(t).issue(t, "old")}}
	for _, host := range []string{"127.0.0.1", "::1"} {
		headers := make(chan string, 3)
		port := serveTCP(t, host, func(c net.Conn) {
			var header strings.Builder
			for b := make([]byte, 1); !strings.HasSuffix(header.String(), "\n"); header.Write(b) {
				if _, err := c.Read(b); err != nil {
					return
				}
			}
			headers <- strings.Replace(header.String(), fmt.Sprint(c.RemoteAddr().(*net.TCPAddr).Port), "PORT", 1)
			endTLS(tls.Server(c, config), c, func(net.Conn) {}, nil)
		})
		var err error
		port.Exchange, err = Layers{Proxy: ProxyV1, TLS: &TLS{Insecure: true}}.Around(nil)
		require.NoError(t, err)
		for _, f := range sample(t, Options{Ports: []Port{port}, Addresses: loopback(host), Count: 3}) {
			require.Equal(t, Answered, f.Class, "%v", f.Err)
			require.Equal(t, Stable, f.Version)
			family := map[bool]string{true: "TCP6", false: "TCP4"}[host == "::1"]
			require.Equal(t, fmt.Sprintf("PROXY %s %s %s PORT %d\r\n", family, host, host, port.Number), <-headers)
		}
	}
}

// turn is one exchange of a server in the clear: what it waits for, and what it says.
type turn struct{ wait, say string }

// TestStartTLS plays each protocol's server, with answers in pieces and of many lines.
func TestStartTLS(t *testing.T) {
	t.Parallel()
	greeting := "\x4a\x00\x00\x00\x0a8.0.36" + strings.Repeat("\x00", 67)
	mysql := "\x20\x00\x00\x01\x00\x8a\x08\x00\x00\x00\x00\x01\x2d" + strings.Repeat("\x00", 23)
	certificate := newAuthority(t).issue(t, "new")
	for _, row := range []struct {
		name  StartTLS
		turns []turn
		err   string
	}{
		{"smtp", []turn{
			{"", "220-mx.example\r\n220"}, {"", " hello\r\n"}, {"EHLO l4-canary\r\n", "250-mx\r\n250-STARTTLS\r\n250 OK\r\n"}, {"STARTTLS\r\n", "220 go\r\n"},
		}, ""},
		{"smtp", []turn{{"", "554 no\r\n"}}, "an answer of 8 bytes does not match \"^220\""},
		{"smtp", []turn{{"", "220 mx\r\n"}, {"EHLO l4-canary\r\n", "250 mx\r\n"}, {"STARTTLS\r\n", "502 unknown\r\n"}}, "does not match"},
		{"smtp", []turn{{"", "220 mx\r\n"}, {"EHLO l4-canary\r\n", "250 mx\r\n"}, {"STARTTLS\r\n", "220 go\r\n250 injected\r\n"}}, "in the clear"},
		{"imap", []turn{{"", "* OK ready\r\n"}, {"a STARTTLS\r\n", "* CAPABILITY X\r\na OK begin\r\n"}}, ""},
		{"imap", []turn{{"", "* OK ready\r\n"}, {"a STARTTLS\r\n", "a NO\r\n"}}, "does not match"},
		{"pop3", []turn{{"", "+OK\r\n"}, {"STLS\r\n", "+OK begin\r\n"}}, ""},
		{"postgres", []turn{{"\x00\x00\x00\x08\x04\xd2\x16\x2f", "S"}}, ""},
		{"postgres", []turn{{"\x00\x00\x00\x08\x04\xd2\x16\x2f", "N"}}, "an answer of 1 bytes does not match \"^S\""},
		{"mysql", []turn{{"", greeting[:3]}, {"", greeting[3:]}, {mysql, ""}}, ""},
		{"mysql", []turn{{"", "\x0c\x00\x00\x00\xff\x69\x04blocked!x"}}, `the server refuses: "blocked!x"`},
	} {
		t.Run(string(row.name)+" "+row.err, func(t *testing.T) {
			t.Parallel()
			port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
				for _, turn := range row.turns {
					heard := make([]byte, len(turn.wait))
					if _, err := io.ReadFull(c, heard); err != nil || string(heard) != turn.wait {
						return
					}
					say(turn.say)(c)
				}
				if row.err != "" {
					hush(c)
					return
				}
				endTLS(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}}), c, func(net.Conn) {}, nil)
			})
			var err error
			port.Exchange, err = Layers{StartTLS: row.name}.Around(nil)
			require.NoError(t, err)
			for _, f := range sample(t, Options{Ports: []Port{port}, Count: 2, Timeout: 5 * time.Second}) {
				if row.err != "" {
					require.Equal(t, Faulty, f.Class, "%v", f.Err)
					require.ErrorContains(t, f.Err, row.err)
					continue
				}
				require.Equal(t, Answered, f.Class, "%v", f.Err)
				require.Equal(t, Canary, f.Version, "%q", f.Answer)
				require.Contains(t, string(f.Answer), "dns: new.example\n")
			}
		})
	}
}

// TestStepsBehindStartTLS: what was said in the clear answers none of the steps, and
// is part of what patterns see.
func TestStepsBehindStartTLS(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{newAuthority(t).issue(t, "x")}}
	port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
		say("+OK old\r\n")(c)
		if hear(c) != "STLS\r\n" {
			return
		}
		say("+OK begin\r\n")(c)
		endTLS(tls.Server(c, config), c, func(c net.Conn) {
			if hear(c) == "CAPA\r\n" {
				say("+OK secret\r\n")(c)
			}
		}, nil)
	})
	var err error
	port.Exchange, err = Layers{StartTLS: "pop3"}.Around(NewScript(
		Step{Send: []byte("CAPA\r\n"), Expect: regexp.MustCompile(`^\+OK (\w+)\r\n`)},
	))
	require.NoError(t, err)
	for _, f := range sample(t, Options{Ports: []Port{port}, Count: 3}) {
		require.Equal(t, Answered, f.Class, "%v", f.Err)
		require.Equal(t, Stable, f.Version)
		require.Equal(t, "+OK old\r\n+OK begin\r\n+OK secret\r\n", string(f.Answer))
	}
}

// FuzzMeasures: no answer, however broken, makes a measure exceed it.
func FuzzMeasures(f *testing.F) {
	for _, seed := range []string{"", "\n", "220-a\n220 b\n", "a OK\n", "$3\r\nold\r\n", "$-1\r\n", "-ERR\r\n", "\x02\x00\x00\x00\xff\x69", "\xff\xff\xff\x00\x0a"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, heard []byte) {
		for _, measure := range []measure{oneLine, smtpReply, imapReply, mysqlPacket, bulk} {
			size, err := measure(heard)
			require.LessOrEqual(t, size, len(heard))
			require.GreaterOrEqual(t, size, 0)
			if err != nil {
				require.Zero(t, size)
			}
			if size > 0 { // what comes later does not change what has come
				again, err := measure(append(slices.Clip(heard), "\r\n$x"...))
				require.NoError(t, err)
				require.Equal(t, size, again)
			}
		}
	})
}
