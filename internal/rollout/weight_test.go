package rollout

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
)

// placed are endpoints of one family on one node.
func placed(family, node string, stable, canary int) []Endpoint {
	var all []Endpoint
	for range stable {
		all = append(all, Endpoint{Side: probe.Stable, Node: node, Family: family})
	}
	for range canary {
		all = append(all, Endpoint{Side: probe.Canary, Node: node, Family: family})
	}
	return all
}

// TestExpectedWeight has the vectors T1 to T3 of statistics.md 1.2 first.
func TestExpectedWeight(t *testing.T) {
	t.Parallel()
	v4, v6 := "IPv4", "IPv6"
	for _, row := range []struct {
		name  string
		state State
		want  float64
	}{
		{"T1: every endpoint alike", State{Endpoints: placed(v4, "a", 9, 1)}, 10},
		{"T2: nodes first", State{Local: true, Endpoints: slices.Concat(placed(v4, "a", 2, 0), placed(v4, "b", 0, 1))}, 50},
		{"T3: three nodes", State{Local: true, Endpoints: slices.Concat(placed(v4, "a", 3, 1), placed(v4, "b", 1, 0), placed(v4, "c", 1, 1))}, 25},
		{"T3 under Cluster", State{Endpoints: slices.Concat(placed(v4, "a", 3, 1), placed(v4, "b", 1, 0), placed(v4, "c", 1, 1))}, 200.0 / 7},
		{"no endpoints", State{}, 0},
		{"both families alike", State{
			Addresses: []string{"192.0.2.7", "2001:db8::7"}, Endpoints: slices.Concat(placed(v4, "a", 3, 1), placed(v6, "a", 3, 1)),
		}, 25},
		{"families that differ", State{
			Addresses: []string{"192.0.2.7", "2001:db8::7"}, Endpoints: slices.Concat(placed(v4, "a", 3, 1), placed(v6, "a", 1, 1)),
		}, 37.5},
		{"two addresses of one, one of the other", State{
			Addresses: []string{"192.0.2.7", "192.0.2.8", "2001:db8::7"}, Endpoints: slices.Concat(placed(v4, "a", 3, 1), placed(v6, "a", 0, 1)),
		}, 50},
		{"only one family is announced", State{
			Addresses: []string{"192.0.2.7"}, Endpoints: slices.Concat(placed(v4, "a", 3, 1), placed(v6, "a", 1, 1)),
		}, 25},
		{"a name has both", State{
			Addresses: []string{"lb.example.com"}, Endpoints: slices.Concat(placed(v4, "a", 3, 1), placed(v6, "a", 1, 1)),
		}, 37.5},
		{"an address of a family without endpoints", State{
			Addresses: []string{"2001:db8::7"}, Endpoints: placed(v4, "a", 3, 1),
		}, 25},
		{"IPv4 written as IPv6", State{
			Addresses: []string{"::ffff:192.0.2.7"}, Endpoints: slices.Concat(placed(v4, "a", 3, 1), placed(v6, "a", 1, 1)),
		}, 25},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			require.InDelta(t, row.want, float64(row.state.ExpectedWeight()), 1e-12)
		})
	}
}
