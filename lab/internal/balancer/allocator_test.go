package balancer

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func mustAllocator(t *testing.T, pools ...string) *allocator {
	t.Helper()
	a, err := newAllocator(prefixes(pools...))
	require.NoError(t, err)
	return a
}

func TestPoolsLeaveOutWhatIsNoHost(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pool  string
		hosts []string
	}{
		{"192.0.2.0/30", []string{"192.0.2.1", "192.0.2.2"}},
		{"192.0.2.6/30", []string{"192.0.2.5", "192.0.2.6"}},
		{"192.0.2.0/31", []string{"192.0.2.0", "192.0.2.1"}},
		{"192.0.2.9/32", []string{"192.0.2.9"}},
		{"255.255.255.252/30", []string{"255.255.255.253", "255.255.255.254"}},
		{"2001:db8::/126", []string{"2001:db8::1", "2001:db8::2", "2001:db8::3"}},
		{"2001:db8::7/128", []string{"2001:db8::7"}},
	} {
		t.Run(tc.pool, func(t *testing.T) {
			t.Parallel()
			a := mustAllocator(t, tc.pool)
			var hosts []string
			for addr := range a.addresses(familyOf(a.pools[0].Addr())) {
				hosts = append(hosts, addr.String())
			}
			require.Equal(t, tc.hosts, hosts)
		})
	}
}

func TestPoolsThatCannotBe(t *testing.T) {
	t.Parallel()
	_, err := newAllocator(nil)
	require.EqualError(t, err, "there is no pool of addresses: at least one prefix is needed")
	_, err = newAllocator([]netip.Prefix{{}})
	require.EqualError(t, err, "pool 1 is not a valid prefix")
	_, err = newAllocator(prefixes("192.0.2.0/24", "192.0.2.128/25"))
	require.EqualError(t, err, "pools 192.0.2.0/24 and 192.0.2.128/25 overlap")
}

func TestFreedAddressComesLast(t *testing.T) {
	t.Parallel()
	a := mustAllocator(t, "192.0.2.0/30", "198.51.100.4/32")
	first := a.next("a", corev1.IPv4Protocol)
	require.Equal(t, "192.0.2.1", first.String())
	require.Equal(t, []netip.Addr{first}, a.free("a", nil))
	require.Equal(t, "192.0.2.2", a.next("b", corev1.IPv4Protocol).String())
	require.Equal(t, "198.51.100.4", a.next("c", corev1.IPv4Protocol).String())
	require.Equal(t, first, a.next("d", corev1.IPv4Protocol))
	require.False(t, a.next("e", corev1.IPv4Protocol).IsValid(), "exhausted")
	require.False(t, a.next("e", corev1.IPv6Protocol).IsValid(), "no such pool")
}

func TestClaim(t *testing.T) {
	t.Parallel()
	a := mustAllocator(t, "192.0.2.0/29")
	addr := netip.MustParseAddr("192.0.2.3")
	require.True(t, a.claim(addr, "a"))
	require.True(t, a.claim(addr, "a"), "its own already")
	require.False(t, a.claim(addr, "b"))
	require.False(t, a.claim(netip.MustParseAddr("192.0.2.7"), "b"), "broadcast")
	require.False(t, a.claim(netip.MustParseAddr("198.51.100.1"), "b"), "in no pool")
}

// Whatever is asked in whatever order, no address has two owners, nobody goes
// without while one is free, and freeing gives back what was given.
func TestAllocatorKeepsItsBooks(t *testing.T) {
	t.Parallel()
	const hosts = 6
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		a := mustAllocator(t, "192.0.2.0/29")
		books := map[netip.Addr]string{}
		for range 200 {
			owner := fmt.Sprint("service-", rng.IntN(8))
			held := a.held(owner, corev1.IPv4Protocol)
			if held.IsValid() {
				require.Equal(t, owner, books[held])
				require.Equal(t, []netip.Addr{held}, a.free(owner, nil))
				delete(books, held)
				continue
			}
			addr := a.next(owner, corev1.IPv4Protocol)
			require.Equal(t, len(books) < hosts, addr.IsValid())
			if addr.IsValid() {
				require.NotContains(t, books, addr)
				books[addr] = owner
			}
		}
		require.Equal(t, books, a.owners)
		require.False(t, slices.Contains([]string{"192.0.2.0", "192.0.2.7"}, a.last[corev1.IPv4Protocol].String()))
	}
}
