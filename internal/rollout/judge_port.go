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
	blind   string          // why nothing tells the versions apart; empty if something does
	free    bool            // the share decides nothing

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
	p.blind = o.blind(index)
	p.free = (p.blind != "" || o.ReportShare) && o.Expected != nil && !o.atBaseline()
	p.budget = p.test.MaxSize
	switch {
	case p.free:
		p.budget = max(baselineFlows, o.Enough)
		if p.blind == "" {
			p.budget = max(p.budget, p.test.PlannedSize)
		}
		if o.MaxProbes > 0 {
			p.budget = min(p.budget, o.MaxProbes)
		}
	case o.atBaseline():
		p.budget = max(baselineFlows, p.test.PlannedSize)
		if o.MaxProbes > 0 { // a limit; more of it makes no longer baseline
			p.budget = min(p.budget, o.MaxProbes)
		}
	case o.MaxProbes > 0:
		p.budget = o.MaxProbes
	case o.Expected == nil:
		p.budget = p.test.PlannedSize
	}
	return p
}

// restart begins window number r.
func (p *portJudge) restart(r int) {
	p.test, p.tally = p.options.shareTest().Restart(r), newTally()
	p.verdict, p.reason, p.detail = "", "", ""
}

// look decides what can be decided after a flow, which failed or did not. Only
// failures can overturn what passed: the tests of the share and of the prober
// were answered when they stopped.
func (p *portJudge) look(failed, final bool) {
	if p.options.Expected == nil || p.verdict != "" && p.verdict != Pass {
		return
	}
	if failed && p.failing() || p.verdict == Pass || p.invalid(false) {
		return
	}
	switch {
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

// lookAtShare compares the observed share with the expected one.
//
// A sequence that is constant as yet is not judged by its share: that nobody
// else has answered looks the same whether a balancer sticks to the prober, or
// hashes its address, or has never heard of the canary. It goes on until it is
// improbable enough to be called sticky.
func (p *portJudge) lookAtShare(final bool) {
	decision := p.test.Decide(p.tally.canary, p.tally.attributed())
	constant := p.mayStick() && p.constant()
	switch {
	case constant && p.sticky():
		p.decide(Invalid, ReasonInvalidSticky, p.stickyDetail())
	case decision == stats.Fail && !constant:
		p.conclude(Fail, ReasonFailShare, p.figures())
	case decision == stats.Pass:
		p.conclude(Pass, ReasonPass, p.figures())
	case final, p.tally.samples() >= p.budget:
		p.conclude(Inconclusive, ReasonInconclusive, p.openDetail())
	}
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
		p.decide(Fail, ReasonFailErrors, p.failedDetail(p.errorLimit()))
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
	seen := p.test.Interval(p.tally.canary, p.tally.attributed())
	return seen.Lo <= hi && seen.Hi >= lo
}

// measurement is the tally with what the expectation adds.
func (p *portJudge) measurement() Measurement {
	m := p.tally.measurement(p.port)
	m.Unmeasured = p.blind
	m.Interval = p.test.Interval(p.tally.canary, p.tally.attributed())
	if p.options.Expected != nil {
		expected := *p.options.Expected
		m.Expected, m.Band = &expected, p.test.Band
		m.Verdict, m.Reason = p.verdict, p.reason
	}
	return m
}
