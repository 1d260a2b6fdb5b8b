package spec_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/spec"
)

// hold has one flow say what the text says to a server, and returns the answer.
func hold(t *testing.T, text string, s source, handle func(net.Conn)) (probe.Flow, spec.Probes) {
	t.Helper()
	var listening net.ListenConfig
	listener, err := listening.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, failed := listener.Accept()
		if failed == nil {
			handle(conn)
			conn.Close()
		}
	}()
	defer func() {
		listener.Close()
		<-done
	}()
	probes, err := spec.Load(text, s.spec())
	require.NoError(t, err)
	port, err := probes.Only(spec.Port{Number: uint16(listener.Addr().(*net.TCPAddr).Port)})
	require.NoError(t, err)
	sampler, err := probe.NewSampler(probe.Options{
		Ports: []probe.Port{port}, Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Count: 1, Timeout: 5 * time.Second,
	})
	require.NoError(t, err)
	var flow probe.Flow
	for flow = range sampler.Flows(t.Context()) {
		require.Zero(t, flow.Index)
	}
	return flow, probes
}

// TestConversation: escapes, hexadecimal digits, the environment and captures come to
// the bytes that are sent, and what is put in is not looked at again.
func TestConversation(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 4)
	flow, probes := hold(t, `
steps:
  - until: line
    expect: 'nonce (?P<nonce>\S+) (\d)'
  - send: 'AUTH ${USER_NAME} ${TOKEN} ${1.nonce} ${1.2}$${x} \x41\t$5\r\n'
    until: line
    expectHex: 2b 4f 4b
  - sendHex: "00 ff 0a"
    until: 3
  - send: "LIST\n"
    until: close
    expect: '(?s)first.*last'
goodbye: '${TOKEN}\n'
`, source{env: map[string]string{"TOKEN": `hunter2\r${1.2}`, "USER_NAME": "me"}}, func(c net.Conn) {
		lines := bufio.NewReader(c)
		hear := func(answer string) {
			line, _ := lines.ReadString('\n') // what is missing shows in the comparison
			heard <- line
			_, _ = io.WriteString(c, answer)
		}
		_, _ = io.WriteString(c, "nonce \\n${TOKEN} 7\n")
		hear("+OK\n")
		hear("abc")
		hear("first\nlast")
		_ = c.(*net.TCPConn).CloseWrite()
		hear("")
	})
	require.Equal(t, probe.Answered, flow.Class, "%v", flow.Err)
	require.Equal(t, "nonce \\n${TOKEN} 7\n+OK\nabcfirst\nlast", string(flow.Answer))
	require.Equal(t, "AUTH me hunter2\\r${1.2} \\n${TOKEN} 7${x} A\t$5\r\n", <-heard)
	require.Equal(t, "\x00\xff\n", <-heard)
	require.Equal(t, "LIST\n", <-heard)
	require.Equal(t, "hunter2\\r${1.2}\n", <-heard)
	require.Equal(t, []string{`hunter2\r${1.2}`, "me"}, probes.Secrets)
}

// TestSecretWithinAnother: of a password that begins as the user's name does, nothing is left
// in an answer.
func TestSecretWithinAnother(t *testing.T) {
	t.Parallel()
	flow, probes := hold(t, "steps: [{send: '${NAME} ${PASSWORD}\\n', until: line}]", source{
		env: map[string]string{"NAME": "ci-lobby", "PASSWORD": "ci-lobby-7f3a"},
	}, func(c net.Conn) {
		line, _ := bufio.NewReader(c).ReadString('\n')
		_, _ = io.WriteString(c, line)
	})
	require.Equal(t, probe.Answered, flow.Class, "%v", flow.Err)
	require.Equal(t, "*** ***\n", string(flow.Answer))
	require.Equal(t, []string{"ci-lobby-7f3a", "ci-lobby"}, probes.Secrets)
}

// TestHTTPKeys: path and host stand in the request.
func TestHTTPKeys(t *testing.T) {
	t.Parallel()
	request := make(chan string, 1)
	flow, _ := hold(t, "{preset: http, path: '/v?t=${TOKEN}', host: lobby.example}", source{env: map[string]string{"TOKEN": "x"}}, func(c net.Conn) {
		line := make([]byte, 60)
		_, _ = io.ReadFull(c, line)
		request <- string(line)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		_, _ = io.Copy(io.Discard, c)
	})
	require.Equal(t, probe.Answered, flow.Class, "%v", flow.Err)
	require.Contains(t, <-request, "GET /v?t=x HTTP/1.1\r\nHost: lobby.example\r\n")
}

