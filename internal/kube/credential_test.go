package kube

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// TestKubeconfigInEveryShape: what editors, secrets and shells make of a text.
func TestKubeconfigInEveryShape(t *testing.T) {
	t.Parallel()
	text := config("blue", "game")
	crlf := strings.ReplaceAll(text, "\n", "\r\n")
	packed := base64.StdEncoding.EncodeToString([]byte(text))
	var wrapped strings.Builder
	for at := 0; at < len(packed); at += 64 {
		wrapped.WriteString(packed[at:min(at+64, len(packed))] + "\r\n")
	}
	for name, value := range map[string]string{
		"CRLF":                            crlf,
		"byte order mark":                 "\ufeff" + text,
		"byte order mark and CRLF":        "\ufeff" + crlf,
		"base64 of CRLF":                  base64.StdEncoding.EncodeToString([]byte(crlf)),
		"base64 of a byte order mark":     base64.StdEncoding.EncodeToString([]byte("\ufeff" + text)),
		"base64 behind a byte order mark": "\ufeff" + packed,
		"base64 wrapped with CRLF":        wrapped.String(),
		"blank lines around it":           "\n\n" + text + "\n\n",
		"a document's beginning":          "---\n" + text,
		"a file with CRLF":                write(t, crlf),
		"a file with a byte order mark":   write(t, "\ufeff"+text),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Connect(Login{Kubeconfig: value})
			require.NoError(t, err)
			require.Equal(t, "blue", got.Context)
			require.Equal(t, "game", got.Namespace)
			require.Equal(t, "https://blue.example.com:6443", got.Config.Host)
			require.Equal(t, []string{"THE-SECRET"}, got.Secrets)
		})
	}
}

// TestConnectWithoutKubeconfig: three inputs stand for one, whatever lies about.
func TestConnectWithoutKubeconfig(t *testing.T) {
	t.Parallel()
	token := "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1790000000}`)) + ".c2ln"
	got, err := Connect(Login{Env: write(t, config("blue", "game")), Home: "/no-home", Server: "https://203.0.113.7:6443", Authority: []byte("PEM"), Token: token})
	require.NoError(t, err)
	require.Equal(t, "https://203.0.113.7:6443", got.Config.Host)
	require.Equal(t, token, got.Config.BearerToken)
	require.Equal(t, []byte("PEM"), got.Config.CAData)
	require.Equal(t, "default", got.Namespace)
	require.Empty(t, got.Context)
	require.Equal(t, "input kube-server", got.Source)
	require.EqualValues(t, 1790000000, got.TokenExpires.Unix())
	require.Equal(t, []string{token}, got.Secrets)
}

