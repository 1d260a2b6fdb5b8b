//go:build e2e

// Package servers asks real servers, as Debian packages them, with every preset and
// every recipe of docs/probes.md: two of each behind the kernel's own balancer.
package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

// The client reaches the service's address, where the kernel chooses one of two
// backends for each new connection, as kube-proxy has it do.
const (
	client  = "10.77.0.1"
	service = "10.77.1.1"
	old     = "10.77.2.1" // three of four
	canary  = "10.77.2.2"
	share   = 25
)

// rules are nftables' for kube-proxy's random choice.
const rules = `table ip balancer {
	chain prerouting {
		type nat hook prerouting priority dstnat;
		ip daddr ` + service + ` dnat to numgen random mod 4 map { 0 : ` + canary + `, 1 : ` + old + `, 2 : ` + old + `, 3 : ` + old + ` }
	}
}
`

// network is two network namespaces: one for the prober, one for the servers with the
// balancer before them.
type network struct{ client, server string }

// newNetwork makes one that lasts as long as the test.
func newNetwork(t *testing.T) network {
	t.Helper()
	require.Zero(t, os.Getuid(), "network namespaces take root")
	name := strings.ToLower(strings.TrimPrefix(t.Name(), "Test"))
	n := network{client: fmt.Sprintf("l4-%s-client-%d", name, os.Getpid()), server: fmt.Sprintf("l4-%s-server-%d", name, os.Getpid())}
	for _, name := range []string{n.client, n.server} {
		command(t, "", "ip", "netns", "add", name)
		t.Cleanup(func() { command(t, "", "ip", "netns", "delete", name) })
		command(t, "", "ip", "-n", name, "link", "set", "lo", "up")
	}
	n.names(t)
	command(t, "", "ip", "-n", n.client, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", n.server)
	for name, address := range map[string]string{n.client: client, n.server: "10.77.0.2"} {
		command(t, "", "ip", "-n", name, "address", "add", address+"/24", "dev", "eth0")
		command(t, "", "ip", "-n", name, "link", "set", "eth0", "up")
	}
	for _, address := range []string{old, canary} {
		command(t, "", "ip", "-n", n.server, "address", "add", address+"/32", "dev", "lo")
	}
	command(t, "", "ip", "-n", n.client, "route", "add", "10.77.1.0/24", "via", "10.77.0.2")
	command(t, rules, "ip", "netns", "exec", n.server, "nft", "-f", "-")
	return n
}

// names lets the servers look the prober's name up, as they like to, without a resolver.
func (n network) names(t *testing.T) {
	t.Helper()
	dir := filepath.Join("/etc/netns", n.server) // "ip netns exec" puts it over /etc
	require.NoError(t, os.MkdirAll(dir, 0o755))
	t.Cleanup(func() {
		require.NoError(t, os.RemoveAll(dir))
		_ = os.Remove("/etc/netns") // stays if it is another's too
	})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "hosts"), []byte("127.0.0.1 localhost\n"+client+" prober\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "resolv.conf"), []byte("nameserver 127.0.0.1\n"), 0o644))
}

// start runs a server in the namespace of servers until the test ends. It runs in its
// directory, in a mount namespace of its own.
func (n network) start(t *testing.T, dir string, argv ...string) *harness.Process {
	t.Helper()
	return harness.Start(t, dir, append([]string{"ip", "netns", "exec", n.server}, argv...)...)
}

// listens waits until somebody in the namespace listens on all these.
func (n network) listens(t *testing.T, flag string, addresses ...string) {
	t.Helper()
	require.Eventually(t, func() bool {
		sockets := command(t, "", "ip", "netns", "exec", n.server, "ss", "-Hln"+flag)
		for _, address := range addresses {
			if !strings.Contains(sockets, address+" ") {
				return false
			}
		}
		return true
	}, time.Minute, 100*time.Millisecond, "nobody listens on %s", addresses)
}

// command runs a program to its end.
func command(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...) //nolint:noctx // cleanups need it when the context is done
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %q: %s", name, args, out)
	return string(out)
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}