// pair is a certificate for lobby.example, its own authority, as PEM.
func pair(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), DNSNames: []string{"lobby.example"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	block := func(kind string, data []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}))
	}
	return block("CERTIFICATE", der), block("PRIVATE KEY", secret)
}

// TestTLSKeys: authority, name, protocol, version and client certificate, from a file,
// from the environment and written out.
func TestTLSKeys(t *testing.T) {
	t.Parallel()
	certificate, key := pair(t)
	loaded, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	require.NoError(t, err)
	config := &tls.Config{Certificates: []tls.Certificate{loaded}, ClientAuth: tls.RequireAnyClientCert, NextProtos: []string{"lobby"}}
	shown := make(chan string, 1)
	flow, probes := hold(t, "tls:\n  sni: lobby.example\n  alpn: [lobby]\n  minVersion: 1.3\n  ca: ca.pem\n  key: ${CLIENT_KEY}\n  certificate: |\n    "+
		indent(certificate), source{
		env: map[string]string{"CLIENT_KEY": key}, files: map[string]string{"ca.pem": certificate},
	}, func(c net.Conn) {
		server := tls.Server(c, config)
		_, _ = server.Read(make([]byte, 1))
		state := server.ConnectionState()
		shown <- fmt.Sprint(state.ServerName, len(state.PeerCertificates), tls.VersionName(state.Version))
	})
	require.Equal(t, probe.Answered, flow.Class, "%v", flow.Err)
	require.Equal(t, "lobby.example1TLS 1.3", <-shown)
	require.Contains(t, string(flow.Answer), "alpn: lobby\nserial: 7\n")
	require.Equal(t, []string{key}, probes.Secrets)
}

func TestTLSProblems(t *testing.T) {
	t.Parallel()
	certificate, key := pair(t)
	other, _ := pair(t)
	s := source{env: map[string]string{"KEY": "hunter2"}, files: map[string]string{"c.pem": certificate, "k.pem": key, "o.pem": other, "no.pem": "none"}}
	for text, want := range map[string]string{
		"{ca: no.pem}":                             "tls.ca: it holds no certificate in PEM",
		"{ca: c.pem, insecure: true}":              "tls.ca: insecure takes any certificate: leave one of them out",
		"{ca: nowhere.pem}":                        "tls.ca: it has to be PEM, or the name of a file: open nowhere.pem: file does not exist",
		"{certificate: c.pem, key: '${KEY}'}":      "tls.key: it has to be PEM, or the name of a file: what comes of the environment is neither",
		"{certificate: o.pem, key: k.pem}":         "tls.certificate: with the key it makes no pair: private key does not match public key",
		"{certificate: c.pem}":                     "tls: certificate and key go together",
		"{certificate: c.pem, key: k.pem, alp: x}": "tls: key \"alp\" is unknown: allowed are sni, alpn, ca, insecure, certificate, key and minVersion",
	} {
		_, err := spec.Parse("port: 1\ntls: "+text, s.spec())
		require.EqualError(t, err, "port 1: "+want, text)
	}
}

// indent puts text below a key.
func indent(text string) string {
	out := ""
	for _, r := range text {
		out += string(r)
		if r == '\n' {
			out += "    "
		}
	}
	return out
}

// TestServersThatPunish: auto leaves alone what would lock the prober out.
func TestServersThatPunish(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		port    spec.Port
		refused string
	}{
		{spec.Port{Number: 3306, Protocol: probe.TCP}, "MySQL"},
		{spec.Port{Number: 13306, Name: "mysql-read", Protocol: probe.TCP}, "MySQL"},
		{spec.Port{Number: 1, AppProtocol: "mariadb", Protocol: probe.TCP}, "MySQL"},
		{spec.Port{Number: 22, Protocol: probe.TCP}, "SSH"},
		{spec.Port{Number: 2222, Name: "ssh", Protocol: probe.TCP}, "SSH"},
		{spec.Port{Number: 22, Name: "lobby", Protocol: probe.TCP}, ""},
		{spec.Port{Number: 3306, Name: "http", Protocol: probe.TCP}, ""},
		{spec.Port{Number: 3306, Protocol: probe.UDP}, ""},
	} {
		probes, err := spec.Word(spec.Auto)
		require.NoError(t, err)
		_, _, err = probes.Ports([]spec.Port{row.port})
		if row.refused == "" {
			require.NoError(t, err, "%+v", row.port)
			continue
		}
		require.ErrorContains(t, err, "auto does not ask "+row.refused)
		probes, err = spec.Word("tcp")
		require.NoError(t, err)
		_, _, err = probes.Ports([]spec.Port{row.port})
		require.NoError(t, err, "whoever says tcp means it")
	}
}