// user is a kubeconfig whose user is written in YAML's flow style, and whose cluster has more.
func user(fields, cluster string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: lab
contexts:
- name: lab
  context: {cluster: lab, user: ci}
- name: other
  context: {cluster: lab, user: other}
clusters:
- name: lab
  cluster: {server: "https://203.0.113.7:6443"%s}
users:
- name: ci
  user: {%s}
- name: other
  user: {tokenFile: /nowhere/of/another/context}
`, cluster, fields)
}

// TestWhatIsNotHere: a kubeconfig that is sound on one machine and leads nowhere on another is
// told so in whole sentences.
func TestWhatIsNotHere(t *testing.T) {
	t.Parallel()
	const flatten = "\n  hint: a container action sees nothing of the runner's home; where the files are, " +
		"kubectl config view --raw --flatten --minify makes a kubeconfig that holds them"
	const elsewhere = "install it where this runs, or use a kubeconfig with a token, or kube-server and kube-token" +
		"\n  hint: a container action has none of the runner's programs; the host action has them all"
	for name, row := range map[string]struct{ text, want string }{
		"files of minikube": {
			user("client-certificate: /home/runner/.minikube/profiles/minikube/client.crt, client-key: /home/runner/.minikube/profiles/minikube/client.key",
				", certificate-authority: /home/runner/.minikube/ca.crt"),
			`the kubeconfig input names files that cannot be read here: certificate-authority "/home/runner/.minikube/ca.crt", ` +
				`client-certificate "/home/runner/.minikube/profiles/minikube/client.crt", client-key "/home/runner/.minikube/profiles/minikube/client.key"` + flatten,
		},
		"a file with the token": {
			user("tokenFile: /var/run/secrets/nowhere/token", ""),
			`the kubeconfig input names files that cannot be read here: tokenFile "/var/run/secrets/nowhere/token"` + flatten,
		},
		"a plugin": {
			user("exec: {apiVersion: client.authentication.k8s.io/v1, command: l4-no-such-plugin, interactiveMode: Never}", ""),
			`the kubeconfig input: its exec plugin "l4-no-such-plugin" is not on the PATH: ` + elsewhere,
		},
		"a plugin that says where it comes from": {
			user(`exec: {apiVersion: client.authentication.k8s.io/v1, command: l4-no-such-plugin, interactiveMode: Never, env: [{name: A, value: THE-SECRET}], installHint: "Install it\n::error::now"}`, ""),
			`the kubeconfig input: its exec plugin "l4-no-such-plugin" is not on the PATH: ` + elsewhere +
				"\n  hint: the kubeconfig says of it: \"Install it ::error::now\"",
		},
		"nothing at all": {
			"", `no kubeconfig at /no-home/.kube/config: set the input "kubeconfig" to a path, to YAML or base64 text, or to "in-cluster"` +
				"\n  hint: a secret that does not exist, or that a fork may not have, is empty, and an empty input counts as none",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Connect(Login{Kubeconfig: row.text, Home: "/no-home"})
			require.EqualError(t, err, row.want)
		})
	}
}

// TestFilesThatDoNotMatter: nobody is told of files that are not used, or are there.
func TestFilesThatDoNotMatter(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("THE-SECRET-IN-A-FILE\n"), 0o600))
	got, err := Connect(Login{Kubeconfig: user("tokenFile: "+token, ", insecure-skip-tls-verify: true")})
	require.NoError(t, err)
	require.Equal(t, []string{"THE-SECRET-IN-A-FILE"}, got.Secrets)

	_, err = Connect(Login{Kubeconfig: user("token: abcdefgh", ""), Context: "other"})
	require.ErrorContains(t, err, `tokenFile "/nowhere/of/another/context"`)
}

// TestSecrets: tokens, passwords and keys, and nothing that every other line of a log holds.
func TestSecrets(t *testing.T) {
	t.Parallel()
	key := "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBfirst\nsecondLineOfIt\n-----END EC PRIVATE KEY-----\n"
	require.Equal(t, []string{"the-token", "the-password", base64.StdEncoding.EncodeToString([]byte(key)), "MHcCAQEEIBfirst", "secondLineOfIt"},
		secrets(&rest.Config{
			Host: "https://203.0.113.7:6443", Username: "a-user-name", BearerToken: "the-token", Password: "the-password",
			TLSClientConfig: rest.TLSClientConfig{KeyData: []byte(key), CertData: []byte("certificate"), CAData: []byte("authority"), ServerName: "api.example"},
		}))
	require.Empty(t, secrets(&rest.Config{Password: "a"}), "stars in every word hide more than a password of one letter")
}

// TestDevicesAreNoFiles: what never ends is not read.
func TestDevicesAreNoFiles(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/dev/zero", t.TempDir()} {
		_, err := Connect(Login{Kubeconfig: strings.Replace(config("blue", "game"), "token: THE-SECRET", "tokenFile: "+path, 1)})
		require.ErrorContains(t, err, fmt.Sprintf("the kubeconfig input names files that cannot be read here: tokenFile %q", path))
	}
	require.NoError(t, readable(write(t, "")))
}
