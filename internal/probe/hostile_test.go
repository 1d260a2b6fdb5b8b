package probe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
)

const (
	// whole is what a server would send that means harm.
	whole = 100 << 20

	// mostTaken is what it may get rid of: what is read of an answer, what is read so that
	// the connection ends in order, and what the kernel keeps at both ends.
	mostTaken = 20 << 20

	// harm is what a runner, a terminal or a page would obey.
	harm = "\n::error::pwned\r##[error]pwned\x1b[31mred<script>| `\u202e"
)

// stream sends a beginning, then blocks until the whole is sent or nobody takes it, and
// counts.
func stream(taken *atomic.Int64, begin, block string) func(net.Conn) {
	return func(c net.Conn) {
		go hush(c) // whatever is asked
		blocks := []byte(strings.Repeat(block, 1+(64<<10)/len(block)))
		sent, err := io.WriteString(c, begin)
		for n := 0; err == nil && sent < whole; sent += n {
			n, err = c.Write(blocks)
		}
		taken.Store(max(taken.Load(), int64(sent)))
	}
}

// drip sends a text byte by byte, again and again.
func drip(begin, text string) func(net.Conn) {
	return func(c net.Conn) {
		go hush(c)
		say(begin)(c)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for at := 0; ; at++ {
			<-tick.C
			if _, err := c.Write([]byte{text[at%len(text)]}); err != nil {
				return
			}
		}
	}
}

// TestStreams: of a server that never stops no more is taken than of the longest answer, and
// the flow ends long before its time.
func TestStreams(t *testing.T) {
	t.Parallel()
	smtp, err := Layers{StartTLS: "smtp"}.Around(nil)
	require.NoError(t, err)
	for _, row := range []struct {
		name         string
		exchange     Exchange
		begin, block string
		class        Class
		version      Version
		err          string
	}{
		{"a banner", preset(t, "tcp"), "old ", "x", Answered, Stable, ""},
		{"a body", preset(t, "http"), "HTTP/1.1 200 OK\r\nX-Is: old\r\nContent-Length: 104857600\r\n\r\n", "x", Answered, Stable, ""},
		{"a body without length", preset(t, "http"), "HTTP/1.1 200 OK\r\nX-Is: new\r\n\r\n", "x", Answered, Canary, ""},
		{"a body of small chunks", preset(t, "http"), "HTTP/1.1 200 OK\r\nX-Is: new\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", Answered, Canary, ""},
		{"chunks that are nothing but their heads", preset(t, "http"), "HTTP/1.1 200 OK\r\nX-Is: new\r\nTransfer-Encoding: chunked\r\n\r\n", "1;" + strings.Repeat("x", 2000) + "\r\nx\r\n", Faulty, Canary, "reading the body"},
		{"a head", preset(t, "http"), "HTTP/1.1 200 OK\r\nX-Is: old\r\n", "X-A: " + strings.Repeat("x", 1000) + "\r\n", Faulty, Stable, "longer than is read"},
		{"a head of one line", preset(t, "http"), "HTTP/1.1 200 OK\r\nX-Is: old ", "x", Faulty, Stable, "longer than is read"},
		{"a status line", preset(t, "http"), "HTTP/1.1 200 old ", "x", Faulty, Stable, "longer than is read"},
		{"interim answers", preset(t, "http"), "", "HTTP/1.1 103 Early Hints\r\nX-Is: old\r\n\r\n", Faulty, Stable, "longer than is read"},
		{"a bulk", preset(t, "redis"), "$104857600\r\nold", "x", Faulty, Stable, `the server answers "$104857600"`},
		{"a length", preset(t, "redis"), "$", "1", Faulty, Unknown, "is not complete"},
		{"a frame", preset(t, "grpc"), "\xff\xff\xff\x00\x00\x00\x00\x00\x01", "x", Faulty, None, "frame too large"},
		{"a message of names", preset(t, "dns"), "\xff\xff", "x", Faulty, None, "the answer is longer than is read"},
		{"a greeting", smtp, "220-old ", "x", Faulty, Stable, "is not complete"},
		{"a greeting of many lines", smtp, "", "220-old\r\n", Faulty, Stable, "is not complete"},
		{"what is never there", oneStep(t, "", "never$"), "old ", "x", Faulty, Stable, "does not match"},
		{"records of no TLS", preset(t, "tls"), "", "\x16\x03\x03\x40\x00" + strings.Repeat("x", 1<<14), Faulty, None, "TLS handshake"},
		{"warnings of TLS", preset(t, "tls"), "", "\x15\x03\x03\x00\x02\x01\x5a", Faulty, None, "TLS handshake"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var taken atomic.Int64
			port := serveTCP(t, "127.0.0.1", stream(&taken, row.begin, row.block))
			port.Exchange = row.exchange
			for _, f := range sample(t, Options{Ports: []Port{port}, Count: 2, Concurrency: 1, Timeout: 20 * time.Second}) {
				require.Equal(t, row.class, f.Class, "%v", f.Err)
				if f.Class != Answered {
					require.ErrorContains(t, f.Err, row.err)
					require.Less(t, len(f.Err.Error()), 500)
				}
				if row.version != Unknown {
					require.Equal(t, row.version, f.Version, "%.100q", f.Answer)
				}
				require.LessOrEqual(t, len(f.Answer), MaxAnswer)
				require.Less(t, f.Total, 10*time.Second, "it was not waited for")
			}
			require.Less(t, taken.Load(), int64(mostTaken))
		})
	}
}

