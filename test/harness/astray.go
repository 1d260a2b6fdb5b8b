//go:build e2e

package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// astrayError is a connection that a node took in and sent to no pod. While kube-proxy
// replaces the nftables rule of a Service, which it does for every change of its
// endpoints, Linux may evaluate the old rule with the new rule's map: it finds nothing
// there, and the connection is not translated. Of a million connections through a rule that
// is replaced all the time some twenty go that way, and none if the rule has no map. No
// rollout can do anything about it, so it is told apart, by the evidence: the node's
// conntrack has an entry for the connection whose answer is to come from the very address
// that was asked.
type astrayError struct{ entry string }

func (e *astrayError) Error() string { return "the node sent it to no pod: " + e.entry }

// hole is what the node remembers, for up to two minutes: whoever asks from the same port
// meanwhile goes where the first one went.
func (e *astrayError) hole() string {
	_, flow, _ := strings.Cut(e.entry, "src=")
	return flow
}

// holeOf is where a flow went astray; empty if it did not.
func holeOf(err error) string {
	if astray, is := errors.AsType[*astrayError](err); is {
		return astray.hole()
	}
	return ""
}

// few reports whether so many holes are what the kernel makes of so many flows: far more
// than it makes, and far fewer than a rollout that leaves a Service without rules.
func few(holes, opened int) bool { return holes <= 1+opened/20000 }

// dial opens a connection. The error is an *astrayError if it is known to be one.
func dial(ctx context.Context, address string) (net.Conn, error) { return dialFrom(ctx, nil, address) }

// dialFrom is dial from a network of users.
func dialFrom(ctx context.Context, network *Network, address string) (net.Conn, error) {
	twin := -1
	dialer := net.Dialer{Timeout: patience, Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		return errors.Join(raw.Control(func(fd uintptr) { twin, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }), err)
	}}
	conn, err := network.dial(ctx, dialer, "tcp", address)
	if twin < 0 {
		return conn, err
	}
	defer unix.Close(twin) //nolint:errcheck // the socket has an owner
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return nil, explain(ctx, err, "tcp", portOf(twin), address)
	}
	return conn, err
}

// explain adds to the error of a flow that nobody answered what the nodes know of it.
func explain(ctx context.Context, err error, protocol string, port int, address string) error {
	host, _, splitErr := net.SplitHostPort(address)
	if splitErr != nil || port == 0 {
		return err
	}
	entries := tracked(ctx, protocol, port, address)
	for _, entry := range entries {
		if strings.Contains(entry, fmt.Sprintf("[UNREPLIED] src=%s ", host)) { // no rule has sent it to a pod
			return errors.Join(err, &astrayError{entry})
		}
	}
	return fmt.Errorf("%w; the nodes know of it: %q", err, entries)
}

// portOf is the port that the kernel gave a socket, also one that never connected.
func portOf(fd int) int {
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0
	}
	switch name := name.(type) {
	case *unix.SockaddrInet4:
		return name.Port
	case *unix.SockaddrInet6:
		return name.Port
	}
	return 0
}

// tracked are the entries of a flow in the conntracks of the labs' nodes.
func tracked(ctx context.Context, protocol string, port int, address string) []string {
	host, service, err := net.SplitHostPort(address)
	nodes, globErr := filepath.Glob("/run/netns/l4lab-*")
	if errors.Join(err, globErr) != nil {
		return nil
	}
	family := "ipv4"
	if strings.Contains(host, ":") {
		family = "ipv6"
	}
	var entries []string
	for _, node := range nodes {
		out, _ := exec.CommandContext(ctx, "nsenter", "--net="+node, "conntrack", "--dump", "--family", family, "--proto", protocol,
			"--orig-dst", host, "--sport", strconv.Itoa(port), "--dport", service).Output() // without an entry it says so and fails
		for line := range strings.Lines(string(out)) {
			entries = append(entries, strings.Join(strings.Fields(line), " "))
		}
	}
	return entries
}
