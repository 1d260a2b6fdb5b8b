package main

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/stats"
)

// TestAgreesWithExact is the bench itself, small: a few hundred stages of some cells
// go with the exact figures, within the exact binomial bounds at one in a million,
// and no promise is broken. The seed is not chosen: the next test takes others.
func TestAgreesWithExact(t *testing.T) {
	t.Parallel()
	b := small(1, `^(10 ± 5|80 ± 5|100) % at 95 %|^(10 ± 5|100) % at 99 %|^(random|round robin|hash of .*|node, then pod.*), (10|80|100) %`)
	require.Len(t, b.shared, 3*7+2*4)
	require.Len(t, b.judged, 8*3)
	require.Empty(t, b.broken())
}

// TestManySeeds shows that agreement is no luck of one seed.
func TestManySeeds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		require.Empty(t, small(seed, `^10 ± 5 % at 95 %|^hash of the client, 50`).broken(), "seed %d", seed)
	}
}

// honest are rows whose counts are what the exact figures say.
func honest(t *testing.T) (edge, centre shareRow) {
	t.Helper()
	b := bench{}
	for _, c := range shareCells(newQuestion(95, 10, 5)) {
		b.shared = append(b.shared, shareRow{shareCell: c})
	}
	b.reckon()
	const n = 20000
	for i := range b.shared {
		r := &b.shared[i]
		r.sum = newSum()
		r.total = n
		r.verdicts[rollout.Pass] = int(r.exact.pass * n)
		r.verdicts[rollout.Fail] = int(r.exact.fail * n)
		r.verdicts[rollout.Inconclusive] = int(r.exact.inconclusive * n)
		r.naive[stats.Pass] = int(r.naiveExact.pass * n)
		r.naive[stats.Fail] = int(r.naiveExact.fail * n)
		ended := 0
		for flows, by := range r.exact.by {
			if now := int(by*n + 0.5); now > ended {
				r.flows[flows], ended = now-ended, now
			}
		}
	}
	rows := b.questions()[0]
	require.Empty(t, b.broken())
	return *rows.at(1), *rows.at(0)
}

// TestBrokenPromises breaks each promise by itself.
func TestBrokenPromises(t *testing.T) {
	t.Parallel()
	edge, centre := honest(t)
	with := func(r shareRow, change func(*shareRow)) []string {
		r.verdicts, r.flows, r.naive = maps.Clone(r.verdicts), maps.Clone(r.flows), maps.Clone(r.naive)
		change(&r)
		return r.broken()
	}
	for want, got := range map[string][]string{
		"10 ± 5 % at 95 %, truth 15 %: false passes, exactly: 5.1 %, and at most 5 % is promised": with(edge, func(r *shareRow) {
			r.exact.pass = 0.051
		}),
		"10 ± 5 % at 95 %, truth 15 %: false passes: 5.31 %, and at most 5 % is promised": with(edge, func(r *shareRow) {
			r.verdicts[rollout.Pass] = 1220
		}),
		"10 ± 5 % at 95 %, truth 10 %: false fails: 0.113 %, and at most 0.1 % is promised": with(centre, func(r *shareRow) {
			r.verdicts[rollout.Fail] = 50
		}),
		"10 ± 5 % at 95 %, truth 10 %: false fails, exactly: 0.2 %, and at most 0.1 % is promised": with(centre, func(r *shareRow) {
			r.exact.fail = 0.002
		}),
		"10 ± 5 % at 95 %, truth 10 %: passes: 19000 of 20000, which does not go with 99.9 %": with(centre, func(r *shareRow) {
			r.verdicts[rollout.Pass] = 19000
		}),
		"10 ± 5 % at 95 %, truth 15 %: inconclusive stages: 0 of 20000, which does not go with 97.82 %": with(edge, func(r *shareRow) {
			r.verdicts[rollout.Inconclusive] = 0
		}),
		"10 ± 5 % at 95 %, truth 15 %: passes of the naive rule: 5000 of 20000, which does not go with 15.03 %": with(edge, func(r *shareRow) {
			r.naive[stats.Pass] = 5000
		}),
		"10 ± 5 % at 95 %, truth 10 %: 600 flows on average, and 498 exactly": with(centre, func(r *shareRow) {
			clear(r.flows)
			r.flows[500], r.flows[700] = r.total/2, r.total/2
		}),
		"10 ± 5 % at 95 %, truth 10 %: 600 flows on average, and 487 exactly without a reserve": with(centre, func(r *shareRow) {
			clear(r.flows)
			r.flows[500], r.flows[700] = r.total/2, r.total/2
		}),
		"10 ± 5 % at 95 %, truth 10 %: ends by 437 flows: 20000 of 20000, which does not go with 50.84 %": with(centre, func(r *shareRow) {
			clear(r.flows)
			r.flows[420] = r.total
		}),
	} {
		require.Contains(t, got, want)
	}
}

// TestBrokenJudgements does the same to the cells that the judge saw.
func TestBrokenJudgements(t *testing.T) {
	t.Parallel()
	row := func(k kind, share rollout.Percent, reasons map[rollout.Reason]int, verdicts map[rollout.Verdict]int) judgedRow {
		r := judgedRow{judgedCell: newJudgedCell(k, share), sum: newSum()}
		r.reasons, r.verdicts = reasons, verdicts
		for _, n := range verdicts {
			r.total += n
		}
		return r
	}
	sticky := kind{title: "sticky", spread: bySource, want: rollout.ReasonInvalidSticky}
	fair := kind{title: "fair", spread: independent, want: rollout.ReasonPass}
	biased := kind{title: "biased", spread: leaning(1), wrong: true}
	type (
		reasons  = map[rollout.Reason]int
		verdicts = map[rollout.Verdict]int
	)
	for _, tt := range []struct {
		row  judgedRow
		want []string
	}{
		{row(sticky, 10, reasons{rollout.ReasonInvalidSticky: 1000}, verdicts{rollout.Invalid: 1000}), nil},
		{row(sticky, 100, reasons{rollout.ReasonPass: 1000}, verdicts{rollout.Pass: 1000}), nil},
		{
			row(sticky, 10, reasons{rollout.ReasonInvalidSticky: 900, rollout.ReasonPass: 100}, verdicts{rollout.Invalid: 900, rollout.Pass: 100}),
			[]string{"sticky, 10 %: INVALID_STICKY in less than 99 % of the stages: 94.03 %"},
		},
		{
			row(fair, 10, reasons{rollout.ReasonPass: 995, rollout.ReasonFailShare: 15}, verdicts{rollout.Pass: 995, rollout.Fail: 15}),
			[]string{"fair, 10 %: false fails: 0.292 %, and at most 0.1 % is promised"},
		},
		{row(biased, 10, reasons{rollout.ReasonPass: 50}, verdicts{rollout.Pass: 50, rollout.Inconclusive: 950}), nil},
		{
			row(biased, 10, reasons{rollout.ReasonPass: 150}, verdicts{rollout.Pass: 150, rollout.Inconclusive: 850}),
			[]string{"biased, 10 %: false passes: 10.02 %, and at most 5 % is promised"},
		},
	} {
		require.Equal(t, tt.want, tt.row.broken())
	}
}
