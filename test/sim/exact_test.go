package main

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/stats"
)

// TestExactByEnumeration plays all sequences of answers one by one.
func TestExactByEnumeration(t *testing.T) {
	t.Parallel()
	const limit = 14
	rule := func(k, n int) stats.Decision {
		switch share := float64(k) / float64(n); {
		case n < 4:
			return stats.Continue
		case share > 0.7:
			return stats.Fail
		case share >= 0.3 && share <= 0.5 && n > 6:
			return stats.Pass
		}
		return stats.Continue
	}
	r := newRuling(rule, stats.Interval{Lo: 0.3, Hi: 0.5}, limit)
	for _, p := range []float64{0.1, 0.4, 0.65} {
		var want course
		byN := make([]float64, limit+1)
		for sequence := range 1 << limit {
			k, n, chance := 0, 0, 1.0
			decision := stats.Continue
			for n < limit && decision == stats.Continue {
				if sequence>>n&1 == 1 {
					k++
				}
				n++
				decision = rule(k, n)
			}
			for i := range limit {
				chance *= math.Abs(float64(1-sequence>>i&1) - p)
			}
			switch decision {
			case stats.Pass:
				want.pass += chance
			case stats.Fail:
				want.fail += chance
			case stats.Continue, stats.Inconclusive:
				want.inconclusive += chance
			}
			want.mean += chance * float64(n)
			want.sd += chance * float64(n) * float64(n)
			byN[n] += chance
		}
		got := r.follow(p, limit)
		require.InDelta(t, want.pass, got.pass, 1e-12)
		require.InDelta(t, want.fail, got.fail, 1e-12)
		require.InDelta(t, want.inconclusive, got.inconclusive, 1e-12)
		require.InDelta(t, want.mean, got.mean, 1e-12)
		require.InDelta(t, math.Sqrt(want.sd-want.mean*want.mean), got.sd, 1e-9)
		ended := 0.0
		for n, chance := range byN {
			ended += chance
			require.InDelta(t, ended, got.by[n], 1e-12, "n = %d", n)
		}
	}
}

// TestExactTable are the figures of the required probes (statistics.md 2.2), which
// were computed elsewhere for a test without a reserve. That of a first window passes the
// same shares a little later, and no sooner.
func TestExactTable(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		expected, tolerance        int
		planned, median, mean, p90 int
		inTurns                    int
		inconclusive               float64
	}{
		{expected: 5, tolerance: 5, planned: 823, median: 898, mean: 1034, p90: 1578, inTurns: 849, inconclusive: 9e-4},
		{expected: 10, tolerance: 5, planned: 390, median: 427, mean: 487, p90: 735, inTurns: 403, inconclusive: 8e-4},
		{expected: 25, tolerance: 5, planned: 812, median: 904, mean: 1012, p90: 1474, inTurns: 733, inconclusive: 3e-4},
		{expected: 50, tolerance: 5, planned: 1083, median: 1205, mean: 1348, p90: 1959, inTurns: 920, inconclusive: 2e-4},
		{expected: 10, tolerance: 3, planned: 1083, median: 1200, mean: 1354, p90: 1995, inTurns: 1034, inconclusive: 4e-4},
	} {
		q := prepared(95, row.expected, row.tolerance)
		c := q.whole.follow(q.test.Expected, q.test.MaxSize)
		require.Equal(t, row.planned, q.test.PlannedSize)
		require.Equal(t, row.median, c.quantile(0.5), q)
		require.InDelta(t, row.mean, c.mean, 1, q)
		require.InDelta(t, row.p90, c.quantile(0.9), 1, q)
		require.Equal(t, row.inTurns, q.whole.takingTurns(q.test.Expected), q)
		require.InEpsilon(t, row.inconclusive, c.inconclusive, 0.3, q)
		require.InDelta(t, 1, c.pass+c.fail+c.inconclusive, 1e-9, q)
		require.Less(t, c.fail, 2.5e-5, q)

		first := q.ours.follow(q.test.Expected, q.test.MaxSize)
		require.Greater(t, first.mean, c.mean, q)
		require.InEpsilon(t, row.mean, first.mean, 0.025, q)
		require.Greater(t, first.quantile(0.5), row.median, q)
		require.Less(t, first.fail, c.fail, q)
		require.InEpsilon(t, row.inconclusive, first.inconclusive, 0.6, q)
		for n, by := range first.by {
			require.LessOrEqual(t, by, c.by[n]+1e-9, "%s, by %d", q, n)
		}
	}
}

// TestExactErrors: as many false passes as were found elsewhere (V12) for a test that
// goes on, and about one in five for those who watch an ordinary interval as long.
func TestExactErrors(t *testing.T) {
	t.Parallel()
	q := prepared(95, 10, 5)
	whole := stats.NewShareTest(0.10, 0.05, 0.95).WithBudget(2600)
	long := newRuling(whole.Decide, whole.Band, 2600)
	require.InDelta(t, 0.0086, long.follow(q.test.Band.Lo, 2600).pass, 1e-4)
	require.InDelta(t, 0.0134, long.follow(q.test.Band.Hi, 2600).pass, 1e-4)
	require.InDelta(t, 0.20, q.peeked.follow(q.test.Band.Lo, 3900).pass, 0.02)
	require.InDelta(t, 0.20, q.peeked.follow(q.test.Band.Hi, 3900).pass, 0.02)
	require.Equal(t, 416, q.whole.follow(0.20, 1560).quantile(0.5))
	for _, edge := range []float64{q.test.Band.Lo, q.test.Band.Hi} {
		require.Less(t, q.ours.follow(edge, 1560).pass, q.whole.follow(edge, 1560).pass)
	}

	full := prepared(95, 100, 5)
	edge := full.ours.follow(0.99, full.test.MaxSize)
	require.InDelta(t, math.Pow(0.99, 299), edge.pass, 1e-12, "299 right ones in a row")
	require.InDelta(t, 1-math.Pow(0.99, 299), edge.fail, 1e-12)
	require.InDelta(t, 299, full.ours.follow(1, full.test.MaxSize).mean, 1e-9)
}