// TestStreamsBehindTLS: the same over TLS, where a certificate can be long as well.
func TestStreamsBehindTLS(t *testing.T) {
	t.Parallel()
	var taken atomic.Int64
	config := &tls.Config{Certificates: []tls.Certificate{newAuthority(t).issue(t, "old")}}
	port := serveTLS(t, config, stream(&taken, "HTTP/1.1 200 OK\r\nX-Is: old\r\nContent-Length: 104857600\r\n\r\n", "x"), nil)
	port.Exchange = preset(t, "https")
	for _, f := range sample(t, Options{Ports: []Port{port}, Count: 2, Concurrency: 1, Timeout: 20 * time.Second}) {
		require.Equal(t, Answered, f.Class, "%v", f.Err)
		require.Equal(t, Stable, f.Version)
		require.Len(t, f.Answer, MaxAnswer)
	}
	require.Less(t, taken.Load(), int64(mostTaken))

	port = serveTLS(t, &tls.Config{Certificates: []tls.Certificate{hostileCertificate(t)}}, hush, nil)
	port.Exchange = preset(t, "tls")
	for _, f := range sample(t, Options{Ports: []Port{port}, Count: 2}) {
		require.Equal(t, Answered, f.Class, "%v", f.Err)
		require.Equal(t, Stable, f.Version)
		require.Len(t, f.Answer, MaxAnswer)
		for _, r := range string(f.Answer) {
			require.False(t, unicode.IsControl(r) && r != '\n' && r != unicode.ReplacementChar, "%q", f.Answer)
		}
		require.NotContains(t, string(f.Answer), "\n::")
	}
}

// hostileCertificate is one that a stranger made: its names are orders, and there are many
// of them.
func hostileCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	names := make([]string, 4000)
	for i := range names {
		names[i] = fmt.Sprintf("old-%d\n::error::pwned\x1b", i)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "old" + harm}, DNSNames: names,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestDrips: a server that sends a byte now and then keeps nobody longer than a flow may take.
func TestDrips(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, preset, begin, text string
		class                     Class
	}{
		{"a banner without end", "tcp", "", "x", Answered}, // what came until then is the answer
		{"a status line", "http", "", "HTTP/1.1 200 this is all in order, or it will be, once this line has come to its end", Timeout},
		{"a head", "http", "HTTP/1.1 200 OK\r\n", "X-Is: old\r\n", Timeout},
		{"a body", "http", "HTTP/1.1 200 OK\r\nX-Is: old\r\nContent-Length: 1000\r\n\r\n", "x", Timeout},
		{"a bulk", "redis", "$60000\r\n", "old ", Timeout},
		{"a message", "dns", "\xff\xff", "x", Timeout},
		{"frames", "grpc", "", "\x00\x00\x00\x04\x00\x00\x00\x00\x00", Timeout},
		{"a handshake", "tls", "\x16\x03\x03\x40\x00", "x", Timeout},
		{"a handshake before HTTP", "https", "\x16\x03\x03\x40\x00", "x", Timeout},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			port := serveTCP(t, "127.0.0.1", drip(row.begin, row.text))
			port.Exchange = preset(t, row.preset)
			for _, f := range sample(t, Options{Ports: []Port{port}, Count: 2, Timeout: 500 * time.Millisecond}) {
				require.Equal(t, row.class, f.Class, "%v", f.Err)
				require.Less(t, f.Total, 3*time.Second)
			}
		})
	}
}

