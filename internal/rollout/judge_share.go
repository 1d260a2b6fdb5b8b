package rollout

import (
	"fmt"

	"github.com/org/l4-canary/internal/stats"
)

// mostMoves is how often a window begins again because the share moved in it.
const mostMoves = 3

// course is how the share went over the windows of a port.
type course struct {
	moves int // windows that began again because the share moved
	again int // answers before which a decision that is held up is not looked at again

	// The share when sampling began: in the first window, or in the first half of it
	// while it lasts. What falls from there looks like least connections.
	canary, answers int
}

// remember keeps how the first window was.
func (c *course) remember(sequence []bool) {
	if c.answers == 0 {
		c.canary, c.answers = countTrue(sequence), len(sequence)
	}
}

func countTrue(sequence []bool) int {
	n := 0
	for _, yes := range sequence {
		n += one(yes)
	}
	return n
}

// lookAtShare compares the observed share with the expected one.
//
// A sequence that is constant as yet is not judged by its share: that nobody
// else has answered looks the same whether a balancer sticks to the prober, or
// hashes its address, or has never heard of the canary. It goes on until it is
// improbable enough to be called sticky.
func (p *portJudge) lookAtShare(final bool) {
	over := final || p.tally.samples() >= p.budget
	constant := p.mayStick() && p.constant()
	if constant && p.sticky() {
		p.decide(Invalid, ReasonInvalidSticky, p.stickyDetail())
		return
	}
	decision := p.plain(over)
	if constant && decision == stats.Fail {
		decision = stats.Continue
	}
	if p.decided(decision) && !p.stationary() {
		p.move(decision, over)
		return
	}
	switch p.tempered(decision) {
	case stats.Fail:
		p.conclude(Fail, ReasonFailShare, p.figures()+p.leastConnections())
	case stats.Pass:
		if !over && p.gates.times.suspected(p.options.Confidence.Fraction()) {
			p.holdUp()
			return
		}
		p.conclude(Pass, ReasonPass, p.figures())
	case stats.Continue, stats.Inconclusive:
		if over {
			p.conclude(Inconclusive, ReasonInconclusive, p.openDetail())
		}
	}
}

func (p *portJudge) decided(d stats.Decision) bool { return d == stats.Pass || d == stats.Fail }

// holdUp has a decision that is due wait: it takes all answers to be looked at again, so
// that is done when there are 1 % more of them, and not with each.
func (p *portJudge) holdUp() {
	n := p.tally.attributed()
	p.course.again = n + n/100 + 1
}

// plain is the decision of the share test, while none is held up.
func (p *portJudge) plain(over bool) stats.Decision {
	k, n := p.tally.canary, p.tally.attributed()
	if n < p.course.again && !over {
		return stats.Continue
	}
	return p.test.Decide(k, n)
}

// tempered is a decision with counts that are divided by their scatter if that is larger
// than chance allows: then they are worth fewer independent ones.
func (p *portJudge) tempered(decision stats.Decision) stats.Decision {
	if !p.decided(decision) {
		return decision
	}
	decision = p.scattered().Decide(p.tally.canary, p.tally.attributed())
	if !p.decided(decision) {
		p.holdUp()
	}
	return decision
}

// certain reports whether all answers are expected from one side.
func (p *portJudge) certain() bool { return p.test.Expected == 0 || p.test.Expected == 1 }

// scatterBatches is into how many stretches a window is cut to see how its share
// scatters, and scatterSize how many answers each has at least: with less, the law that
// chance is measured by does not hold.
const (
	scatterBatches = 20
	scatterSize    = 10
)

// scatter compares the stretches of the window.
func (p *portJudge) scatter() stats.Dispersion {
	sequence := p.tally.sequence
	return stats.NewDispersion(stats.Batches(sequence, min(scatterBatches, len(sequence)/scatterSize)))
}

// scattered is the test with counts that are divided by their scatter.
func (p *portJudge) scattered() stats.ShareTest {
	if p.certain() {
		return p.test
	}
	return p.test.WithDispersion(p.scatter().Correction())
}

// halves are the answers of the canary in the two halves of a window.
func (t *tally) halves() (hits, sizes []int) { return stats.Batches(t.sequence, 2) }

// stationary reports whether both halves of the window can have one share. A
// decision about a share that moved would be about no split that ever was.
func (p *portJudge) stationary() bool {
	if p.certain() {
		return true // one wrong answer decides there
	}
	hits, sizes := p.tally.halves()
	return stats.Stationary(hits[0], sizes[0], hits[1], sizes[1])
}

// move begins the window again because the share moved in it, within max-probes, or
// gives up: a share that keeps moving passes nothing, but it may well be far from where
// it should be.
func (p *portJudge) move(decision stats.Decision, over bool) {
	if left := p.budget - p.tally.samples(); !over && p.course.moves < mostMoves {
		p.restart()
		p.course.moves++
		if p.options.MaxProbes > 0 {
			p.budget = left
		}
		return
	}
	if decision == stats.Fail {
		p.conclude(Fail, ReasonFailShare, p.figures()+p.moved()+p.leastConnections())
		return
	}
	p.conclude(Inconclusive, ReasonInconclusive, p.figures()+p.moved())
}

// leastConnections names what a share may be that is far above the expected one: a
// balancer that prefers pods with few connections sends every new flow to pods that are
// new, until they have as many as the others. Then the share falls.
func (p *portJudge) leastConnections() string {
	const far, level = 3, 0.05
	k, n := p.tally.canary, p.tally.attributed()
	if p.certain() || ratio(k, n) < far*p.test.Expected {
		return ""
	}
	text := "; so much right after pods were added is what a balancer shows that prefers pods with few connections (least connections)"
	hits, sizes := p.tally.halves()
	before, of, later, laterOf := hits[0], sizes[0], hits[1], sizes[1]
	if p.course.answers > 0 {
		before, of, later, laterOf = p.course.canary, p.course.answers, k, n
	}
	if stats.FisherExact(before, of-before, later, laterOf-later).Greater < level {
		text += fmt.Sprintf(", and it fell from %s to %s %%, as it does until they have as many as the others",
			tenths(ratio(before, of)), tenths(ratio(later, laterOf)))
	}
	return text
}

// moved says how the share went in the halves of a window.
func (p *portJudge) moved() string {
	hits, sizes := p.tally.halves()
	return fmt.Sprintf("; it moved while it was sampled, from %s %% in the first half to %s %% in the second",
		tenths(ratio(hits[0], sizes[0])), tenths(ratio(hits[1], sizes[1])))
}
