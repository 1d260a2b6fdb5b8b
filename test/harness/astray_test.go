//go:build e2e

package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The addresses of a Service whose rule was missed, and of one whose pod is dead.
const missed, dead = "10.79.9.9", "10.79.9.8"

// node is a network namespace like that of a lab's node, whose pods swallow everything.
func node(t *testing.T) {
	t.Helper()
	require.Zero(t, os.Getuid(), "network namespaces take root")
	name, device := fmt.Sprintf("l4lab-astray-%d", os.Getpid()), fmt.Sprintf("astray%d", os.Getpid()%1e6)
	command := func(stdin, line string) {
		cmd := exec.Command("sh", "-c", line) //nolint:noctx // cleanups need it when the context is done
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", line, out)
	}
	command("", "ip netns add "+name)
	t.Cleanup(func() { command("", "ip netns delete "+name) })
	for _, line := range []string{
		"ip link add %[2]s type veth peer name host0 netns %[1]s",
		"ip address add 10.79.0.1/30 dev %[2]s", "ip link set %[2]s up", "ip route add 10.79.9.0/24 via 10.79.0.2 dev %[2]s onlink",
		"ip -n %[1]s address add 10.79.0.2/30 dev host0", "ip -n %[1]s link set host0 up", "ip -n %[1]s link set lo up",
		"ip -n %[1]s link add pods type veth peer name void", "ip -n %[1]s link set pods up", "ip -n %[1]s link set void up",
		"ip -n %[1]s neighbour add 10.79.3.1 lladdr 02:00:00:00:00:01 dev pods", "ip -n %[1]s route add default via 10.79.3.1 dev pods onlink",
		"ip netns exec %[1]s sysctl -qw net.ipv4.ip_forward=1",
	} {
		command("", fmt.Sprintf(line, name, device))
	}
	command("table ip t { chain pre { type nat hook prerouting priority dstnat; ip daddr "+dead+" dnat to 10.79.2.2; }\n}\n",
		"ip netns exec "+name+" nft -f -")
}

// TestAstray: a connection that a node translated is lost like any other; one that it
// did not is told apart.
func TestAstray(t *testing.T) {
	node(t)
	for address, astray := range map[string]bool{missed: true, dead: false} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			_, err := dial(t.Context(), address+":7000")
			require.ErrorContains(t, err, "i/o timeout")
			_, is := errors.AsType[*astrayError](err)
			require.Equal(t, astray, is, err)
			require.Equal(t, astray, holeOf(err) != "")
			require.NotContains(t, holeOf(err), "SYN_SENT", "its age is no part of a hole")
			require.ErrorContains(t, err, "src=10.79.0.1 dst="+address, "what the node knows of it")
			t.Log(err)
		})
	}
}

// TestTooManyStrays: what a rollout loses does not pass for what a node does.
func TestTooManyStrays(t *testing.T) {
	c := &Clients{stop: func() {}, opened: 500, astray: []string{"one", "its port again"}, holes: map[string]bool{"first": true}}
	_, failed, _ := c.Stop()
	require.Empty(t, failed)
	c.astray, c.holes["second"] = append(c.astray, "another"), true
	_, failed, _ = c.Stop()
	require.Equal(t, []string{"one", "its port again", "another"}, failed)
}
