package network

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/org/l4-canary/lab/internal/address"
)

// Unplug takes node 2 of two off every link, so that it is down for everybody else. Its
// processes run on. The machine then sends every flow to the other node, as a router does
// that sees a cable go dead. Twice is once.
func (t Topology) Unplug(ctx context.Context) error {
	// A setting of the lab's own device, with which it goes.
	setting := "/proc/sys/net/ipv4/conf/" + t.device(2) + "/ignore_routes_with_linkdown"
	if err := os.WriteFile(setting, []byte("1"), 0o644); err != nil {
		return fmt.Errorf("setting: %w", err)
	}
	return run(ctx, t.unplugging())
}

// Plug gives node 2 its links back, and the routes that went with them. Twice is once.
func (t Topology) Plug(ctx context.Context) error { return run(ctx, t.plugging()) }

func (t Topology) unplugging() []string {
	ns := t.Namespace(2)
	return []string{
		fmt.Sprintf("-n %s link set %s down", ns, toHost),
		fmt.Sprintf("-n %s link set %s down", ns, toPeer),
	}
}

// plugging brings back what the kernel takes away with a link: its routes, and its IPv6
// addresses.
func (t Topology) plugging() []string {
	node := t.Plan.Nodes[1]
	ns := "-n " + t.Namespace(2)
	var commands []string
	for _, link := range []struct {
		device string
		addr6  netip.Addr
	}{{toHost, node.Addr6}, {toPeer, node.Peer6}} {
		commands = append(commands, fmt.Sprintf("%s link set %s up", ns, link.device))
		if link.addr6.IsValid() {
			commands = append(commands, fmt.Sprintf("%s -6 addr replace %s/%d dev %s nodad", ns, link.addr6, address.LinkBits6, link.device))
		}
	}
	for _, route := range append(t.routesToHost(2, node), t.routesToPeer(2, node)...) {
		commands = append(commands, strings.Replace(route, " route add ", " route replace ", 1))
	}
	return commands
}
