package main

import (
	"fmt"

	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/test/page"
)

// balancers are how most stages behind each kind of balancer ended.
func (b bench) balancers() string {
	var t page.Table
	columns := []string{"balancer"}
	for _, share := range shares() {
		columns = append(columns, number(float64(share))+" %")
	}
	t.Head(1, columns...)
	for _, k := range kinds() {
		cells := []string{k.title}
		for _, share := range shares() {
			cells = append(cells, b.most(k, share))
		}
		t.Row(cells...)
	}
	return t.String() + fmt.Sprintf("\n%s simulated stages per figure, tolerance %s, confidence %s %%.\n",
		count(float64(b.sizes.judged)), number(float64(judgedTolerance)), number(float64(judgedConfidence)))
}

// most is the commonest ending behind a kind of balancer.
func (b bench) most(k kind, expected rollout.Percent) string {
	for _, r := range b.judged {
		if r.title == k.title && r.share == expected {
			best := r.commonest()
			return fmt.Sprintf("`%s` %s", best, share(r.reasons[best], r.total))
		}
	}
	return "–"
}

func (s sum) commonest() rollout.Reason {
	var best rollout.Reason
	for reason, n := range s.reasons {
		if n > s.reasons[best] || n == s.reasons[best] && reason < best {
			best = reason
		}
	}
	return best
}

// judgements are all figures behind them.
func (b bench) judgements() string {
	var t page.Table
	t.Head(1, "balancer", "share", "expected", "pass", "fail", "inconclusive", "invalid", "flows, mean", "nine of ten by")
	for _, r := range b.judged {
		mean := count(r.mean())
		if r.exact {
			mean = beside(mean, count(r.law.mean))
		}
		verdict := func(v rollout.Verdict) string { return share(r.verdicts[v], r.total) }
		t.Row(r.title, number(float64(r.share))+" %", percent(r.options.Expected.Fraction()),
			verdict(rollout.Pass), verdict(rollout.Fail), verdict(rollout.Inconclusive), verdict(rollout.Invalid),
			mean, count(float64(r.quantile(0.9))))
	}
	return t.String()
}
