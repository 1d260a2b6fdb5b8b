package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/stats"
	"github.com/org/l4-canary/test/page"
)

// Cells of the tables: what was simulated, with what is exact in brackets.
func (r *shareRow) passes() string {
	return beside(share(r.verdicts[rollout.Pass], r.total), percent(r.exact.pass))
}

func (r *shareRow) fails() string {
	return beside(share(r.verdicts[rollout.Fail], r.total), percent(r.exact.fail))
}

func (r *shareRow) undecided() string {
	return beside(share(r.verdicts[rollout.Inconclusive], r.total), percent(r.exact.inconclusive))
}

func (r *shareRow) naively() string {
	return beside(share(r.naive[stats.Pass], r.total), percent(r.naiveExact.pass))
}

func (r *shareRow) flowsOnAverage() string {
	return beside(count(r.mean()), count(r.exact.mean))
}

func (r *shareRow) flowsBy(q float64) string {
	return beside(count(float64(r.quantile(q))), count(float64(r.exact.quantile(q))))
}

// right are the stages whose share is as expected.
func (b bench) right() string {
	var t page.Table
	t.Head(2, "confidence", "expected", "planned", "pass", "fail", "inconclusive",
		"flows, mean", "mean, no reserve", "half by", "nine of ten by", "in turns")
	for _, rows := range b.questions() {
		r := rows.at(0)
		if r == nil {
			continue
		}
		t.Row(r.confidence(), r.asked(), count(float64(r.test.PlannedSize)), r.passes(), r.fails(), r.undecided(),
			r.flowsOnAverage(), count(r.whole.mean), r.flowsBy(0.5), r.flowsBy(0.9), count(float64(r.ours.takingTurns(r.test.Expected))))
	}
	return t.String()
}

// wrong are the stages whose share is off.
func (b bench) wrong() string {
	var t page.Table
	t.Head(2, "confidence", "expected", "half below: pass", "half above: pass", "lower edge: pass", "upper edge: pass",
		"Wilson, lower edge: pass", "Wilson, upper edge: pass", "twice off: fail", "flows for that")
	for _, rows := range b.questions() {
		t.Row(rows[0].confidence(), rows[0].asked(), rows.show(-0.5, (*shareRow).passes), rows.show(0.5, (*shareRow).passes),
			rows.show(-1, (*shareRow).passes), rows.show(1, (*shareRow).passes),
			rows.show(-1, (*shareRow).naively), rows.show(1, (*shareRow).naively),
			rows.show(rows.far(), (*shareRow).fails), rows.show(rows.far(), (*shareRow).flowsOnAverage))
	}
	least, most := b.watched()
	return t.String() + fmt.Sprintf("\nWatched for %d planned sizes instead of 4, the interval of Wilson passes %s to %s of the shares on an edge.\n",
		patience, strings.TrimSuffix(percent(least), " %"), percent(most))
}

// cells are all figures, a row for each true share.
func (b bench) cells() string {
	var t page.Table
	t.Head(3, "confidence", "expected", "true share", "pass", "fail", "inconclusive", "flows, mean", "nine of ten by",
		"Wilson: pass", "Wilson: fail")
	for i := range b.shared {
		r := &b.shared[i]
		t.Row(r.confidence(), r.asked(), number(100*r.truth)+" %", r.passes(), r.fails(), r.undecided(),
			r.flowsOnAverage(), r.flowsBy(0.9), r.naively(),
			beside(share(r.naive[stats.Fail], r.total), percent(r.naiveExact.fail)))
	}
	return t.String()
}

// watched is how often the naive rule passes a share on an edge, at least and at
// most, if it is given time; 100 % has no tolerance and is left out.
func (b bench) watched() (least, most float64) {
	least = 1
	for _, r := range b.shared {
		if r.onEdge() && r.test.Expected < 1 {
			least, most = min(least, r.watched.pass), max(most, r.watched.pass)
		}
	}
	return least, most
}

// glance is the table for the defaults of tolerance and confidence.
func (b bench) glance() string {
	var t page.Table
	t.Head(1, "expected", "half decided by", "nine of ten by", "right share fails", "right share stays open",
		"share on the edge passes", "the same, ordinary interval", "share twice off fails")
	for _, rows := range b.questions() {
		r := rows.at(0)
		edge := rows.edge()
		if r == nil || edge == nil || !r.byDefault() {
			continue
		}
		t.Row(r.asked(), inTime(r.quantile(0.5)), inTime(r.quantile(0.9)),
			share(r.verdicts[rollout.Fail], r.total), share(r.verdicts[rollout.Inconclusive], r.total),
			share(edge.verdicts[rollout.Pass], edge.total), share(edge.naive[stats.Pass], edge.total),
			rows.show(rows.far(), func(r *shareRow) string { return share(r.verdicts[rollout.Fail], r.total) }))
	}
	return t.String() + fmt.Sprintf("\n%s simulated stages per figure, seed %d.\n", count(float64(b.sizes.shared)), b.seed)
}

// byDefault reports whether the defaults ask this: 95 %, and 5 points or what they
// are cut to.
func (q *question) byDefault() bool {
	e := q.test.Expected
	return q.test.Confidence == judgedConfidence.Fraction() &&
		(e == 1 || q.test.Tolerance == min(judgedTolerance.Fraction(), e/2, (1-e)/2))
}

// inTime is a number of flows, and how long they take at the default rate.
func inTime(flows int) string {
	const rate = 50
	return fmt.Sprintf("%s, %.0f s", count(float64(flows)), math.Ceil(float64(flows)/rate))
}

// answers are the rows of one question.
type answers []shareRow

// questions are the rows, by question.
func (b bench) questions() []answers {
	var all []answers
	for i, r := range b.shared {
		if i == 0 || b.shared[i-1].question != r.question {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], r)
	}
	return all
}

// at is the row that is so far off, or nil.
func (a answers) at(off float64) *shareRow {
	for i := range a {
		if a[i].off == off {
			return &a[i]
		}
	}
	return nil
}

func (a answers) show(off float64, what func(*shareRow) string) string {
	if r := a.at(off); r != nil {
		return what(r)
	}
	return "–"
}

// far is twice off: below, where a share of nothing would be easy, only if there is
// no share above.
func (a answers) far() float64 {
	if a.at(2) != nil {
		return 2
	}
	return -2
}

// edge is the edge at which more pass.
func (a answers) edge() *shareRow {
	low, high := a.at(-1), a.at(1)
	if high == nil || low != nil && low.verdicts[rollout.Pass] > high.verdicts[rollout.Pass] {
		return low
	}
	return high
}
