package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/stats"
)

// TestGrid: what the tables have to have, each once.
func TestGrid(t *testing.T) {
	t.Parallel()
	asked, names := map[string]bool{}, map[string]bool{}
	for _, q := range questions() {
		require.False(t, asked[q.String()], "%s twice", q)
		asked[q.String()] = true
		for _, c := range shareCells(q) {
			require.False(t, names[c.name()], "%s twice", c.name())
			names[c.name()] = true
		}
	}
	for _, want := range []string{
		"5 ± 2.5 % at 95 %", "10 ± 5 % at 95 %", "10 ± 3 % at 99 %", "25 ± 2.5 % at 95 %", "50 ± 2.5 % at 99 %", "80 ± 5 % at 99 %", "100 % at 95 %",
	} {
		require.True(t, asked[want], want)
	}
	require.Len(t, asked, 2*(1+4*3+1))
	require.Len(t, names, 2*(13*7+4), "7 truths each, and 4 below 100 %")
	for _, c := range judgedCells() {
		require.False(t, names[c.name()], "%s twice", c.name())
		names[c.name()] = true
	}
}

// TestTruths: the edges are those of the band itself, and shares stay shares.
func TestTruths(t *testing.T) {
	t.Parallel()
	q := newQuestion(95, 5, 5)
	truths := map[float64]float64{}
	for _, c := range shareCells(q) {
		truths[c.off] = c.truth
	}
	require.Equal(t, q.test.Band.Lo, truths[-1])
	require.Equal(t, q.test.Band.Hi, truths[1])
	require.InDelta(t, 0.0375, truths[-0.5], 1e-15)
	require.InDelta(t, 0.10, truths[2], 1e-15)
	require.InDelta(t, 0, truths[-2], 1e-15)
	require.Len(t, truths, 7)
	require.Len(t, shareCells(newQuestion(95, 100, 5)), 4)
}

// TestStageOfCertainShares: what always or never happens needs no statistics.
func TestStageOfCertainShares(t *testing.T) {
	t.Parallel()
	q := prepared(95, 100, 5)
	for _, row := range []struct {
		truth float64
		want  ending
	}{
		{1, ending{rollout.Pass, rollout.ReasonPass, 299, stats.Pass}},
		{0, ending{rollout.Fail, rollout.ReasonFailShare, 1, stats.Fail}},
	} {
		got := shareCell{question: q, truth: row.truth}.stage(chanceOf(1, "certain", 0))
		require.Equal(t, row.want, got)
	}
}

// TestTableIsChecked: a stage whose table says what the test does not say is a bug of
// the bench, and no figure.
func TestTableIsChecked(t *testing.T) {
	t.Parallel()
	q := prepared(95, 10, 5)
	q.ours[100] = look{failLow: 100, failHigh: 101, passLow: 1, passHigh: 0}
	require.PanicsWithValue(t, "10 ± 5 % at 95 %: the table says fail of 12/100 where the test says continue", func() {
		shareCell{question: q}.decide(12, 100)
	})
}

func TestSum(t *testing.T) {
	t.Parallel()
	a, b := newSum(), newSum()
	for flows := range 10 {
		a.add(ending{rollout.Pass, rollout.ReasonPass, flows + 1, stats.Fail})
	}
	b.add(ending{rollout.Fail, rollout.ReasonFailShare, 100, stats.Pass})
	a.merge(b)
	require.Equal(t, 11, a.total)
	require.Equal(t, map[rollout.Verdict]int{rollout.Pass: 10, rollout.Fail: 1}, a.verdicts)
	require.Equal(t, map[stats.Decision]int{stats.Fail: 10, stats.Pass: 1}, a.naive)
	require.InDelta(t, 155.0/11, a.mean(), 1e-12)
	require.Equal(t, 6, a.quantile(0.5))
	require.Equal(t, 10, a.quantile(0.9))
	require.Equal(t, 100, a.quantile(1))
	require.Equal(t, 10, a.endedBy(99))
	require.Equal(t, 11, a.endedBy(100))
	require.Equal(t, rollout.ReasonPass, a.commonest())
}

// TestLate: a balancer that knows of nothing for a while does not fail a stage, and
// the flows of that while are counted.
func TestLate(t *testing.T) {
	t.Parallel()
	late := newJudgedCell(kind{title: "late", spread: independent, late: 500}, 25)
	require.Equal(t, rollout.Percent(10), late.before)
	for stage := range 50 {
		got := late.stage(chanceOf(1, "late", stage))
		require.Equal(t, rollout.Pass, got.verdict)
		require.Greater(t, got.flows, 700)
	}
	never := newJudgedCell(kind{title: "never", spread: independent, late: 1 << 30}, 25)
	for stage := range 20 {
		got := never.stage(chanceOf(1, "never", stage))
		require.Equal(t, rollout.Fail, got.verdict)
		require.Greater(t, got.flows, 500, "in a minute, of which it waits the most")
	}
}