// TestHalfOpen: servers that take a connection and say nothing, or that drop it in the middle
// of a word.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{newAuthority(t).issue(t, "old")}}
	dropping := func(begin string) func(net.Conn) {
		return func(c net.Conn) {
			hear(c)
			say(begin)(c)
			reset(c)
		}
	}
	for name, middle := range map[string]string{
		"http": "HTTP/1.1 20", "redis": "$100\r\nold", "dns": "\x00\xff\x00", "grpc": "\x00\x00",
		"tls": "\x16\x03\x03\x40\x00\x02", "https": "\x16\x03",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			silent, dropped := serveTCP(t, "127.0.0.1", hush), serveTCP(t, "127.0.0.1", dropping(middle))
			silent.Exchange, dropped.Exchange = preset(t, name), preset(t, name)
			for _, f := range sample(t, Options{Ports: []Port{silent}, Count: 2, Timeout: 500 * time.Millisecond}) {
				require.Equal(t, Timeout, f.Class, "%v", f.Err)
				require.Equal(t, None, f.Version)
				require.Less(t, f.Total, 3*time.Second)
			}
			for _, f := range sample(t, Options{Ports: []Port{dropped}, Count: 2}) {
				require.Equal(t, Reset, f.Class, "%v", f.Err)
				require.NotEqual(t, Canary, f.Version)
			}
		})
	}
	t.Run("behind TLS", func(t *testing.T) {
		t.Parallel()
		port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
			over := tls.Server(c, config)
			hear(over)
			say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nold")(over)
			reset(c)
		})
		port.Exchange = preset(t, "https")
		for _, f := range sample(t, Options{Ports: []Port{port}, Count: 2}) {
			require.Equal(t, Reset, f.Class, "%v", f.Err)
		}
	})
}

// TestWrongTLS: what is no TLS, and what is the wrong one, is an error of the protocol, and
// says what is wrong.
func TestWrongTLS(t *testing.T) {
	t.Parallel()
	trusted, strange := newAuthority(t), newAuthority(t)
	verified := func(name string, roots *authority) Exchange {
		e, err := Layers{TLS: &TLS{ServerName: name, Roots: roots.roots()}}.Around(nil)
		require.NoError(t, err)
		return e
	}
	speaking := func(c tls.Certificate) func(net.Conn) {
		return func(raw net.Conn) {
			endTLS(tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{c}}), raw, func(net.Conn) {}, nil)
		}
	}
	old := trusted.issue(t, "old")
	for _, row := range []struct {
		name     string
		exchange Exchange
		serve    func(net.Conn)
		class    Class
		err      string
	}{
		{"plain text", preset(t, "tls"), say("220 old" + harm), Faulty, `the server does not speak TLS: it begins with "220 o"`},
		{"plain HTTP", preset(t, "https"), func(c net.Conn) { hear(c); say("HTTP/1.0 400 Bad Request\r\n\r\n")(c) }, Faulty, `it begins with "HTTP/"`},
		{"garbage", preset(t, "tls"), say("\x16\x03\x03\x00\x04\xff\xff\xff\xff"), Faulty, "TLS handshake: "},
		{"an alert", preset(t, "tls"), say("\x15\x03\x03\x00\x02\x02\x28"), Faulty, "TLS handshake: remote error: tls: handshake failure"},
		{"nothing", preset(t, "tls"), func(c net.Conn) { hear(c) }, Faulty, "TLS handshake: EOF"},
		{"in order", verified("old.example", trusted), speaking(old), Answered, ""},
		{"another name", verified("new.example", trusted), speaking(old), Faulty, "certificate is valid for old.example, not new.example"},
		{"another authority", verified("old.example", strange), speaking(old), Faulty, "certificate signed by unknown authority"},
		{"a stranger's own", verified("old.example", trusted), speaking(hostileCertificate(t)), Faulty, "TLS handshake: tls: failed to verify certificate"},
		{"any will do", preset(t, "tls"), speaking(hostileCertificate(t)), Answered, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			port := serveTCP(t, "127.0.0.1", row.serve)
			port.Exchange = row.exchange
			for _, f := range sample(t, Options{Ports: []Port{port}, Count: 2}) {
				require.Equal(t, row.class, f.Class, "%v", f.Err)
				if row.class != Answered {
					require.ErrorContains(t, f.Err, row.err)
					require.Equal(t, None, f.Version)
				}
			}
		})
	}
}

// TestDatagramStorm: a server that answers one datagram with many, as long as can be.
func TestDatagramStorm(t *testing.T) {
	t.Parallel()
	long := "old " + strings.Repeat("x", 65507-4)
	port := serveUDP(t, "127.0.0.1", func(_ []byte, reply func(string)) {
		for range 20 {
			reply(long)
		}
	})
	for _, name := range []string{"udp", "dns"} {
		port.Exchange = preset(t, name)
		for _, f := range sample(t, Options{Ports: []Port{port}, Count: 3, Timeout: 5 * time.Second}) {
			require.LessOrEqual(t, len(f.Answer), MaxAnswer)
			if name == "udp" {
				require.Equal(t, Answered, f.Class, "%v", f.Err)
				require.Equal(t, Stable, f.Version)
			} else {
				require.Equal(t, Faulty, f.Class, "%v", f.Err)
			}
		}
	}
}
