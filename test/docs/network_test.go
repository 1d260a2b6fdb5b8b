//go:build e2e

package docs

import (
	"bufio"
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
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

// network is a network namespace in which the servers are that the blocks ask: the lab's
// test server, told to answer a fifth of its flows as the other version, and two more,
// of which every fourth answer is the new version's.
func network(t *testing.T, _ *harness.Lab) *scene {
	t.Helper()
	s := newScene(t)
	s.env = append(s.env, "L4_CANARY_RATE=200")
	name := fmt.Sprintf("l4docs-%d", os.Getpid())
	sh(t, "", "ip", "netns", "add", name)
	t.Cleanup(func() { sh(t, "", "ip", "netns", "delete", name) })
	sh(t, "", "ip", "-n", name, "link", "set", "lo", "up")
	sh(t, "", "ip", "-n", name, "address", "add", "192.0.2.7/32", "dev", "lo")
	s.inside = []string{"ip", "netns", "exec", name}
	s.write(t, "probes.yaml", recipe(t, s.root, "postgres"))

	workload := filepath.Join(t.TempDir(), "workload")
	sh(t, filepath.Join(s.root, "lab"), "go", "build", "-o", workload, "./workload")
	harness.Start(t, t.TempDir(), "ip", "netns", "exec", name, "env", "VERSION=old", "OTHER_VERSION=new", "OTHER_SHARE=0.2", "SEED=1",
		"HTTP_ADDR=off", "UDP_ADDR=off", "HEALTH_ADDR=off", "TCP_ADDR=127.0.0.1:17000", workload)
	require.Eventually(t, func() bool {
		return strings.Contains(sh(t, "", "ip", "netns", "exec", name, "ss", "-Hlnt"), "127.0.0.1:17000 ")
	}, time.Minute, 50*time.Millisecond)

	serve(t, name, "192.0.2.7:6379", redis)
	certificates := map[string]tls.Certificate{"old": certificate(t, "old"), "new": certificate(t, "new")}
	serve(t, name, "192.0.2.7:5432", func(conn net.Conn, version string) error { return postgres(conn, certificates[version]) })
	return s
}

// sampled: the sample passes, and what it prints reads as the page's own, with other
// figures.
func sampled(t *testing.T, s *scene, b Block) {
	t.Helper()
	require.NotEmpty(t, b.Follows)
	require.Equal(t, words(b.Follows), words(s.bash(t, 0, b.Script)))
}

var figure = regexp.MustCompile(`-?\d+(?:\.\d+)?`)

// words are lines without their figures.
func words(text string) []string {
	return strings.Split(strings.TrimSpace(figure.ReplaceAllString(text, "N")), "\n")
}

var samples = regexp.MustCompile(`(?m)^samples +(\d+): (\d+) stable, (\d+) canary, (\d+) unknown, (\d+) failed$`)

// probed: each of the block's samples knows both versions, and every answer.
func probed(t *testing.T, s *scene, b Block) {
	t.Helper()
	found := samples.FindAllStringSubmatch(s.bash(t, 0, b.Script), -1)
	require.Len(t, found, 2)
	for _, m := range found {
		var n [5]float64
		for i := range n {
			count, err := strconv.Atoi(m[i+1])
			require.NoError(t, err)
			n[i] = float64(count)
		}
		require.Positive(t, n[0])
		require.Zero(t, n[3], m[0])
		require.Zero(t, n[4], m[0])
		require.InDelta(t, 0.25, n[2]/n[0], 0.05, m[0])
	}
}

// recipe is the YAML below a heading of docs/probes.md.
func recipe(t *testing.T, root, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "docs/probes.md"))
	require.NoError(t, err)
	_, after, found := strings.Cut(string(data), "### "+name+"\n")
	require.True(t, found)
	for _, p := range Parts(after) {
		if p.Fenced && p.Language == "yaml" {
			return p.Text
		}
	}
	t.Fatalf("no recipe %q", name)
	return ""
}

// serve answers on an address in a network namespace until the test ends, every fourth
// connection as the new version.
func serve(t *testing.T, namespace, address string, answer func(conn net.Conn, version string) error) {
	t.Helper()
	var listener net.Listener
	require.NoError(t, harness.Inside(namespace, func() (err error) {
		listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		return err
	}))
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	go func() {
		for count := 0; ; count++ {
			conn, err := listener.Accept()
			if err != nil {
				return // it was closed
			}
			version := "old"
			if count%4 == 3 {
				version = "new"
			}
			go func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
				_ = answer(conn, version) // who asked counts what went wrong
			}()
		}
	}()
}

// redis answers INFO, and QUIT.
func redis(conn net.Conn, version string) error {
	number := map[string]string{"old": "7.0.15", "new": "7.2.4"}[version]
	info := "# Server\r\nredis_version:" + number + "\r\nredis_mode:standalone\r\n"
	for in := bufio.NewReader(conn); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		switch line = strings.ToUpper(line); {
		case strings.Contains(line, "INFO"):
			_, err = fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(info), info)
		case strings.Contains(line, "QUIT"):
			_, err = io.WriteString(conn, "+OK\r\n")
			return err
		}
		if err != nil {
			return err
		}
	}
}

// postgres takes the eight bytes that ask for TLS, and shows its certificate.
func postgres(conn net.Conn, certificate tls.Certificate) error {
	if _, err := io.ReadFull(conn, make([]byte, 8)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "S"); err != nil {
		return err
	}
	inside := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}})
	_, err := io.Copy(io.Discard, inside) // until the client has gone
	return err
}

func certificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// sh runs a program to its end.
func sh(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...) //nolint:noctx // cleanups need it when the context is done
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %q: %s", name, args, out)
	return string(out)
}
