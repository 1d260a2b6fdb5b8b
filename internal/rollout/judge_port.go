package rollout

import (
	"fmt"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/stats"
)

// portJudge judges one port.
type portJudge struct {
	options JudgeOptions
	port    probe.Port
	index   int
	test    stats.ShareTest // of this window
	budget  int             // samples after which an open question is inconclusive
	tally   *tally          // of this window
	gates   gates           // since the first flow
	windows int             // begun before this one
	course  course          // of the share over all windows
	blind   string          // why nothing tells the versions apart; empty if something does
	free    bool            // the share decides nothing

	watching bool // the share was judged: only the gates look
	expired  bool // no more flows will come

	verdict Verdict
	reason  Reason
	detail  string
	order   int // among the decisions of the judge, for the last one to pass
}

// baselineFlows is how many flows a port gets before the rollout. At 95 % they
// also exclude that 1 % of the answers are not stable's.
const baselineFlows = 300

func newPortJudge(o JudgeOptions, port probe.Port, index int) *portJudge {
	p := &portJudge{options: o, port: port, index: index, test: o.shareTest(), tally: newTally()}
	p.gates = newGates(o, index, p.test)
	p.blind, p.free = o.blind(index), o.free(index)
	p.budget = o.budget(index, p.test)
	return p
}

// free reports whether the share of a port decides nothing.
func (o JudgeOptions) free(port int) bool {
	return (o.blind(port) != "" || o.ReportShare) && o.Expected != nil && !o.atBaseline()
}

// budget is how many samples of a port a window may take, whose test is given. Later
// windows are held to more, and may take more, unless max-probes says how much. Where the
// share decides nothing, or is not looked for yet, it is how many a port gets, and
// max-probes is a limit.
func (o JudgeOptions) budget(port int, test stats.ShareTest) int {
	limited := func(size int) int {
		if o.MaxProbes > 0 {
			return min(size, o.MaxProbes)
		}
		return size
	}
	switch planned := o.shareTest().PlannedSize; {
	case o.atBaseline():
		return limited(max(baselineFlows, planned))
	case o.free(port) && o.blind(port) != "":
		return limited(max(baselineFlows, o.Enough))
	case o.free(port):
		return limited(max(baselineFlows, o.Enough, planned))
	case o.MaxProbes > 0:
		return o.MaxProbes
	case o.Expected == nil:
		return test.PlannedSize
	}
	return test.MaxSize
}

// restart begins the next window.
func (p *portJudge) restart() {
	p.course.remember(p.tally.sequence)
	p.windows++
	p.test, p.tally = p.options.shareTest().Window(p.windows), newTally()
	p.budget = p.options.budget(p.index, p.test)
	p.verdict, p.reason, p.detail, p.expired = "", "", "", false
	p.course.again = 0
}

// look decides what can be decided after a flow, which gave cause for alarm or did
// not: it failed, or was slow. Only the gates can overturn what passed: the tests of
// the share and of the prober were answered when they stopped.
func (p *portJudge) look(alarming, final bool) {
	if p.options.Expected == nil || p.verdict != "" && p.verdict != Pass {
		return
	}
	if alarming && (p.failing() || p.slowing()) || p.verdict == Pass {
		return
	}
	switch {
	case p.watching:
		p.strange()
	case p.invalid(false):
	case p.options.atBaseline():
		p.lookAtBaseline(final)
	case p.free:
		p.lookAtRest(final)
	default:
		p.lookAtShare(final)
	}
}

// decide settles the port.
func (p *portJudge) decide(verdict Verdict, reason Reason, detail string) bool {
	p.verdict, p.reason, p.detail = verdict, reason, detail
	return true
}

// conclude ends the sampling of a port, unless the sample itself is bad.
func (p *portJudge) conclude(verdict Verdict, reason Reason, detail string) {
	if !p.invalid(true) {
		p.decide(verdict, reason, detail)
	}
}

// lookAtBaseline holds the service to what it must be before the rollout: flows
// are answered, none by the canary, at most 1 % without a version, and at most 5 %
// (or max-error-rate) fail. The size is fixed, so what already exceeds its limit
// at the full size is decided early without any loss.
func (p *portJudge) lookAtBaseline(final bool) {
	t, size := p.tally, float64(p.budget)
	full := t.samples() >= p.budget
	if full || final {
		size = float64(max(1, t.samples()))
	}
	switch {
	case t.canary > 0:
		p.decide(Fail, ReasonFailShare, p.baselineDetail("the canary answers already"))
	case float64(t.failed()) > p.errorLimit()*size:
		p.decide(Fail, p.ceilingReason(), p.failedDetail(p.errorLimit()))
	case float64(t.unknown) > foulLimit*size:
		p.decide(Invalid, ReasonInvalidClassifier, p.unknownDetail())
	case full:
		p.conclude(Pass, ReasonPass, p.baselineDetail("the service is in order"))
	case final && t.samples() == 0:
		p.conclude(Fail, ReasonFailErrors, p.baselineDetail("no flow was finished"))
	case final:
		p.conclude(Inconclusive, ReasonInconclusive, p.openDetail())
	}
}

// lookAtRest is for a port whose share decides nothing: it passes once it has had its
// flows and nothing else has failed it.
func (p *portJudge) lookAtRest(final bool) {
	switch {
	case p.tally.samples() >= p.budget:
		p.conclude(Pass, ReasonPass, p.figures())
	case final && p.tally.samples() == 0:
		p.conclude(Fail, ReasonFailErrors, "no flow was finished on "+p.port.String())
	case final:
		p.conclude(Inconclusive, ReasonInconclusive, fmt.Sprintf("%s; %d more flows were wanted", p.figures(), p.budget-p.tally.samples()))
	}
}

// between is Judge.Between for one port.
func (p *portJudge) between(previous Percent) bool {
	if p.reason != ReasonFailShare && p.reason != ReasonInvalidSticky && p.reason != ReasonInconclusive {
		return false
	}
	if p.tally.attributed() == 0 {
		return false
	}
	lo, hi := previous.Fraction(), p.options.Expected.Fraction()
	if lo > hi {
		lo, hi = hi, lo
	}
	seen := p.scattered().Interval(p.tally.canary, p.tally.attributed())
	return seen.Lo <= hi && seen.Hi >= lo
}

// measurement is the tally with what the expectation adds.
func (p *portJudge) measurement() Measurement {
	m := p.tally.measurement(p.port)
	m.Unmeasured = p.blind
	m.Interval = p.scattered().Interval(p.tally.canary, p.tally.attributed())
	if p.verdict != "" || p.expired { // while it goes on, it would cost more than it tells
		m.Evidence = p.evidence()
	}
	if p.options.Expected != nil {
		expected := *p.options.Expected
		m.Expected, m.Band = &expected, p.test.Band
		m.Verdict, m.Reason = p.verdict, p.reason
	}
	return m
}
