package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/stats"
)

// question is what the share test of a stage is asked. The tables are made by
// prepare.
type question struct {
	test   stats.ShareTest // of a stage's first window
	ours   ruling          // the test's, to its budget
	whole  ruling          // as if no window could follow, to the same budget
	peeked ruling          // the naive rule's, to patience planned sizes
}

// patience is how long those go on who watch an interval, in planned sizes. Ours
// has an end at four of them.
const patience = 10

// newQuestion asks for a share within a tolerance at a confidence, all in percent.
func newQuestion(confidence, expected, tolerance rollout.Percent) *question {
	return &question{test: stats.NewShareTest(expected.Fraction(), tolerance.Fraction(), confidence.Fraction()).Window(0)}
}

// prepare makes the tables.
func (q *question) prepare() {
	q.ours = newRuling(q.test.Decide, q.test.Band, q.test.MaxSize)
	whole := stats.NewShareTest(q.test.Expected, q.test.Tolerance, q.test.Confidence)
	q.whole = newRuling(whole.Decide, q.test.Band, q.test.MaxSize)
	q.peeked = newRuling(peeking(q.test.Band), q.test.Band, patience*q.test.PlannedSize)
}

// String is the question as the tables name it.
func (q *question) String() string {
	return q.asked() + " at " + q.confidence()
}

// confidence is how it is asked, such as "95 %".
func (q *question) confidence() string { return number(100*q.test.Confidence) + " %" }

// asked is the band, such as "10 ± 5 %".
func (q *question) asked() string {
	if q.test.Expected == 1 {
		return "100 %"
	}
	return fmt.Sprintf("%s ± %s %%", number(100*q.test.Expected), number(100*q.test.Tolerance))
}

// peeking is what everybody does who watches an ordinary interval and stops when
// he likes it: the 95 % interval of Wilson, from the thirtieth answer on.
func peeking(band stats.Interval) rule {
	const first, confidence = 30, 0.95
	return func(k, n int) stats.Decision {
		shown := stats.Wilson(k, n, confidence)
		switch {
		case n < first:
			return stats.Continue
		case shown.Hi < band.Lo || shown.Lo > band.Hi:
			return stats.Fail
		case shown.Lo > band.Lo && (shown.Hi < band.Hi || band.Hi == 1):
			return stats.Pass
		}
		return stats.Continue
	}
}

// shareCell is a question where the true share is off by so many tolerances, and
// each flow goes where chance sends it.
type shareCell struct {
	*question
	off   float64 // in tolerances
	truth float64 // the true share
}

// offs are how far the balancer is off, in tolerances: not at all, half of what is
// allowed, just as much as is not allowed any more, and twice that.
var offs = []float64{-2, -1, -0.5, 0, 0.5, 1, 2}

// shareCells are the cells of a question; a share beyond 0 or 1 there is not.
func shareCells(q *question) []shareCell {
	var cells []shareCell
	for _, off := range offs {
		c := shareCell{q, off, q.test.Expected + off*q.test.Tolerance}
		switch off { // the very edge, not one that is a rounding away
		case -1:
			c.truth = q.test.Band.Lo
		case 1:
			c.truth = q.test.Band.Hi
		}
		if q.test.Expected == 1 && off > 0 {
			continue
		}
		c.truth = min(1, max(0, c.truth))
		cells = append(cells, c)
	}
	return cells
}

// onEdge reports whether the truth is the first share that must not pass.
func (c shareCell) onEdge() bool { return c.off == -1 || c.off == 1 }

func (c shareCell) name() string {
	return fmt.Sprintf("%s, truth %s %%", c.question, number(100*c.truth))
}

func (c shareCell) stages(s size) int { return s.shared }

// stage draws answers until both rules have ended, the naive one at our budget too.
func (c shareCell) stage(chance *rand.PCG) ending {
	limit, certain := threshold(c.truth)
	var e ending
	k, n := 0, 0
	for e.verdict == "" || e.naive == "" {
		n++
		if chance.Uint64() < limit || certain {
			k++
		}
		if e.verdict == "" && (n == c.test.MaxSize || !c.ours[n].open(int32(k))) {
			e.verdict, e.reason = c.decide(k, n)
			e.flows = n
		}
		if e.naive == "" && (n == c.test.MaxSize || !c.peeked[n].open(int32(k))) {
			e.naive = c.peeked.says(k, n)
		}
	}
	return e
}

// decide asks the test itself; the table has only said when.
func (c shareCell) decide(k, n int) (rollout.Verdict, rollout.Reason) {
	decision := c.test.Decide(k, n)
	if told := c.ours.says(k, n); told != decision && decision != stats.Inconclusive {
		panic(fmt.Sprintf("%s: the table says %s of %d/%d where the test says %s", c.question, told, k, n, decision))
	}
	switch decision {
	case stats.Pass:
		return rollout.Pass, rollout.ReasonPass
	case stats.Fail:
		return rollout.Fail, rollout.ReasonFailShare
	case stats.Inconclusive, stats.Continue:
	}
	return rollout.Inconclusive, rollout.ReasonInconclusive
}

// threshold is the number that a random one is below with a probability, or that it
// is certain.
func threshold(p float64) (limit uint64, certain bool) {
	if p >= 1 {
		return 0, true
	}
	return uint64(math.Ldexp(p, 64)), false
}
