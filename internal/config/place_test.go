package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/config"
)

// certificate is one that signs itself, and its key, as PEM.
func certificate(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	secret, err := x509.MarshalECPrivateKey(private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}))
}

const (
	apiServer = "https://203.0.113.7:6443"
	tokenText = "eyJhbGciOi-HUNTER2"
)

// TestClusterWithoutKubeconfig: the three inputs in every form that they may have.
func TestClusterWithoutKubeconfig(t *testing.T) {
	t.Parallel()
	authority, _ := certificate(t)
	packed := base64.StdEncoding.EncodeToString([]byte(authority))
	for name, given := range map[string]string{
		"PEM":               authority,
		"PEM with CRLF":     strings.ReplaceAll(authority, "\n", "\r\n"),
		"base64":            packed,
		"wrapped base64":    packed[:76] + "\n" + packed[76:152] + "\r\n" + packed[152:],
		"without padding":   strings.TrimRight(packed, "="),
		"text before it":    "subject=CN = lab\n" + authority,
		"two":               authority + authority,
		"none":              "",
		"blanks around it":  "  \n" + authority + "\n\n",
		"base64 with blank": " " + packed + " ",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, err := config.ParseStatus(load(t, "status", map[string]string{
				"kube-server": apiServer, "kube-ca": given, "kube-token": " " + tokenText + "\n", "namespace": "game",
			}))
			require.NoError(t, err)
			require.Equal(t, apiServer, status.Server)
			require.Equal(t, tokenText, status.Token)
			require.Empty(t, status.Kubeconfig)
			if given == "" {
				require.Nil(t, status.Authority)
				return
			}
			block, _ := pem.Decode(status.Authority)
			require.NotNil(t, block)
			require.Equal(t, "CERTIFICATE", block.Type)
		})
	}
}

// TestClusterNamedTwice: what contradicts itself is an error of the inputs, all of it at once,
// and no secret is in it.
func TestClusterNamedTwice(t *testing.T) {
	t.Parallel()
	authority, key := certificate(t)
	for name, row := range map[string]struct {
		given map[string]string
		want  string
	}{
		"beside a kubeconfig": {map[string]string{"kubeconfig": "kc.yaml", "kube-server": apiServer, "kube-ca": authority, "kube-token": tokenText},
			`input "kube-server": "https://203.0.113.7:6443" is not allowed: it cannot stand beside a kubeconfig: give one or the other
input "kube-ca": it cannot stand beside a kubeconfig: give one or the other
input "kube-token": it cannot stand beside a kubeconfig: give one or the other`},
		"beside in-cluster": {map[string]string{"kubeconfig": "in-cluster", "kube-server": apiServer, "kube-token": tokenText},
			`input "kube-server": "https://203.0.113.7:6443" is not allowed: it cannot stand beside a kubeconfig: give one or the other
input "kube-token": it cannot stand beside a kubeconfig: give one or the other`},
		"no token": {map[string]string{"kube-server": apiServer},
			"input \"kube-token\": missing beside input \"kube-server\"\n  hint: a secret that does not exist is empty"},
		"no server": {map[string]string{"kube-ca": authority, "kube-token": tokenText},
			`input "kube-ca": input "kube-server" is missing beside it
input "kube-token": input "kube-server" is missing beside it`},
		"a context": {map[string]string{"kube-server": apiServer, "kube-token": tokenText, "context": "prod"},
			`input "context": "prod" is not allowed: it is of a kubeconfig, and input "kube-server" stands for one`},
		"no TLS": {map[string]string{"kube-server": "http://203.0.113.7:8080", "kube-token": tokenText},
			`input "kube-server": "http://203.0.113.7:8080" is not allowed: an address that begins with https://, such as https://203.0.113.7:6443, and holds no user`},
		"no scheme": {map[string]string{"kube-server": "203.0.113.7:6443", "kube-token": tokenText},
			`input "kube-server": "203.0.113.7:6443" is not allowed: an address that begins with https://, such as https://203.0.113.7:6443, and holds no user`},
		"no host": {map[string]string{"kube-server": "https://:6443", "kube-token": tokenText},
			`input "kube-server": "https://:6443" is not allowed: an address that begins with https://, such as https://203.0.113.7:6443, and holds no user`},
		"two tokens": {map[string]string{"kube-server": apiServer, "kube-token": tokenText + "\n" + tokenText},
			`input "kube-token": a token on one line, without blanks`},
		"a key": {map[string]string{"kube-server": apiServer, "kube-token": tokenText, "kube-ca": authority + key},
			`input "kube-ca": certificates as PEM: it holds a block of type "EC PRIVATE KEY"`},
		"neither PEM nor base64": {map[string]string{"kube-server": apiServer, "kube-token": tokenText, "kube-ca": "/etc/ssl/%"},
			`input "kube-ca": certificates as PEM, or the same in base64`},
		"base64 of something else": {map[string]string{"kube-server": apiServer, "kube-token": tokenText, "kube-ca": "aGVsbG8="},
			`input "kube-ca": certificates as PEM, or the same in base64: it holds none`},
		"a broken one": {map[string]string{"kube-server": apiServer, "kube-token": tokenText, "kube-ca": authority + "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"},
			`input "kube-ca": certificates as PEM: number 2 cannot be read`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.ParseStatus(load(t, "status", row.given))
			require.EqualError(t, err, row.want)
			require.NotContains(t, err.Error(), "HUNTER2")
		})
	}
}

// TestEveryCommandTakesIt: whatever looks for a cluster finds it so.
func TestEveryCommandTakesIt(t *testing.T) {
	t.Parallel()
	given := map[string]string{"kube-server": apiServer, "kube-token": tokenText}
	run, err := config.ParseRun(load(t, "run", with(leastRun(), given)))
	require.NoError(t, err)
	plan, err := config.ParsePlan(load(t, "plan", with(leastRun(), given)))
	require.NoError(t, err)
	rollback, err := config.ParseRollback(load(t, "rollback", given))
	require.NoError(t, err)
	post, err := config.ParsePost(load(t, "post", given))
	require.NoError(t, err)
	doctor, err := config.ParseDoctor(load(t, "doctor", given))
	require.NoError(t, err)
	for _, place := range []config.Place{run.Place, plan.Place, rollback.Place, post.Place, doctor.Place} {
		require.Equal(t, config.Place{Server: apiServer, Token: tokenText}, place)
	}
}

func FuzzClusterWithoutKubeconfig(f *testing.F) {
	f.Add(apiServer, "-----BEGIN CERTIFICATE-----", tokenText)
	f.Add("https://[::1]:6443", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t", "a b")
	f.Add("https://a:b@c", "-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----", "\x00")
	f.Fuzz(func(t *testing.T, server, authority, token string) {
		status, err := config.ParseStatus(load(t, "status", map[string]string{"kube-server": server, "kube-ca": authority, "kube-token": token}))
		if err != nil || status.Server == "" {
			return
		}
		require.True(t, strings.HasPrefix(strings.ToLower(status.Server), "https://"))
		require.NotEmpty(t, status.Token)
		require.NotContains(t, string(status.Authority), "PRIVATE KEY")
	})
}
