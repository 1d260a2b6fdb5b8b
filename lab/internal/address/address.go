// Package address plans the addresses of a lab. All that the machine itself sees
// lies in 198.18.0.0/15, the range set aside for benchmarks (RFC 2544), and, for
// IPv6, in one ULA prefix; each lab has a slice of its own, by its index, so that
// labs run side by side. Pods and Services are seen only inside a lab's network
// namespaces and have the same ranges in every lab.
package address

import (
	"fmt"
	"net/netip"
)

// MaxIndex is the highest index of a lab.
const MaxIndex = 254

// Plan is the addresses of one lab. The fields named 6 are invalid (the zero
// value) without dual stack.
type Plan struct {
	Runner, Runner6 netip.Addr // the runner's own, on no link: see Topology.poolRoutes
	Nodes           []Node
	Pods, Pods6     netip.Prefix
	Services        netip.Prefix
	Services6       netip.Prefix
	Pool, Pool6     netip.Prefix // of LoadBalancer addresses
}

// Node is the addresses of one node.
type Node struct {
	Addr, Addr6 netip.Addr // its own, on the link to the machine
	Host, Host6 netip.Addr // the machine's side of that link
	Peer, Peer6 netip.Addr // its own, on the link to the other node
	Pods, Pods6 netip.Prefix
}

// Bits of the links: a pair of addresses each.
const (
	LinkBits  = 30
	LinkBits6 = 64
)

// New plans the lab with that index.
func New(index, nodes int, dualStack bool) (Plan, error) {
	if index < 0 || index > MaxIndex {
		return Plan{}, fmt.Errorf("planning addresses: index %d: must be 0 to %d", index, MaxIndex)
	}
	i := byte(index)
	plan := Plan{
		Pods:     netip.MustParsePrefix("10.244.0.0/16"),
		Services: netip.MustParsePrefix("10.96.0.0/16"),
		Pool:     netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 19, i, 0}), 24),
		Runner:   netip.AddrFrom4([4]byte{198, 18, i, 13}),
	}
	if dualStack {
		plan.Pods6 = netip.MustParsePrefix("fd00:10:244::/56")
		plan.Services6 = netip.MustParsePrefix("fd00:10:96::/112")
		plan.Pool6 = netip.PrefixFrom(v6(i, 0xff, 0), 112)
		plan.Runner6 = v6(i, 0, 1)
	}
	for n := range byte(nodes) {
		plan.Nodes = append(plan.Nodes, newNode(i, n, dualStack))
	}
	return plan, nil
}

// newNode plans node n (from 0) of lab i: the links to the machine are the /30s
// at .0 and .4 of 198.18.i.0/24, the one between the nodes is that at .8, and .13 is the runner.
func newNode(i, n byte, dualStack bool) Node {
	node := Node{
		Host: netip.AddrFrom4([4]byte{198, 18, i, 4*n + 1}),
		Addr: netip.AddrFrom4([4]byte{198, 18, i, 4*n + 2}),
		Peer: netip.AddrFrom4([4]byte{198, 18, i, 8 + n + 1}),
		Pods: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, n + 1, 0}), 24),
	}
	if dualStack {
		node.Host6, node.Addr6 = v6(i, n+1, 1), v6(i, n+1, 2)
		node.Peer6 = v6(i, 9, n+1)
		pods := netip.MustParseAddr("fd00:10:244::").As16()
		pods[7] = n + 1
		node.Pods6 = netip.PrefixFrom(netip.AddrFrom16(pods), 64)
	}
	return node
}

// v6 is fd4c:3463:616e:II0N::host, lab II's network N. The prefix spells "L4can"
// below the ULA's fd.
func v6(index, network, host byte) netip.Addr {
	a := [16]byte{0xfd, 0x4c, 0x34, 0x63, 0x61, 0x6e, index, network}
	a[15] = host
	return netip.AddrFrom16(a)
}

// DualStack tells whether the plan has IPv6.
func (p Plan) DualStack() bool { return p.Pool6.IsValid() }

// Pools lists the ranges of LoadBalancer addresses.
func (p Plan) Pools() []netip.Prefix { return valid(p.Pool, p.Pool6) }

// PodRanges lists the ranges of all pods.
func (p Plan) PodRanges() []netip.Prefix { return valid(p.Pods, p.Pods6) }

// ServiceRanges lists the ranges of ClusterIPs.
func (p Plan) ServiceRanges() []netip.Prefix { return valid(p.Services, p.Services6) }

// PodRanges lists the ranges of the node's pods.
func (n Node) PodRanges() []netip.Prefix { return valid(n.Pods, n.Pods6) }

// Addrs lists the node's own addresses.
func (n Node) Addrs() []netip.Addr { return valid(n.Addr, n.Addr6) }

func valid[T interface{ IsValid() bool }](all ...T) []T {
	var some []T
	for _, one := range all {
		if one.IsValid() {
			some = append(some, one)
		}
	}
	return some
}
