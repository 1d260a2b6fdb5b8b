package rollout

import (
	"math"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/stats"
)

// gates count what may fail a port whatever its share, from the first flow on.
type gates struct {
	started int // flows, Local ones included
	flows   int // flows that tell something of the service
	failed  int // of these, failed by the service

	probes, probesNew   int // flows of known version, the failed ones included
	failures, failedNew int // failed flows of known version

	attributed stats.AttributedGate // looked at with each failure
	baseline   stats.BaselineGate   // never fails without a baseline
	ceiling    float64              // share of failures that no service may exceed
	promise    *stats.CeilingGate   // of each version by itself; nil without max-error-rate
	times      slowGate             // looked at with each slow answer
}

// unservedLimit is where a service that fails is called broken even if nothing is
// known of how it was before.
const unservedLimit = 0.5

func newGates(o JudgeOptions, port int, test stats.ShareTest) gates {
	confidence := o.Confidence.Fraction()
	g := gates{
		attributed: stats.NewAttributedGate(confidence, 1, test.Concentration),
		ceiling:    unservedLimit,
		times:      newSlowGate(o, port, test),
	}
	var before Failures
	if o.Baseline != nil && port < len(o.Baseline.Ports) {
		before = o.Baseline.Ports[port]
	}
	g.baseline = stats.NewBaselineGate(before.Failed, before.Flows, test.Expected, 0, confidence)
	if o.MaxErrorRate != nil {
		g.ceiling = o.MaxErrorRate.Fraction()
		promise := stats.NewCeilingGate(g.ceiling, stats.Detect, confidence)
		g.promise = &promise
	}
	return g
}

// slow reports whether a flow was answered later than it may be.
func (g *gates) slow(f probe.Flow) bool { return g.times.slowAnswer(f) }

func (g *gates) add(f probe.Flow) {
	g.started++
	if f.Class == probe.Local {
		return
	}
	g.flows++
	known, failed := f.Version == probe.Stable || f.Version == probe.Canary, f.Failed()
	if failed {
		g.failed++
	}
	if !known {
		return
	}
	g.probes++
	if failed {
		g.failures++
	} else {
		g.times.add(f)
	}
	if f.Version == probe.Canary {
		g.probesNew++
		if failed {
			g.failedNew++
		}
	}
}

// failing looks at the failures. Before the rollout they have a rule of their
// own: there is no other version to blame and nothing to compare with.
func (p *portJudge) failing() bool {
	g := &p.gates
	if g.failed == 0 || p.options.atBaseline() {
		return false
	}
	if e := g.attributed.Decide(g.failedNew, g.failures, g.probesNew, g.probes); e.Decision == stats.Fail {
		return p.decide(Fail, ReasonFailErrors, p.attributedDetail(e))
	}
	if e := g.baseline.Decide(g.failed, g.flows); e.Decision == stats.Fail {
		return p.decide(Fail, ReasonFailErrors, p.riseDetail(e))
	}
	if p.breaking() {
		return true
	}
	if p.proven(g.failed, g.flows, g.ceiling) {
		return p.decide(Fail, p.ceilingReason(), p.failedDetail(g.ceiling))
	}
	return false
}

// breaking holds either version to max-error-rate. Only failures that tell who failed
// are a version's own; all of them together are held to it as well.
func (p *portJudge) breaking() bool {
	g := &p.gates
	if g.promise == nil {
		return false
	}
	for _, side := range bothSides() {
		failed, flows := g.of(side)
		if e := g.promise.Decide(failed, flows, 0); e.Decision == stats.Fail {
			return p.decide(Fail, ReasonFailCeiling, p.ceilingDetail(side, e))
		}
	}
	return false
}

// of counts the flows of a version, and how many of them failed.
func (g *gates) of(side probe.Version) (failed, flows int) {
	if side == probe.Canary {
		return g.failedNew, g.probesNew
	}
	return g.failures - g.failedNew, g.probes - g.probesNew
}

// ceilingReason is the code for more failures than are allowed: that of the input, or
// where nobody named a limit, that of failures.
func (p *portJudge) ceilingReason() Reason {
	if p.options.MaxErrorRate != nil {
		return ReasonFailCeiling
	}
	return ReasonFailErrors
}

