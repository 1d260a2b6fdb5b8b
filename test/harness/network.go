//go:build e2e

package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Network is where users of a lab are that are not the machine: a network namespace with
// a link to every node, over which flows to the LoadBalancer addresses are spread. Nil is
// the machine itself.
//
// Its flows come from one port after the other. A node remembers for two minutes where it
// sent a flow, also one that is over, and sends what comes later from the same port after
// it; the kernel gives a port anew sooner than that.
type Network struct {
	name  string
	ports atomic.Uint32 // used so far
}

// NewNetwork makes one beside a lab, until the test ends.
func NewNetwork(t *testing.T, l *Lab) *Network {
	t.Helper()
	var status struct {
		Pools []string `json:"pools"`
		Nodes []struct {
			Name string `json:"name"`
		} `json:"nodes"`
	}
	require.NoError(t, json.Unmarshal([]byte(l.Do(t, "status", "--output", "json")), &status))
	n := &Network{name: "l4users-" + l.Name}
	_ = exec.CommandContext(t.Context(), "ip", "netns", "delete", n.name).Run() // of a test that was killed
	ip(t, "netns add "+n.name)
	t.Cleanup(func() {
		out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "ip", "netns", "delete", n.name).CombinedOutput()
		if err != nil {
			t.Errorf("removing the users' network: %v: %s", err, out)
		}
	})
	// Answers may come by another link than the one that the request took.
	for _, setting := range []string{"net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0", "net.ipv4.fib_multipath_hash_policy=1"} {
		ip(t, "netns exec "+n.name+" sysctl -qw "+setting)
	}
	ip(t, fmt.Sprintf("-n %s link set lo up", n.name))
	ip(t, fmt.Sprintf("-n %s addr add %s/32 dev lo", n.name, usersAddress))
	var hops strings.Builder
	for i, node := range status.Nodes {
		n.link(t, i+1, "l4lab-"+node.Name)
		hops.WriteString(" nexthop via " + hop(i+1, 2))
	}
	ip(t, fmt.Sprintf("-n %s route add %s src %s%s", n.name, status.Pools[0], usersAddress, hops.String()))
	return n
}

// usersAddress is what the users' flows come from, whichever link they take.
const usersAddress = "10.78.0.1"

// hop is an end of the link to a node: the users' is 1, the node's is 2.
func hop(node, end int) string { return fmt.Sprintf("10.78.%d.%d", node, end) }

// link connects a node.
func (n *Network) link(t *testing.T, number int, node string) {
	t.Helper()
	const theirs = "users0"
	ours := device(number)
	ip(t, fmt.Sprintf("-n %s link add %s type veth peer name %s netns %s", n.name, ours, theirs, node))
	ip(t, fmt.Sprintf("-n %s addr add %s/30 dev %s", n.name, hop(number, 1), ours))
	ip(t, fmt.Sprintf("-n %s link set %s up", n.name, ours))
	ip(t, fmt.Sprintf("-n %s addr add %s/30 dev %s", node, hop(number, 2), theirs))
	ip(t, fmt.Sprintf("-n %s link set %s up", node, theirs))
	ip(t, fmt.Sprintf("-n %s route add %s via %s", node, usersAddress, hop(number, 1)))
}

func device(node int) string { return fmt.Sprintf("node%d", node) }

// Link takes the link to a node down, or up again. Flows take the others meanwhile.
func (n *Network) Link(t *testing.T, node int, up bool) {
	t.Helper()
	state := map[bool]string{true: "up", false: "down"}[up]
	ip(t, fmt.Sprintf("-n %s link set %s %s", n.name, device(node), state))
}

// dial opens a flow from the network. A socket belongs to the namespace of the thread
// that made it.
func (n *Network) dial(ctx context.Context, dialer net.Dialer, protocol, address string) (net.Conn, error) {
	if n == nil {
		return dialer.DialContext(ctx, protocol, address)
	}
	for {
		const first, count = 2000, 63000 // of all ports: some are held for long
		port := first + int(n.ports.Add(1)%count)
		dialer.LocalAddr = &net.TCPAddr{Port: port}
		if protocol == "udp" {
			dialer.LocalAddr = &net.UDPAddr{Port: port}
		}
		conn, err := n.dialInside(ctx, dialer, protocol, address)
		if !errors.Is(err, unix.EADDRINUSE) {
			return conn, err
		}
	}
}

func (n *Network) dialInside(ctx context.Context, dialer net.Dialer, protocol, address string) (net.Conn, error) {
	var conn net.Conn
	err := Inside(n.name, func() (err error) {
		conn, err = dialer.DialContext(ctx, protocol, address)
		return err
	})
	return conn, err
}

// Inside does something on a thread that is in a network namespace: a socket belongs to
// that of the thread that makes it, for as long as it is open.
func Inside(namespace string, do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread, in another namespace now, ends with the goroutine
		err := enter("/run/netns/" + namespace)
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}

// enter takes this thread to a network namespace.
func enter(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening network namespace %q: %w", path, err)
	}
	defer unix.Close(fd) //nolint:errcheck // it was only read
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("entering network namespace %q: %w", path, err)
	}
	return nil
}

// ip runs ip.
func ip(t *testing.T, args string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ip", strings.Fields(args)...).CombinedOutput()
	require.NoError(t, err, "ip %s: %s", args, out)
}
