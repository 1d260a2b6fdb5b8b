package network

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"

	"github.com/org/l4-canary/lab/internal/address"
)

// Topology is the network of one lab: a namespace per node, each on a link to
// the machine, which is the runner; with two nodes, a link between them.
type Topology struct {
	Name  string // of the lab
	Index int
	Plan  address.Plan
}

// Namespace is the name of node n's namespace; the first node is 1.
func (t Topology) Namespace(n int) string { return fmt.Sprintf("l4lab-%s-%d", t.Name, n) }

// device is the name of the machine's side of node n's link. It has the lab's
// index, not its name, because names of devices are short.
func (t Topology) device(n int) string { return fmt.Sprintf("l4lab%d-%d", t.Index, n) }

// Names of the devices in the namespaces.
const (
	toHost = "host0"
	toPeer = "peer0"
)

// Create makes everything. What it made before an error, Remove takes away.
func (t Topology) Create(ctx context.Context) error {
	for i := range t.Plan.Nodes {
		name := t.Namespace(i + 1)
		if err := Add(name); err != nil {
			return err
		}
		if err := within(name, func() error { return set(t.settings()) }); err != nil {
			return err
		}
	}
	return run(ctx, t.commands())
}

// Remove takes everything away that Create makes. All processes in the
// namespaces must have ended. Routes go with the devices, devices in pairs.
func (t Topology) Remove(ctx context.Context) error {
	for i := range t.Plan.Nodes {
		if out, err := output(ctx, "link del "+t.device(i+1)); err != nil && !strings.Contains(out, "Cannot find device") {
			return err
		}
		if err := Delete(t.Namespace(i + 1)); err != nil {
			return err
		}
	}
	return nil
}

// settings of a node's namespace. Replies may leave on another link than the one
// the request came in by, so nothing may filter by reverse path.
func (t Topology) settings() []sysctl {
	settings := []sysctl{
		{"net/ipv4/ip_forward", "1"},
		{"net/ipv4/conf/all/rp_filter", "0"},
		{"net/ipv4/conf/default/rp_filter", "0"},
	}
	if t.Plan.DualStack() {
		settings = append(settings,
			sysctl{"net/ipv6/conf/all/disable_ipv6", "0"},
			sysctl{"net/ipv6/conf/default/disable_ipv6", "0"},
			sysctl{"net/ipv6/conf/all/forwarding", "1"},
			sysctl{"net/ipv6/conf/default/accept_dad", "0"})
	}
	return settings
}

// commands lists the arguments of ip, in order.
func (t Topology) commands() []string {
	var all []string
	for i, node := range t.Plan.Nodes {
		all = append(all, t.linkToHost(i+1, node)...)
	}
	if len(t.Plan.Nodes) == 2 {
		all = append(all, t.linkNodes()...)
	}
	return append(all, t.poolRoutes()...)
}

func (t Topology) linkToHost(n int, node address.Node) []string {
	ns, host := t.Namespace(n), t.device(n)
	all := []string{
		fmt.Sprintf("-n %s link set lo up", ns),
		fmt.Sprintf("link add %s type veth peer name %s netns %s", host, toHost, ns),
	}
	all = append(all, addresses("", host, node.Host, node.Host6)...)
	all = append(all, addresses("-n "+ns+" ", toHost, node.Addr, node.Addr6)...)
	return append(all, t.routesToHost(n, node)...)
}

// routesToHost are node n's to everything but the other node.
func (t Topology) routesToHost(n int, node address.Node) []string {
	all := []string{fmt.Sprintf("-n %s route add default via %s src %s", t.Namespace(n), node.Host, node.Addr)}
	if node.Host6.IsValid() {
		all = append(all, fmt.Sprintf("-n %s -6 route add default via %s src %s", t.Namespace(n), node.Host6, node.Addr6))
	}
	return all
}

func addresses(prefix, device string, v4, v6 netip.Addr) []string {
	all := []string{
		fmt.Sprintf("%saddr add %s/%d dev %s", prefix, v4, address.LinkBits, device),
		fmt.Sprintf("%slink set %s up", prefix, device),
	}
	if v6.IsValid() {
		all = append(all, fmt.Sprintf("%s-6 addr add %s/%d dev %s nodad", prefix, v6, address.LinkBits6, device))
	}
	return all
}

// linkNodes connects node 1 and node 2 directly: the machine does not forward,
// and must not be made to.
func (t Topology) linkNodes() []string {
	one, two := t.Namespace(1), t.Namespace(2)
	all := []string{fmt.Sprintf("-n %s link add %s type veth peer name %s netns %s", one, toPeer, toPeer, two)}
	for i, node := range t.Plan.Nodes {
		all = append(all, addresses("-n "+t.Namespace(i+1)+" ", toPeer, node.Peer, node.Peer6)...)
	}
	for i, node := range t.Plan.Nodes {
		all = append(all, t.routesToPeer(i+1, node)...)
	}
	return all
}

// routesToPeer are those of node n to the other node and its pods.
func (t Topology) routesToPeer(n int, node address.Node) []string {
	other, ns := t.Plan.Nodes[2-n], t.Namespace(n)
	all := []string{
		fmt.Sprintf("-n %s route add %s via %s src %s", ns, other.Addr, other.Peer, node.Addr),
		fmt.Sprintf("-n %s route add %s via %s src %s", ns, other.Pods, other.Peer, node.Addr),
	}
	if other.Addr6.IsValid() {
		all = append(all,
			fmt.Sprintf("-n %s -6 route add %s via %s src %s", ns, other.Addr6, other.Peer6, node.Addr6),
			fmt.Sprintf("-n %s -6 route add %s via %s src %s", ns, other.Pods6, other.Peer6, node.Addr6))
	}
	return all
}

// poolRoutes lead from the machine to the LoadBalancer addresses, over all nodes
// alike. The source is fixed: the kernel picks it before it knows the port, and
// so perhaps for another path than the one the connection then takes. It is an
// address of its own: of several paths Linux (6.16 and later) takes the one whose
// device has the source address, always, and spreads flows only when none has.
func (t Topology) poolRoutes() []string {
	var gateways, gateways6 []netip.Addr
	for _, node := range t.Plan.Nodes {
		gateways, gateways6 = append(gateways, node.Addr), append(gateways6, node.Addr6)
	}
	routes := []string{
		fmt.Sprintf("addr add %s/32 dev %s", t.Plan.Runner, t.device(1)),
		poolRoute(t.Plan.Pool, t.Plan.Runner, gateways),
	}
	if t.Plan.DualStack() {
		routes = append(routes,
			fmt.Sprintf("-6 addr add %s/128 dev %s nodad", t.Plan.Runner6, t.device(1)),
			"-6 "+poolRoute(t.Plan.Pool6, t.Plan.Runner6, gateways6))
	}
	return routes
}

func poolRoute(pool netip.Prefix, source netip.Addr, gateways []netip.Addr) string {
	hop := " via "
	if len(gateways) > 1 {
		hop = " nexthop via "
	}
	var route strings.Builder
	fmt.Fprintf(&route, "route add %s src %s", pool, source)
	for _, gateway := range gateways {
		route.WriteString(hop + gateway.String())
	}
	return route.String()
}

// run runs ip with each list of arguments, until one fails.
func run(ctx context.Context, commands []string) error {
	for _, command := range commands {
		if _, err := output(ctx, command); err != nil {
			return err
		}
	}
	return nil
}

func output(ctx context.Context, args string) (string, error) {
	out, err := exec.CommandContext(ctx, "ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("running \"ip %s\": %w: %s", args, err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
