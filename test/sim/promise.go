package main

import (
	"fmt"
	"math"

	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/stats"
)

// What is promised beside the confidence.
const (
	mostFalseFails = 0.001 // of stages whose share is as expected
	meanWithin     = 0.15  // of the exact figure, and of that without a reserve
	leastWanted    = 0.99  // of stages end as the kind of balancer says
)

// sampling is the confidence of what is said of simulated counts: with a few
// hundred cells, a sound bench speaks up less than once in a thousand seeds.
const sampling = 1 - 1e-6

// rounding is what a law loses to courses that are too unlikely to follow.
const rounding = 1e-7

// around is what a count says of the probability behind it.
func around(k, n int) stats.Interval { return stats.ClopperPearson(k, n, sampling) }

// broken are the promises that the bench found broken.
func (b bench) broken() []string {
	var all []string
	for _, r := range b.shared {
		all = append(all, r.broken()...)
	}
	for _, r := range b.judged {
		all = append(all, r.broken()...)
	}
	return all
}

func (r shareRow) broken() []string {
	var found findings
	found.name = r.name()
	alpha := 1 - r.test.Confidence
	if r.onEdge() {
		found.atMost("false passes, exactly", r.exact.pass, alpha)
		found.atMost("false passes", around(r.verdicts[rollout.Pass], r.total).Lo, alpha)
	}
	if r.off == 0 {
		found.atMost("false fails, exactly", r.exact.fail, mostFalseFails)
		found.atMost("false fails", around(r.verdicts[rollout.Fail], r.total).Lo, mostFalseFails)
		found.near(r.mean(), r.whole, r.total, "exactly without a reserve")
	}
	found.near(r.mean(), r.exact, r.total, "exactly")
	found.agrees("passes", r.verdicts[rollout.Pass], r.total, r.exact.pass)
	found.agrees("fails", r.verdicts[rollout.Fail], r.total, r.exact.fail)
	found.agrees("inconclusive stages", r.verdicts[rollout.Inconclusive], r.total, r.exact.inconclusive)
	for _, q := range []float64{0.5, 0.9} {
		n := r.exact.quantile(q)
		found.agrees(fmt.Sprintf("ends by %d flows", n), r.endedBy(n), r.total, r.exact.by[n])
	}
	found.agrees("passes of the naive rule", r.naive[stats.Pass], r.total, r.naiveExact.pass)
	found.agrees("fails of the naive rule", r.naive[stats.Fail], r.total, r.naiveExact.fail)
	return found.all
}

func (r judgedRow) broken() []string {
	var found findings
	found.name = r.name()
	if want := r.wanted(); want != "" {
		if likely := around(r.reasons[want], r.total).Hi; likely < leastWanted {
			found.add("%s in less than %s of the stages: %s", want, percent(leastWanted), percent(likely))
		}
		if want == rollout.ReasonPass {
			found.atMost("false fails", around(r.verdicts[rollout.Fail], r.total).Lo, r.mostFails())
		}
	}
	if r.wrong {
		found.atMost("false passes", around(r.verdicts[rollout.Pass], r.total).Lo, 1-judgedConfidence.Fraction())
	}
	if r.exact {
		found.near(r.mean(), r.law, r.total, "exactly")
	}
	return found.all
}

// mostFails is how many stages may fail whose share is as expected. While the
// balancer is late it is not: the share of the stage before may lie on an edge.
func (c judgedCell) mostFails() float64 {
	if c.late > 0 {
		return 1 - judgedConfidence.Fraction()
	}
	return mostFalseFails
}

// wanted is the reason that nearly all stages are to end with. At 100 % every
// balancer of canaries alone is right.
func (c judgedCell) wanted() rollout.Reason {
	if c.share == 100 && c.want == rollout.ReasonInvalidSticky {
		return rollout.ReasonPass
	}
	return c.want
}

// findings are the broken promises of one cell.
type findings struct {
	name string
	all  []string
}

func (f *findings) add(format string, values ...any) {
	f.all = append(f.all, f.name+": "+fmt.Sprintf(format, values...))
}

func (f *findings) atMost(what string, found, limit float64) {
	if found > limit+1e-12 { // 1 - 0.95 is not 0.05
		f.add("%s: %s, and at most %s is promised", what, percent(found), percent(limit))
	}
}

// near holds the mean of n stages against the exact one: what is left when six
// standard errors are forgiven, of which a full bench has next to none.
func (f *findings) near(mean float64, exact course, n int, how string) {
	const forgiven = 6
	off := math.Abs(mean-exact.mean) - forgiven*exact.sd/math.Sqrt(float64(n))
	if off > meanWithin*exact.mean {
		f.add("%s flows on average, and %s %s", count(mean), count(exact.mean), how)
	}
}

func (f *findings) agrees(what string, k, n int, exact float64) {
	if seen := around(k, n); exact < seen.Lo-rounding || exact > seen.Hi+rounding {
		f.add("%s: %d of %d, which does not go with %s", what, k, n, percent(exact))
	}
}
