package rollout

import (
	"net/netip"

	"github.com/org/l4-canary/internal/probe"
)

// ExpectedWeight is w*: the share of new flows that the canary should get from
// the ready endpoints.
//
// Under policy Cluster every endpoint is equally likely: new/(old+new). Under
// Local the balancer picks a node first, uniformly among those with an
// endpoint, so the weight is the mean over nodes. Example: node A with 3+1
// pods, B with 1+0 and C with 1+1 give (1/4 + 0 + 1/2)/3 = 25 %, though 2 of 7
// pods are canaries. Without endpoints it is 0.
//
// IPv4 and IPv6 have endpoints of their own, and flows go evenly to all addresses:
// where the families differ, each address counts with its own family's weight.
func (s State) ExpectedWeight() Percent {
	weights := s.weights()
	var sum Percent
	known := 0
	for _, address := range s.Addresses {
		if w, ok := weights[familyOf(address)]; ok {
			sum, known = sum+w, known+1
		}
	}
	if known == 0 { // names, or addresses that nobody announces
		for _, w := range weights {
			sum, known = sum+w, known+1
		}
	}
	if known == 0 {
		return 0
	}
	return sum / Percent(known)
}

// weights are those of each family.
func (s State) weights() map[string]Percent {
	type count struct{ canary, all int }
	families := map[string]map[string]count{} // of nodes
	for _, e := range s.Endpoints {
		if families[e.Family] == nil {
			families[e.Family] = map[string]count{}
		}
		node := ""
		if s.Local {
			node = e.Node
		}
		c := families[e.Family][node]
		c.all++
		c.canary += one(e.Side == probe.Canary)
		families[e.Family][node] = c
	}
	weights := map[string]Percent{}
	for family, nodes := range families {
		var sum float64
		for _, c := range nodes {
			sum += ratio(c.canary, c.all)
		}
		weights[family] = Percent(100 * sum / float64(len(nodes)))
	}
	return weights
}

// familyOf is the family of a literal address, empty for a name.
func familyOf(address string) string {
	literal, err := netip.ParseAddr(address)
	switch {
	case err != nil:
		return ""
	case literal.Unmap().Is4():
		return "IPv4"
	}
	return "IPv6"
}