// errorLimit is the share of failures that a baseline may have.
func (p *portJudge) errorLimit() float64 {
	if p.options.MaxErrorRate != nil {
		return p.options.MaxErrorRate.Fraction()
	}
	return 0.05
}

const (
	// foulLimit is how much of a sample may be unknown, unsent, or failed by
	// this machine, before it says nothing any more.
	foulLimit = 0.01

	// foulFlows is how many flows it takes to say so early, and foulCount how
	// many before one alone is not more than the limit.
	foulFlows = 30
	foulCount = 100
)

// invalid looks at whether the sample can be trusted: answers nobody knows,
// flows this machine failed, slots the in-flight cap left out. In midstream it
// takes proof, the always-valid lower bound above 1 % after at least 30 flows, so
// that one odd answer among the first fifty ends nothing. When a port concludes,
// the plain share counts, from 100 flows on: below, one alone would be too much.
func (p *portJudge) invalid(conclusion bool) bool {
	t := p.tally
	tooMany := func(k, n int) bool {
		if conclusion && n >= foulCount {
			return float64(k) > foulLimit*float64(n)
		}
		return k > 0 && n >= foulFlows && p.proven(k, n, foulLimit)
	}
	local := t.errors[probe.Local]
	switch {
	case tooMany(local, t.samples()+local):
		return p.decide(Invalid, ReasonInvalidLocal, p.localDetail())
	case tooMany(t.notSent, t.samples()+local+t.notSent):
		return p.decide(Invalid, ReasonInvalidOverload, p.overloadDetail())
	case !p.free && tooMany(t.unknown, t.answered()):
		return p.decide(Invalid, ReasonInvalidClassifier, p.unknownDetail())
	}
	return false
}

// proven reports whether a rate is above a limit at the judge's confidence,
// however often one looks: whether [stats.RateInterval] lies beyond it, without
// the search for the interval's ends.
func (p *portJudge) proven(k, n int, limit float64) bool {
	return overLimit(k, n, limit, p.options.Confidence.Fraction()).Decision == stats.Fail
}

// overLimit is the evidence that a rate is above a limit.
func overLimit(k, n int, limit, confidence float64) stats.Evidence {
	const horizon = 400 // flows at which the test is sharpest
	alpha := 1 - confidence
	e := stats.Evidence{
		Decision: stats.Continue, Observed: ratio(k, n), Bound: limit, Threshold: -math.Log(alpha),
		Log: stats.LogMixture(k, n, limit, stats.Concentration(horizon, alpha)),
	}
	if e.Observed > limit && e.Log >= e.Threshold {
		e.Decision = stats.Fail
	}
	return e
}

const (
	// stickyFlows and stickyLevel say when a constant sequence is called sticky:
	// never before 30 answers, and only when a balancer with the expected share
	// would be so one-sided in less than one of a thousand samples. At 50 % the
	// first decides, at 10 % it takes 66 answers, at 5 % 135: thirty equal ones
	// there are nothing special (0.95^30 = 21 %).
	stickyFlows = 30
	stickyLevel = 0.001

	// Outside these shares a constant sequence is what one expects.
	stickyLow, stickyHigh = 0.02, 0.98
)

// mayStick reports whether a constant sequence would be odd at all.
func (p *portJudge) mayStick() bool {
	return p.test.Expected > stickyLow && p.test.Expected < stickyHigh
}

// constant reports whether each address of the balancer has shown one version
// only, be it in failures. Two that show different ones are two sticky balancers,
// not a fair one.
func (p *portJudge) constant() bool { return !p.tally.mixed }

// sticky reports whether a constant sequence is too improbable for a balancer
// that chooses anew for each flow. With n flows of known version from an address
// the chance is w^n + (1-w)^n, and the addresses' chances multiply. Sequences
// only ever stop being constant, so looking often does not raise the error.
func (p *portJudge) sticky() bool {
	w, total, chance := p.test.Expected, 0, 0.0
	for _, at := range p.tally.places {
		n := at.heard.stable + at.heard.canary
		total += n
		chance += math.Log(min(1, math.Pow(w, float64(n))+math.Pow(1-w, float64(n))))
	}
	return total >= stickyFlows && chance < math.Log(stickyLevel)
}
