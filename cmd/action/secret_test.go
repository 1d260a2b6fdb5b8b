package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/executable"
)

// plantedKey is where a script's private key is kept, as a *string.
type plantedKey struct{}

// marks are what the scripts plant in every place that a secret can come from, whole or in
// the base64 that a kubeconfig has it in. A key made for the script comes on top.
func marks(ts *testscript.TestScript) []string {
	all := []string{secretToken, metricPassword, "THE-SECRET", "MARKED-1", forgeToken}
	if key, ok := ts.Value(plantedKey{}).(*string); ok && *key != "" {
		for line := range strings.Lines(*key) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") {
				all = append(all, line)
			}
		}
		all = append(all, base64.StdEncoding.EncodeToString([]byte(*key)))
	}
	for _, mark := range all[:5] {
		all = append(all, base64.StdEncoding.EncodeToString([]byte(mark)))
	}
	return all
}

// leaks are the marks that a text holds. What the runner is told to star out, it does.
func leaks(text string, marks []string) []string {
	var rest strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "::add-mask::") {
			rest.WriteString(line)
		}
	}
	var found []string
	for _, mark := range marks {
		if strings.Contains(rest.String(), mark) {
			found = append(found, mark)
		}
	}
	return found
}

// clean fails if what the last program wrote, or any file of out/, holds a secret. Arguments name
// files of out/ that have to be there, so that the search says something.
func clean(ts *testscript.TestScript, neg bool, args []string) {
	texts := map[string]string{"stdout": ts.ReadFile("stdout"), "stderr": ts.ReadFile("stderr")}
	out := filepath.Join(ts.Getenv("WORK"), "out")
	ts.Check(filepath.WalkDir(out, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		texts[strings.TrimPrefix(path, out+"/")] = string(data)
		return err
	}))
	for _, name := range args {
		if texts[name] == "" {
			ts.Fatalf("%s is missing or empty", name)
		}
	}
	found := 0
	for name, text := range texts {
		for _, mark := range leaks(text, marks(ts)) {
			found++
			if !neg {
				ts.Fatalf("%s holds the secret %q:\n%s", name, mark, text)
			}
		}
	}
	if neg && found == 0 {
		ts.Fatalf("no secret was found")
	}
	ts.Check(os.RemoveAll(out))
	ts.Check(os.Mkdir(out, 0o755))
}

// plant writes kubeconfigs beside cluster.yaml, for the same server: key.yaml with a client
// certificate, broken-key.yaml with one that cannot be read, basic.yaml with a password,
// proxied.yaml with one in each of its addresses, and plugin.yaml with an exec plugin that
// writes down in child/ what the process list shows of it; that of failing.yaml fails, and
// that of missing.yaml is not there.
func plant(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: plant")
	}
	work := ts.Getenv("WORK")
	certificate, key := keyPair(ts)
	ts.Check(os.MkdirAll(filepath.Join(work, "out"), 0o755))
	base := ts.ReadFile("cluster.yaml")
	token := fmt.Sprintf("user: {token: %s}", secretToken)
	for name, user := range map[string]string{
		"key.yaml": fmt.Sprintf("user: {client-certificate-data: %s, client-key-data: %s}",
			base64.StdEncoding.EncodeToString([]byte(certificate)), base64.StdEncoding.EncodeToString([]byte(key))),
		"broken-key.yaml": "user: {client-certificate-data: TUFSS0VELTE=, client-key-data: TUFSS0VELTE=}",
		"basic.yaml":      "user: {username: ci, password: MARKED-1}",
		"plugin.yaml": fmt.Sprintf("user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: %q, interactiveMode: Never, env: [{name: PLUGIN_KEY, value: MARKED-1}]}}",
			filepath.Join(work, "plugin.sh")),
		"failing.yaml": fmt.Sprintf("user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: %q, args: [fail], interactiveMode: Never, env: [{name: PLUGIN_KEY, value: MARKED-1}]}}",
			filepath.Join(work, "plugin.sh")),
		"missing.yaml": "user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: l4-no-such-plugin, interactiveMode: Never, env: [{name: PLUGIN_KEY, value: MARKED-1}]}}",
	} {
		ts.Check(os.WriteFile(filepath.Join(work, name), []byte(strings.Replace(base, token, user, 1)), 0o600))
	}
	ts.Check(os.WriteFile(filepath.Join(work, "proxied.yaml"), []byte(strings.Replace(base, "server: https://",
		"proxy-url: http://ci:MARKED-1@127.0.0.1:1\n    server: https://ci:MARKED-1@", 1)), 0o600))
	ts.Check(executable.Write(filepath.Join(work, "plugin.sh"), fmt.Sprintf(`#!/bin/sh
[ "$1" = fail ] && exit 1
mkdir -p %[1]s/out/child
tr '\0' '\n' <"/proc/$$/environ" | grep -v '^PLUGIN_KEY=\|^METRIC_PASSWORD=\|^PROBE_KEY=' >%[1]s/out/child/environ
tr '\0' '\n' <"/proc/$$/cmdline" >%[1]s/out/child/cmdline
tr '\0' '\n' <"/proc/$PPID/cmdline" >%[1]s/out/child/parent
echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "%[2]s"}}'
`, work, secretToken)))
}

// keyPair is a certificate that signs itself and its key, which becomes a mark.
func keyPair(ts *testscript.TestScript) (certificate, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	ts.Check(err)
	secret, err := x509.MarshalECPrivateKey(private)
	ts.Check(err)
	key = string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}))
	planted, _ := ts.Value(plantedKey{}).(*string)
	*planted = key
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), key
}

// TestLeaks: the search finds what it is to find.
func TestLeaks(t *testing.T) {
	t.Parallel()
	marks := []string{"MARKED-1", "hunter2"}
	require.Empty(t, leaks("::add-mask::MARKED-1\nfine\n", marks))
	require.Equal(t, []string{"MARKED-1"}, leaks("::add-mask::hunter2\n  ::add-mask::MARKED-1\n", marks))
	require.Equal(t, marks, leaks("hunter2MARKED-1", marks))
}
