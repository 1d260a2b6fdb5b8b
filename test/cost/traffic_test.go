package cost

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/tally"
)

func TestSortOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		call tally.Call
		want Sort
	}{
		{tally.Call{Verb: "get", Resource: "/version"}, Read},
		{tally.Call{Verb: "get", Resource: "deployments"}, Read},
		{tally.Call{Verb: "list", Resource: "pods"}, Read},
		{tally.Call{Verb: "watch", Resource: "pods"}, Watch},
		{tally.Call{Verb: "patch", Resource: "services", DryRun: true}, Trial},
		{tally.Call{Verb: "create", Resource: "selfsubjectaccessreviews"}, Trial},
		{tally.Call{Verb: "patch", Resource: "deployments/scale"}, Write},
		{tally.Call{Verb: "create", Resource: "leases"}, Write},
		{tally.Call{Verb: "delete", Resource: "pods"}, Write},
	} {
		require.Equal(t, tt.want, SortOf(tt.call), tt.call.Kind())
	}
}

// TestTrafficIn: a call counts where it began, and what it brings where that came.
func TestTrafficIn(t *testing.T) {
	t.Parallel()
	calls := []tally.Call{
		{Verb: "watch", Resource: "pods", Began: at(1), Received: []tally.Chunk{{At: at(2), Bytes: 6}, {At: at(10), Bytes: 11}, {At: at(20), Bytes: 5}}},
		{Verb: "update", Resource: "leases", Began: at(10), Sent: 9, Received: []tally.Chunk{{At: at(11), Bytes: 7}}},
	}
	first, second := Part{Began: noon, Ended: at(10)}, Part{Began: at(10), Ended: at(20)}
	require.Equal(t, Traffic{Calls: map[Sort]int{Watch: 1}, Received: 6}, TrafficIn(first, calls))
	require.Equal(t, Traffic{Calls: map[Sort]int{Write: 1}, Sent: 9, Received: 18}, TrafficIn(second, calls))
	require.Equal(t, 2, TrafficIn(Part{Began: noon, Ended: at(30)}, calls).Total())
	require.Zero(t, TrafficIn(Part{Began: at(30), Ended: at(40)}, calls).Total())
}
