package probe

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTLSPreset: the certificate is the answer, in lines, and the connection ends as
// TLS wants it to, without a reset from tickets that nobody has read.
func TestTLSPreset(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	certificate := a.issue(t, "old")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		ends := make(chan error, 4)
		config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: version, MaxVersion: version}
		port := serveTLS(t, config, func(net.Conn) {}, ends)
		port.Exchange = preset(t, "tls")
		for _, f := range sample(t, Options{Ports: []Port{port}, Count: 4}) {
			require.Equal(t, Answered, f.Class, "%v", f.Err)
			require.Equal(t, Stable, f.Version)
			leaf, err := x509.ParseCertificate(certificate.Certificate[0])
			require.NoError(t, err)
			require.Equal(t, strings.Join([]string{
				"version: " + tls.VersionName(version),
				"subject: CN=old,O=Acme Inc", "cn: old", "issuer: CN=test authority", "serial: 1001",
				"fingerprint: " + fingerprint(leaf),
				"dns: old.example", "ip: 127.0.0.1", "uri: spiffe://acme/old", "email: old@acme.example", "",
			}, "\n"), string(f.Answer))
			require.Positive(t, f.FirstByte)
			require.ErrorIs(t, <-ends, io.EOF)
		}
	}
}

func TestTLSVerifies(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	config := &tls.Config{
		Certificates: []tls.Certificate{a.issue(t, "old")}, NextProtos: []string{"lobby"},
		ClientCAs: a.roots(), ClientAuth: tls.VerifyClientCertIfGiven, MaxVersion: tls.VersionTLS12,
	}
	port := serveTLS(t, config, func(c net.Conn) {
		state := c.(*tls.Conn).ConnectionState()
		_, _ = fmt.Fprintf(c, "sni %s, %d certificates\n", state.ServerName, len(state.PeerCertificates))
	}, nil)
	for _, row := range []struct {
		name   string
		tls    TLS
		answer string
		err    string
	}{
		{"by name", TLS{ServerName: "old.example", Roots: a.roots()}, "sni old.example, 0 certificates\n", ""},
		{"by address", TLS{Roots: a.roots()}, "sni , 0 certificates\n", ""},
		{"another name", TLS{ServerName: "new.example", Roots: a.roots()}, "", "certificate is valid for old.example, not new.example"},
		{"unknown authority", TLS{ServerName: "old.example"}, "", "unknown authority"},
		{"unknown authority, but insecure", TLS{Insecure: true}, "sni , 0 certificates\n", ""},
		{"ALPN", TLS{Insecure: true, ALPN: []string{"lobby"}}, "sni , 0 certificates\n", ""},
		{"another ALPN", TLS{Insecure: true, ALPN: []string{"game"}}, "", "no application protocol"},
		{"client certificate", TLS{Insecure: true, Certificates: []tls.Certificate{a.issue(t, "prober")}}, "sni , 1 certificates\n", ""},
		{"too old", TLS{Insecure: true, MinVersion: tls.VersionTLS13}, "", "protocol version"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			exchange, err := Layers{TLS: &row.tls}.Around(banner())
			require.NoError(t, err)
			port := port
			port.Exchange = exchange
			for _, f := range sample(t, Options{Ports: []Port{port}, Count: 2}) {
				if row.err != "" {
					require.Equal(t, Faulty, f.Class)
					require.ErrorContains(t, f.Err, row.err)
					continue
				}
				require.Equal(t, Answered, f.Class, "%v", f.Err)
				require.Equal(t, row.answer, string(f.Answer))
			}
		})
	}
}

func TestTLSThatIsNone(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		serve func(net.Conn)
		class Class
		err   string
	}{
		{"in the clear", say("220 smtp.example\r\n"), Faulty, `the server does not speak TLS: it begins with "220 s"`},
		{"hangs up", func(net.Conn) {}, Faulty, "EOF"},
		{"says nothing", hush, Timeout, "i/o timeout"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			port := serveTCP(t, "127.0.0.1", func(c net.Conn) {
				if row.class == Faulty {
					_, _ = c.Read(make([]byte, 4096)) // what is not read resets the connection
				}
				row.serve(c)
			})
			port.Exchange, port.Timeouts.TLS = preset(t, "tls"), 100*time.Millisecond
			for _, f := range sample(t, Options{Ports: []Port{port}, Count: 2, Timeout: time.Minute}) {
				require.Equal(t, row.class, f.Class, "%v", f.Err)
				require.ErrorContains(t, f.Err, row.err)
			}
		})
	}
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{newAuthority(t).issue(t, "x")}, NextProtos: []string{"h2", "http/1.1"}}
	heard := make(chan string, 8)
	port := serveTLS(t, config, func(c net.Conn) {
		heard <- hear(c)
		say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnew\n")(c)
	}, nil)
	named, err := Layers{TLS: &TLS{Insecure: true, ServerName: "lobby.example"}}.Around(Get("/version", ""))
	require.NoError(t, err)
	for begin, exchange := range map[string]Exchange{
		fmt.Sprintf("GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n", port.Number):            preset(t, "https"),
		fmt.Sprintf("GET /version HTTP/1.1\r\nHost: lobby.example:%d\r\n", port.Number): named,
	} {
		port.Exchange = exchange
		for _, f := range sample(t, Options{Ports: []Port{port}, Count: 2}) {
			require.Equal(t, Answered, f.Class, "%v", f.Err)
			require.Equal(t, Canary, f.Version)
			require.Equal(t, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnew\n", string(f.Answer))
			require.Contains(t, <-heard, begin)
		}
	}
}

// TestHeldTLS holds flows open inside of TLS: https is asked again on the same
// connection, and the tls preset watches its own.
func TestHeldTLS(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{newAuthority(t).issue(t, "x")}}
	var l lobby
	port := serveTLS(t, config, func(c net.Conn) {
		for hear(c) != "" {
			l.lines.Add(1)
			say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nold web-1\n")(c)
		}
	}, nil)
	port.Exchange = preset(t, "https")
	h := holding(t, often, 4, port)
	await(t, &l.lines, 20)
	requireAlive(t, h, Stable, "web-1")

	watched := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{newAuthority(t).issue(t, "old")}}, hush, nil)
	watched.Exchange = preset(t, "tls")
	for _, f := range holding(t, often, 2, watched).Flows() {
		require.NoError(t, f.Err)
		require.Equal(t, Stable, f.Version)
		require.True(t, f.Watched)
	}
}

func preset(tb testing.TB, name string) Exchange {
	tb.Helper()
	e, err := Preset(name)
	require.NoError(tb, err)
	return e
}
