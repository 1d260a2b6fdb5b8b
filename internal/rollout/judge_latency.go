package rollout

import (
	"fmt"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/stats"
)

const (
	// slowFloor is a service time that is never called slow: below it, the network and
	// this machine make most of the difference.
	slowFloor = 5 * time.Millisecond

	// paceAnswers is how many answers a p95 takes (stats.QuantileMinSize).
	paceAnswers = 100

	// mostlySlow is the share of slow answers from which a version is slower than
	// before, where no other version answers to compare it with.
	mostlySlow = 0.5
)

// tenth is how long slow answers of a version have one cause. A pause of one pod, be it a
// collection of garbage or a full disk, delays all answers that begin in it: they tell of
// one pause, and not of so many answers that each were slow.
const tenth = 100 * time.Millisecond

// slowGate looks at answers of known version that took longer than a limit, from the
// first flow on. The zero value has no limit, and nothing is slow.
type slowGate struct {
	limit         time.Duration
	before        time.Duration // the p95 that the limit is derived from
	all           slowness
	apart         slowness // only the first of a version in each tenth of a second
	latest        [2]int   // the tenth of the last answer of stable and of the canary, from 1; 0: none
	bySide        stats.AttributedGate
	withoutStable bool // none is expected of stable any more
}

// slowness counts answers.
type slowness struct {
	timed, slow       int
	timedNew, slowNew int // of these, the canary's
}

func (s *slowness) add(version probe.Version, slow bool) {
	s.timed++
	s.slow += one(slow)
	if version == probe.Canary {
		s.timedNew++
		s.slowNew += one(slow)
	}
}

// newSlowGate derives the limit from the pace before the rollout: a quarter more than
// its p95 by default. Without enough answers then, nothing is known and nothing slow.
func newSlowGate(o JudgeOptions, port int, test stats.ShareTest) slowGate {
	g := slowGate{
		bySide:        stats.NewAttributedGate(o.Confidence.Fraction(), 1, test.Concentration),
		withoutStable: test.Expected == 1,
	}
	if o.MaxSlower == nil || o.Baseline == nil || port >= len(o.Baseline.Times) {
		return g
	}
	before := o.Baseline.Times[port]
	if before.Answers < paceAnswers || before.P95 <= 0 {
		return g
	}
	g.before = before.P95
	if g.withoutStable && port < len(o.Lately) && o.Lately[port].Answers >= paceAnswers {
		g.before = max(g.before, o.Lately[port].P95)
	}
	g.limit = stats.SlowThreshold(slowFloor, g.before, o.MaxSlower.Fraction())
	return g
}

// expect takes over what another expectation makes of the gate, without its counts.
func (g *slowGate) expect(other slowGate) {
	g.limit, g.before, g.bySide, g.withoutStable = other.limit, other.before, other.bySide, other.withoutStable
}

// since is how fast stable answers lately: as in this window, where it has answered often
// enough, or else as before.
func (j *Judge) since(lately []Pace) []Pace {
	times := j.AsBaseline().Times
	for i := range times {
		if times[i].Answers < paceAnswers && i < len(lately) {
			times[i] = lately[i]
		}
	}
	return times
}

// slowAnswer reports whether a flow was answered, and late.
func (g *slowGate) slowAnswer(f probe.Flow) bool {
	return g.limit > 0 && f.Class == probe.Answered && f.FirstByte > g.limit
}

// add counts an answer of known version.
func (g *slowGate) add(f probe.Flow) {
	slow := g.slowAnswer(f)
	g.all.add(f.Version, slow)
	last := &g.latest[one(f.Version == probe.Canary)]
	if number := 1 + int(f.Scheduled/tenth); number != *last {
		*last = number
		g.apart.add(f.Version, slow)
	}
}

// evidence asks whether the canary has more of the slow answers than of all answers:
// the gate of failures with "slow" for "failed", so that a network that slows both
// versions down blames neither. Without stable it asks whether most answers are slow.
func (g *slowGate) evidence(s slowness, confidence float64) stats.Evidence {
	if g.withoutStable {
		return overLimit(s.slowNew, s.timedNew, mostlySlow, confidence)
	}
	return g.bySide.Decide(s.slowNew, s.slow, s.timedNew, s.timed)
}

// judged is what decides: the evidence of all answers and that of those apart have to
// agree, and this is the weaker one.
func (g *slowGate) judged(confidence float64) stats.Evidence {
	all, apart := g.evidence(g.all, confidence), g.evidence(g.apart, confidence)
	if apart.Decision != stats.Fail || all.Decision == stats.Fail && apart.Log < all.Log {
		return apart
	}
	return all
}

// suspected reports whether all answers together would fail the canary, and those apart
// not yet: more time tells a pause from a slow version.
func (g *slowGate) suspected(confidence float64) bool {
	return g.evidence(g.all, confidence).Decision == stats.Fail && g.evidence(g.apart, confidence).Decision != stats.Fail
}

// slowing looks at the slow answers. Where stable answers no more there is nothing to
// compare with but the time before, when the network may have been another: there it
// takes that most answers are slow, also in comparison with stable where it last answered.
func (p *portJudge) slowing() bool {
	g := &p.gates.times
	if g.all.slowNew == 0 || p.options.atBaseline() {
		return false
	}
	confidence := p.options.Confidence.Fraction()
	if g.judged(confidence).Decision != stats.Fail {
		return false
	}
	if g.withoutStable {
		return p.decide(Fail, ReasonFailLatency, p.slowDetail(""))
	}
	e := g.evidence(g.all, confidence)
	return p.decide(Fail, ReasonFailLatency, p.slowDetail(fmt.Sprintf(
		"; it answered %s %% of %d flows but has %d of %d slow answers (%s %%, at most %s %% would be its share)",
		tenths(ratio(g.all.timedNew, g.all.timed)), g.all.timed, g.all.slowNew, g.all.slow, tenths(e.Observed), tenths(e.Bound))))
}

// slowDetail says how many answers of the canary were slow, and compared with what.
func (p *portJudge) slowDetail(share string) string {
	g, whose := &p.gates.times, "the baseline's"
	if g.before != p.options.Baseline.Times[p.index].P95 {
		whose = "stable's"
	}
	return fmt.Sprintf("%d of %d answers of the canary on %s (%s %%) took longer than %s, the slowest 5 %% of %s more than %s%s",
		g.all.slowNew, g.all.timedNew, p.port, tenths(ratio(g.all.slowNew, g.all.timedNew)), millis(g.limit), whose, millis(g.before), share)
}

// millis is a time in milliseconds, to the tenth.
func millis(d time.Duration) string {
	return fmt.Sprintf("%.4g ms", float64(d)/float64(time.Millisecond))
}

// pace is how fast stable answered.
func (t *tally) pace() Pace {
	times := t.times[probe.Stable].service
	if len(times) == 0 {
		return Pace{}
	}
	return Pace{P95: latency(times).P95, Answers: len(times)}
}
