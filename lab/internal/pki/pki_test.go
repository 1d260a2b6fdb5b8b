package pki_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/lab/internal/pki"
)

func load(t *testing.T, base string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(base+".crt", base+".key")
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	require.NoError(t, err)
	return cert
}

func TestAuthoritySignsServersAndClients(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	authority, err := pki.NewAuthority("test")
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(authority.PEM()))

	server := filepath.Join(dir, "server")
	request := pki.Request{
		CommonName: "api",
		DNSNames:   []string{"kubernetes"},
		Addresses:  []netip.Addr{netip.MustParseAddr("198.18.0.2"), netip.MustParseAddr("fd00::2")},
	}
	require.NoError(t, authority.Write(server, request))
	for _, name := range []string{"kubernetes", "198.18.0.2", "fd00::2"} {
		_, err = load(t, server).Verify(x509.VerifyOptions{Roots: roots, DNSName: name})
		require.NoError(t, err, name)
	}
	_, err = load(t, server).Verify(x509.VerifyOptions{Roots: roots, DNSName: "198.18.0.3"})
	require.Error(t, err)

	client := filepath.Join(dir, "client")
	require.NoError(t, authority.Write(client, pki.Request{CommonName: "kube-apiserver", Organization: []string{"system:masters"}}))
	cert := load(t, client)
	_, err = cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	require.NoError(t, err)
	require.Equal(t, []string{"system:masters"}, cert.Subject.Organization)
	require.NotEqual(t, load(t, server).SerialNumber, cert.SerialNumber)
}

func TestKeysAreSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, pki.WriteServiceAccountKey(filepath.Join(dir, "sa")))
	info, err := os.Stat(filepath.Join(dir, "sa.key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	public, err := os.ReadFile(filepath.Join(dir, "sa.pub"))
	require.NoError(t, err)
	block, _ := pem.Decode(public)
	_, err = x509.ParsePKIXPublicKey(block.Bytes)
	require.NoError(t, err)
}
