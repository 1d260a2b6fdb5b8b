package kube

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// config is a kubeconfig with one context.
func config(name, namespace string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: %[1]s
contexts:
- name: %[1]s
  context: {cluster: %[1]s, user: %[1]s, namespace: %[2]q}
clusters:
- name: %[1]s
  cluster: {server: "https://%[1]s.example.com:6443"}
users:
- name: %[1]s
  user: {token: THE-SECRET}
`, name, namespace)
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestConnectFindsTheKubeconfig(t *testing.T) {
	t.Parallel()
	blue, green := write(t, config("blue", "game")), write(t, config("green", ""))
	home := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(home, ".kube"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(home, ".kube", "config"), []byte(config("home", "mine")), 0o600))
	packed := base64.StdEncoding.EncodeToString([]byte(config("blue", "game")))
	both := green + string(filepath.ListSeparator) + blue
	rows := []struct {
		name                       string
		login                      Login
		context, namespace, source string
	}{
		{"path", Login{Kubeconfig: blue, Env: green, Home: home}, "blue", "game", blue},
		{"YAML", Login{Kubeconfig: config("blue", "game")}, "blue", "game", "the kubeconfig input"},
		{"JSON on one line", Login{Kubeconfig: `{"apiVersion":"v1","kind":"Config","current-context":"blue","contexts":[{"name":"blue","context":{"cluster":"blue","namespace":"game"}}],"clusters":[{"name":"blue","cluster":{"server":"https://blue.example.com:6443"}}]}`},
			"blue", "game", "the kubeconfig input"},
		{"base64", Login{Kubeconfig: packed}, "blue", "game", "the kubeconfig input"},
		{"base64, wrapped as base64(1) does", Login{Kubeconfig: regexp.MustCompile(`.{76}`).ReplaceAllString(packed, "$0\n") + "\n"}, "blue", "game", "the kubeconfig input"},
		{"base64 without padding", Login{Kubeconfig: base64.RawStdEncoding.EncodeToString([]byte(config("blue", "game")))}, "blue", "game", "the kubeconfig input"},
		{"$KUBECONFIG", Login{Env: green, Home: home}, "green", "default", "$KUBECONFIG (" + green + ")"},
		{"$KUBECONFIG with two files: the first one's context", Login{Env: both}, "green", "default", "$KUBECONFIG (" + both + ")"},
		{"$KUBECONFIG with two files: a context of the second", Login{Env: both, Context: "blue"}, "blue", "game", "$KUBECONFIG (" + both + ")"},
		{"$KUBECONFIG with a file that is not there", Login{Env: filepath.Join(home, "none") + string(filepath.ListSeparator) + blue}, "blue", "game",
			"$KUBECONFIG (" + filepath.Join(home, "none") + string(filepath.ListSeparator) + blue + ")"},
		{"the usual place", Login{Home: home}, "home", "mine", filepath.Join(home, ".kube", "config")},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := Connect(row.login)
			require.NoError(t, err)
			require.Equal(t, row.context, got.Context)
			require.Equal(t, row.namespace, got.Namespace)
			require.Equal(t, row.source, got.Source)
			require.Equal(t, "https://"+row.context+".example.com:6443", got.Config.Host)
		})
	}
}

func TestConnectRefuses(t *testing.T) {
	t.Parallel()
	cut := base64.StdEncoding.EncodeToString([]byte(config("blue", "game")))
	rows := []struct {
		name  string
		login Login
		says  string
	}{
		{"nothing anywhere", Login{Home: "/no-home"}, `no kubeconfig at /no-home/.kube/config: set the input "kubeconfig"`},
		{"a path that is not there", Login{Kubeconfig: "/no/such/file"}, "no kubeconfig at /no/such/file"},
		{"base64 that was cut off", Login{Kubeconfig: cut[:len(cut)/2] + "%"}, `input "kubeconfig" is neither a path nor a readable kubeconfig`},
		{"a token", Login{Kubeconfig: "eyJhbGciOiJSUzI1NiIsImtpZCI6IlRIRS1TRUNSRVQifQ.eyJpc3MiOiJrdWJlcm5ldGVzL3NlcnZpY2VhY2NvdW50Iiwic3ViIjoic3lzdGVtOnNlcnZpY2VhY2NvdW50OmdhbWU6Y2kifQ.c2ln"},
			`input "kubeconfig" is neither a path nor a readable kubeconfig`},
		{"another context", Login{Kubeconfig: config("blue", "game"), Context: "green"}, `the kubeconfig input has no context "green": allowed are "blue"`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := Connect(row.login)
			require.ErrorContains(t, err, row.says)
			require.NotContains(t, err.Error(), "SECRET")
			require.NotContains(t, err.Error(), "eyJ")
			require.NotContains(t, err.Error(), cut[:20])
		})
	}
}

// A runner in a cluster must not deploy there because a secret is empty.
func TestConnectNeverGuessesTheClusterItRunsIn(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "443")
	for _, login := range []Login{
		{Home: t.TempDir()},
		{Home: t.TempDir(), Env: filepath.Join(t.TempDir(), "none")},
		{Kubeconfig: write(t, "")},
		{Kubeconfig: "in-cluste"},
		{Kubeconfig: write(t, "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n- name: a\n  context: {cluster: gone}\n")},
	} {
		connection, err := Connect(login)
		require.Error(t, err)
		require.Nil(t, connection)
	}
	_, err := Connect(Login{Kubeconfig: inCluster})
	require.ErrorContains(t, err, `input "kubeconfig" is "in-cluster"`) // there is no token here: it was tried
}

// TestAddressesWithPasswords: they are shown without, and nothing that a log could hold of them
// is left out of what is starred.
func TestAddressesWithPasswords(t *testing.T) {
	t.Parallel()
	text := strings.Replace(config("blue", "game"), "https://blue.example.com:6443",
		`https://ci:pass-of-the-server@blue.example.com:6443", proxy-url: "http://ci:pass-of-the-proxy@proxy:3128`, 1)
	found, err := Connect(Login{Kubeconfig: text})
	require.NoError(t, err)
	require.Equal(t, "https://ci:xxxxx@blue.example.com:6443", found.Server())
	require.Subset(t, found.Secrets, []string{"pass-of-the-server", "pass-of-the-proxy"})
	require.Equal(t, "no address %", (&Connection{Config: &rest.Config{Host: "no address %"}}).Server())
}

// TestEncoded: what is rather a secret than a path is not shown as one.
func TestEncoded(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"eyJhbGciOiJSUzI1NiJ9.e30.c2ln": true, "VEhFLVNFQ1JFVC1UT0tFTiBpcyBsb25n": true,
		"/home/runner/work/temp/kubeconfig/of/it": false, "k8s/kubeconfig": false, "kubeconfig": false, "ci.kubeconfig.yaml.of.the.project": false,
	} {
		require.Equal(t, want, encoded(value), value)
	}
}
