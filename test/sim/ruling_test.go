package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/stats"
)

// TestRulingIsTheRule asks the rule everywhere, not only along the borders: at every
// k, and at every n or, of the long ones, some.
func TestRulingIsTheRule(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		asked *question
		step  int
	}{
		{newQuestion(95, 10, 5), 1},
		{newQuestion(95, 100, 5), 1},
		{newQuestion(95, 0, 5), 1},
		{newQuestion(60, 50, 25), 1}, // decides before anything may pass
		{newQuestion(95, 80, 5), 7},
		{newQuestion(99, 5, 5), 13},
	} {
		t.Run(row.asked.String(), func(t *testing.T) {
			t.Parallel()
			asked := row.asked
			asked.prepare()
			seen := map[stats.Decision]int{}
			for n := 0; n <= asked.test.MaxSize; n += row.step {
				for k := 0; k <= n; k++ {
					want := asked.test.Decide(k, n)
					seen[want]++
					if want == stats.Inconclusive {
						want = stats.Continue
					}
					if got := asked.ours.says(k, n); got != want {
						require.Equal(t, want, got, "%d/%d", k, n)
					}
				}
			}
			require.Positive(t, seen[stats.Pass])
			require.Positive(t, seen[stats.Fail])
		})
	}
}

func TestRulingIsTheNaiveRule(t *testing.T) {
	t.Parallel()
	for _, asked := range []*question{newQuestion(95, 10, 5), newQuestion(95, 100, 5)} {
		asked.prepare()
		rule := peeking(asked.test.Band)
		for n := range 1000 {
			for k := 0; k <= n; k++ {
				if want, got := rule(k, n), asked.peeked.says(k, n); got != want {
					require.Equal(t, want, got, "%s: %d/%d", asked, k, n)
				}
			}
		}
	}
}

// TestRulingLosesAndFindsItsPasses: a rule may pass at one n, nowhere at the next,
// and elsewhere after that.
func TestRulingLosesAndFindsItsPasses(t *testing.T) {
	t.Parallel()
	rule := func(k, n int) stats.Decision {
		switch {
		case n%3 == 0 && k == n/3, n%5 == 0 && k >= n/4 && k <= n/2:
			return stats.Pass
		case k > n/2+1:
			return stats.Fail
		}
		return stats.Continue
	}
	r := newRuling(rule, stats.Interval{Lo: 0.25, Hi: 0.5}, 200)
	for n := 1; n <= 200; n++ {
		for k := 0; k <= n; k++ {
			require.Equal(t, rule(k, n), r.says(k, n), "%d/%d", k, n)
		}
	}
}

// TestNaiveRule is the rule in figures: 5 of 30 has the interval 7.3 to 33.6 %, 9 of
// 100 4.8 to 16.2 %, 90 of 900 8.2 to 12.1 %.
func TestNaiveRule(t *testing.T) {
	t.Parallel()
	rule := peeking(stats.Interval{Lo: 0.05, Hi: 0.15})
	require.Equal(t, stats.Continue, rule(3, 29))
	require.Equal(t, stats.Continue, rule(29, 29), "not before the thirtieth answer")
	require.Equal(t, stats.Fail, rule(30, 30))
	require.Equal(t, stats.Continue, rule(5, 30))
	require.Equal(t, stats.Continue, rule(9, 100))
	require.Equal(t, stats.Pass, rule(90, 900))
	require.Equal(t, stats.Fail, rule(0, 100))
	certain := peeking(stats.Interval{Lo: 0.99, Hi: 1})
	require.Equal(t, stats.Continue, certain(380, 380))
	require.Equal(t, stats.Pass, certain(381, 381), "3.84/(381+3.84) is below 1 %")
}
