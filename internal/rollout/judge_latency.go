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

// slowGate counts answers of known version that took longer than a limit, from the
// first flow on. The zero value has no limit, and nothing is slow.
type slowGate struct {
	limit         time.Duration
	before        time.Duration // the p95 that the limit is derived from
	timed, slow   int           // answers
	timedNew      int           // of the canary
	slowNew       int
	bySide        stats.AttributedGate
	withoutStable bool // none is expected of stable any more
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
	slow := one(g.slowAnswer(f))
	g.timed++
	g.slow += slow
	if f.Version == probe.Canary {
		g.timedNew++
		g.slowNew += slow
	}
}

// evidence asks whether the canary has more of the slow answers than of all answers:
// the gate of failures with "slow" for "failed", so that a network that slows both
// versions down blames neither.
func (g *slowGate) evidence() stats.Evidence {
	return g.bySide.Decide(g.slowNew, g.slow, g.timedNew, g.timed)
}

// judged is what decides: that, or without stable whether most answers are slow.
func (g *slowGate) judged(confidence float64) stats.Evidence {
	if g.withoutStable {
		return overLimit(g.slowNew, g.timedNew, mostlySlow, confidence)
	}
	return g.evidence()
}

// slowing looks at the slow answers. Where stable answers no more there is nothing to
// compare with but the time before, when the network may have been another: there it
// takes that most answers are slow, also in comparison with stable where it last answered.
func (p *portJudge) slowing() bool {
	g := &p.gates.times
	if g.slowNew == 0 || p.options.atBaseline() {
		return false
	}
	e := g.judged(p.options.Confidence.Fraction())
	if e.Decision != stats.Fail {
		return false
	}
	if g.withoutStable {
		return p.decide(Fail, ReasonFailLatency, p.slowDetail(""))
	}
	return p.decide(Fail, ReasonFailLatency, p.slowDetail(fmt.Sprintf(
		"; it answered %s %% of %d flows but has %d of %d slow answers (%s %%, at most %s %% would be its share)",
		tenths(ratio(g.timedNew, g.timed)), g.timed, g.slowNew, g.slow, tenths(e.Observed), tenths(e.Bound))))
}

// slowDetail says how many answers of the canary were slow, and compared with what.
func (p *portJudge) slowDetail(share string) string {
	g, whose := &p.gates.times, "the baseline's"
	if g.before != p.options.Baseline.Times[p.index].P95 {
		whose = "stable's"
	}
	return fmt.Sprintf("%d of %d answers of the canary on %s (%s %%) took longer than %s, the slowest 5 %% of %s more than %s%s",
		g.slowNew, g.timedNew, p.port, tenths(ratio(g.slowNew, g.timedNew)), millis(g.limit), whose, millis(g.before), share)
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
