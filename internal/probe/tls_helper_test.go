package probe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// authority signs the certificates of a test.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	serial      int64
}

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	a := &authority{serial: 1}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(tb, err)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	require.NoError(tb, err)
	a.certificate, err = x509.ParseCertificate(der)
	require.NoError(tb, err)
	return a
}

func (a *authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// issue makes a certificate for NAME.example and 127.0.0.1.
func (a *authority) issue(tb testing.TB, name string) tls.Certificate {
	tb.Helper()
	a.serial += 0x1000
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: name, Organization: []string{"Acme\nInc"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name + ".example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		URIs: []*url.URL{{Scheme: "spiffe", Host: "acme", Path: "/" + name}}, EmailAddresses: []string{name + "@acme.example"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(tb, err)
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	require.NoError(tb, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serveTLS answers over TLS, and sends how each connection ended to ends, if that is
// not nil: nil is a close_notify and a FIN.
func serveTLS(tb testing.TB, config *tls.Config, handle func(net.Conn), ends chan<- error) Port {
	tb.Helper()
	return serveTCP(tb, "127.0.0.1", func(c net.Conn) { endTLS(tls.Server(c, config), c, handle, ends) })
}

func endTLS(over *tls.Conn, raw net.Conn, handle func(net.Conn), ends chan<- error) {
	if over.Handshake() != nil { //nolint:noctx // the prober hangs up
		return
	}
	handle(over)
	if ends == nil {
		_ = over.Close()
		return
	}
	for buffer := make([]byte, 100); ; {
		// io.EOF from TLS is a close_notify; without one it is io.ErrUnexpectedEOF.
		if _, err := over.Read(buffer); err != nil {
			if err.Error() == "EOF" {
				_, err = raw.Read(buffer)
			}
			ends <- err
			return
		}
	}
}
