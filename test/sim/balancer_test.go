package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// heard counts the answers of n flows by version.
func heard(flows law, n int) map[probe.Version]int {
	versions := map[probe.Version]int{}
	for i := range n {
		versions[flows(i).Version]++
	}
	return versions
}

// TestShares: behind every balancer that splits by endpoints the canary gets the
// share that the endpoints give, at every share of the table.
func TestShares(t *testing.T) {
	t.Parallel()
	const n = 20000
	for _, share := range shares() {
		for name, flows := range map[string]law{
			"independent": independent(cluster(share), dice(1)),
			"by flow":     byFlow(ports)(cluster(share), dice(2)),
			"by node":     nodeThenPod(spreadOut(share), dice(3)),
			"leaning":     leaning(0)(cluster(share), dice(4)),
		} {
			canary := heard(flows, n)[probe.Canary]
			// A table of Maglev is uneven by less than 1 %.
			slack := 0.01 * share.Fraction()
			seen := around(canary, n)
			require.GreaterOrEqual(t, share.Fraction(), seen.Lo-slack, "%s at %v", name, share)
			require.LessOrEqual(t, share.Fraction(), seen.Hi+slack, "%s at %v", name, share)
		}
	}
}

// TestEndpoints: both ways of placing pods give the share of the row, and of those
// on several nodes the pods alone would promise another.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, share := range shares() {
		require.InDelta(t, float64(share), float64(rollout.State{Endpoints: cluster(share)}.ExpectedWeight()), 1e-9)
		pods := spreadOut(share)
		require.InDelta(t, float64(share), float64(rollout.State{Endpoints: pods, Local: true}.ExpectedWeight()), 1e-9)
		if share < 100 {
			byPods := rollout.State{Endpoints: pods}.ExpectedWeight()
			require.Greater(t, max(byPods-share, share-byPods), rollout.Percent(3), "%v", share)
		}
	}
	require.Len(t, cluster(80), 5)
	require.Len(t, cluster(100), 1)
	require.Len(t, cluster(5), 20)
	require.Empty(t, heard(always(cluster(0)), 5)[probe.Canary])
}

// always is a balancer with one endpoint.
func always(endpoints []rollout.Endpoint) law { return bySource(endpoints, dice(1)) }

func TestRoundRobin(t *testing.T) {
	t.Parallel()
	starts := map[probe.Version]int{}
	for seed := range uint64(100) {
		flows := roundRobin(cluster(25), dice(seed))
		starts[flows(0).Version]++
		for round := range 5 {
			from := func(i int) probe.Flow { return flows(3 + 4*round + i) }
			require.Equal(t, 1, heard(from, 4)[probe.Canary], "each round has one answer of the canary")
		}
	}
	require.Greater(t, starts[probe.Canary], 5, "nobody knows where the ring begins")
	require.Greater(t, starts[probe.Stable], 5)
}

func TestBySource(t *testing.T) {
	t.Parallel()
	clients := map[probe.Version]int{}
	for seed := range uint64(200) {
		versions := heard(bySource(cluster(50), dice(seed)), 20)
		require.Len(t, versions, 1, "one client hears one version")
		for version := range versions {
			clients[version]++
		}
		two := bySourceOfTwo(cluster(50), dice(seed))
		require.NotEqual(t, two(0).Address, two(1).Address)
		require.Equal(t, two(0), two(2))
		require.Equal(t, two(1), two(3))
	}
	require.Greater(t, clients[probe.Canary], 60)
	require.Greater(t, clients[probe.Stable], 60)
}

func TestUnrecognised(t *testing.T) {
	t.Parallel()
	seen := around(heard(unrecognised(0.03, independent)(cluster(50), dice(1)), 20000)[probe.Unknown], 20000)
	require.True(t, seen.Contains(0.03), "%v", seen)
}

func TestLeaning(t *testing.T) {
	t.Parallel()
	for off, share := range map[float64]float64{-1: 0.75, 0.5: 0.825, 2: 0.9} {
		seen := around(heard(leaning(off)(cluster(80), dice(1)), 20000)[probe.Canary], 20000)
		require.True(t, seen.Contains(share), "%v: %v", off, seen)
	}
	cut := around(heard(leaning(1)(cluster(5), dice(1)), 20000)[probe.Canary], 20000)
	require.True(t, cut.Contains(0.075), "the tolerance is cut to half the share: %v", cut)
}

// TestMaglev: every slot is taken, evenly, and most of them stay where they were when
// an endpoint goes (Eisenbud et al. 2016, section 3.4).
func TestMaglev(t *testing.T) {
	t.Parallel()
	ten, nine := maglev(10, tableSize), maglev(9, tableSize)
	slots, moved := map[uint16]int{}, 0
	for i, e := range ten {
		slots[e]++
		if e < 9 && nine[i] != e {
			moved++
		}
	}
	require.Len(t, slots, 10)
	for e, n := range slots {
		require.InDelta(t, tableSize/10.0, n, 1, "endpoint %d", e)
	}
	require.Less(t, moved, tableSize/10)
}

// TestNAT: with few source ports flows come back to where they were.
func TestNAT(t *testing.T) {
	t.Parallel()
	few, many := byFlow(1024)(cluster(50), dice(1)), byFlow(ports)(cluster(50), dice(1))
	same := 0
	for i := range 1024 {
		require.Equal(t, few(i), few(i+1024))
		if many(i).Version == many(i+1024).Version {
			same++
		}
	}
	require.Less(t, same, 700)
}

// TestFewestConnections: everything goes to the fresh pod until it has as many
// connections as the others, and then it gets its share.
func TestFewestConnections(t *testing.T) {
	t.Parallel()
	long := fewest(crowd{arrivals: 0.4, stay: 12500})(cluster(10), dice(1))
	require.Equal(t, 500, heard(long, 500)[probe.Canary])

	first, later := 0, 0
	for seed := range uint64(100) {
		short := fewest(crowd{arrivals: 0.4, stay: 125})(cluster(10), dice(seed))
		first += heard(short, 10)[probe.Canary]
		heard(short, 90)
		later += heard(short, 1000)[probe.Canary]
	}
	require.Greater(t, first, 850, "of 1000: five connections are to be caught up with")
	require.InDelta(t, 10000, later, 1000)
	require.Equal(t, 5, heard(fewest(crowd{arrivals: 1, stay: 10})(cluster(100), dice(1)), 5)[probe.Canary])
}

func TestDraws(t *testing.T) {
	t.Parallel()
	random := dice(1)
	arrived, ended := 0, 0
	const n = 20000
	for range n {
		arrived += poisson(0.4, random)
		ended += binomial(50, 0.02, random)
	}
	require.InDelta(t, 0.4*n, arrived, 6*90, "the standard error is 89")
	require.InDelta(t, 1.0*n, ended, 6*140, "the standard error is 140")
	require.Zero(t, poisson(0, random))
	require.Zero(t, binomial(0, 0.5, random))

	chosen := map[int]int{}
	for range 3000 {
		chosen[least([]int{3, 1, 2, 1, 1}, random)]++
	}
	require.Len(t, chosen, 3)
	for _, i := range []int{1, 3, 4} {
		require.InDelta(t, 1000, chosen[i], 160)
	}
}
