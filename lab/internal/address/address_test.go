package address_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/lab/internal/address"
)

func TestNewSingleStack(t *testing.T) {
	t.Parallel()
	plan, err := address.New(3, 1, false)
	require.NoError(t, err)
	require.Equal(t, "198.18.3.13", plan.Runner.String())
	require.Equal(t, "198.18.3.2", plan.Nodes[0].Addr.String())
	require.Equal(t, "10.244.1.0/24", plan.Nodes[0].Pods.String())
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("198.19.3.0/24")}, plan.Pools())
	require.False(t, plan.DualStack())
	require.Len(t, plan.PodRanges(), 1)
	require.Len(t, plan.ServiceRanges(), 1)
	require.Len(t, plan.Nodes[0].Addrs(), 1)
}

func TestNewDualStack(t *testing.T) {
	t.Parallel()
	plan, err := address.New(0, 2, true)
	require.NoError(t, err)
	require.True(t, plan.DualStack())
	require.Equal(t, "fd4c:3463:616e::1", plan.Runner6.String())
	two := plan.Nodes[1]
	require.Equal(t, "198.18.0.6", two.Addr.String())
	require.Equal(t, "198.18.0.5", two.Host.String())
	require.Equal(t, "198.18.0.10", two.Peer.String())
	require.Equal(t, "fd4c:3463:616e:2::2", two.Addr6.String())
	require.Equal(t, "fd00:10:244:2::/64", two.Pods6.String())
	require.Equal(t, "fd4c:3463:616e:ff::/112", plan.Pool6.String())
	for _, node := range plan.Nodes {
		require.True(t, plan.Pods.Contains(node.Pods.Addr()))
		require.True(t, plan.Pods6.Contains(node.Pods6.Addr()))
	}
}

func TestNewRefusesIndex(t *testing.T) {
	t.Parallel()
	for _, index := range []int{-1, address.MaxIndex + 1} {
		_, err := address.New(index, 1, false)
		require.ErrorContains(t, err, "must be 0 to 254")
	}
}

// TestNoTwoAlike plans every lab there can be: no address that the machine sees
// may be given twice, and none may lie outside the benchmark range or the ULA.
func TestNoTwoAlike(t *testing.T) {
	t.Parallel()
	benchmark := netip.MustParsePrefix("198.18.0.0/15")
	ula := netip.MustParsePrefix("fd4c:3463:616e::/48")
	seen := map[netip.Addr]int{}
	var pools []netip.Prefix
	for index := range address.MaxIndex + 1 {
		plan, err := address.New(index, 2, true)
		require.NoError(t, err)
		pools = append(pools, plan.Pools()...)
		addrs := []netip.Addr{plan.Runner, plan.Runner6}
		for _, node := range plan.Nodes {
			addrs = append(addrs, node.Addr, node.Host, node.Peer, node.Addr6, node.Host6, node.Peer6)
		}
		for _, addr := range addrs {
			require.True(t, benchmark.Contains(addr) || ula.Contains(addr), addr)
			if other, given := seen[addr]; given {
				require.Failf(t, "an address is given twice", "%s in labs %d and %d", addr, other, index)
			}
			seen[addr] = index
		}
	}
	for i, pool := range pools {
		require.True(t, benchmark.Contains(pool.Addr()) || ula.Contains(pool.Addr()), pool)
		for _, other := range pools[i+1:] {
			if pool.Overlaps(other) {
				require.Failf(t, "pools overlap", "%s and %s", pool, other)
			}
		}
		for addr := range seen {
			if pool.Contains(addr) {
				require.Failf(t, "a link's address lies in a pool", "%s in %s", addr, pool)
			}
		}
	}
}
