package probe

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// TLS is how a flow secures itself. Its zero value verifies the server's certificate
// for the address against the roots of this machine.
type TLS struct {
	ServerName   string // SNI, and the name that the certificate must be for; empty: the address, and no SNI
	ALPN         []string
	Roots        *x509.CertPool // nil: those of this machine
	Insecure     bool           // take any certificate
	Certificates []tls.Certificate
	MinVersion   uint16 // 0: TLS 1.2
}

// handshake puts TLS over the connection. Sessions are never resumed: a resumed one
// would show no certificate.
func (t *TLS) handshake(c *conversation) error {
	if err := c.phase(c.limits.TLS); err != nil {
		return err
	}
	config := &tls.Config{
		ServerName: t.ServerName, NextProtos: t.ALPN, RootCAs: t.Roots, InsecureSkipVerify: t.Insecure,
		Certificates: t.Certificates, MinVersion: max(t.MinVersion, tls.VersionTLS10),
	}
	if t.MinVersion == 0 {
		config.MinVersion = tls.VersionTLS12
	}
	if t.ServerName == "" {
		config.ServerName = c.target.Addr().WithZone("").String()
	}
	over := tls.Client(wire{c}, config)
	if err := over.Handshake(); err != nil { //nolint:noctx // the conversation's deadline ends it, and cut
		return unsecured(err)
	}
	c.over, c.name = over, t.ServerName
	return c.phase(c.limits.FirstByte)
}

// unsecured words a handshake that failed. A connection that ends in the middle of it
// is what it is to any other exchange.
func unsecured(err error) error {
	if class := classOf(err); class == Timeout || class == Reset {
		return err
	}
	if header, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Errorf("the server does not speak TLS: it begins with %q", header.RecordHeader[:])
	}
	return fmt.Errorf("TLS handshake: %w", err)
}

// certificate is the exchange that ends with the handshake: what TLS says of the server
// is the answer.
type certificate struct{}

func (certificate) String() string { return "tls" }

func (certificate) speaks(p Protocol) bool { return p == TCP }

func (certificate) hold(c *conversation) error {
	over, ok := c.over.(*tls.Conn)
	if !ok {
		return errors.New("there is no TLS whose certificate could be asked for")
	}
	if c.heard.IsZero() {
		c.heard = time.Now()
	}
	c.answer = describe(over.ConnectionState())
	return nil
}

// describe puts what a handshake showed into lines that patterns can match. What is
// absent has no line.
func describe(state tls.ConnectionState) []byte {
	var b strings.Builder
	line := func(key string, values ...string) {
		for _, value := range values {
			if value != "" {
				fmt.Fprintf(&b, "%s: %s\n", key, strings.Map(printable, value))
			}
		}
	}
	line("version", tls.VersionName(state.Version))
	line("alpn", state.NegotiatedProtocol)
	if len(state.PeerCertificates) == 0 {
		return []byte(b.String())
	}
	leaf := state.PeerCertificates[0]
	line("subject", leaf.Subject.String())
	line("cn", leaf.Subject.CommonName)
	line("issuer", leaf.Issuer.String())
	line("serial", fmt.Sprintf("%x", leaf.SerialNumber))
	line("fingerprint", fingerprint(leaf))
	line("dns", leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		line("ip", ip.String())
	}
	for _, uri := range leaf.URIs {
		line("uri", uri.String())
	}
	line("email", leaf.EmailAddresses...)
	return []byte(b.String())
}

// fingerprint is what "openssl x509 -fingerprint -sha256" shows, without the colons.
func fingerprint(c *x509.Certificate) string { return fmt.Sprintf("%x", sha256.Sum256(c.Raw)) }

// printable keeps what a stranger wrote into a certificate on its line.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

// wire is the connection as TLS takes it. Its deadlines are the conversation's.
type wire struct{ c *conversation }

// Read passes on that time is up as TLS expects it: then it can read again later. A
// file's own error would end the session.
func (w wire) Read(p []byte) (int, error) {
	n, err := w.c.socket.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

func (w wire) Write(p []byte) (int, error)    { return w.c.socket.Write(p) }
func (wire) Close() error                     { return nil } // the conversation does
func (wire) LocalAddr() net.Addr              { return nil }
func (wire) RemoteAddr() net.Addr             { return nil }
func (wire) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (wire) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (wire) SetWriteDeadline(time.Time) error { return nil } // asked for by CloseWrite
