package rollout

import (
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/stats"
)

// JudgeOptions say what a sampling is judged by.
type JudgeOptions struct {
	Ports        []probe.Port // those of the flows, in the order of Flow.Port
	Expected     *Percent     // w*; nil: measure only, there is no verdict
	Tolerance    Percent      // half the width of the allowed band, before clipping
	Confidence   Percent
	MaxProbes    int       // of one port; 0: four times the planned size
	MaxErrorRate *Percent  // of either version, and of all flows of a port; nil: 5 % at the baseline, later half
	MaxSlower    *Percent  // how much slower than the baseline's p95 an answer may be; nil: however slow
	Baseline     *Baseline // how the service was before the rollout; nil: this is the baseline, or there was none
	Lately       []Pace    // of stable on each port, where it last answered often enough; none: at the baseline
	Seed         uint64    // of the schedule, for the record
	NoEarlyStop  bool      // look once, at Expire

	StablePods int  // ready in the Service; 0: unknown
	CanaryPods int  // as well
	Local      bool // externalTrafficPolicy: Local: Expected is a mean over nodes

	ReportShare bool     // shares are measured and decide nothing
	Blind       []string // by port, why its answers do not tell the versions apart; empty if they do
	Enough      int      // flows that a port takes at least whose share decides nothing
}

// Baseline is how the service was before the rollout.
type Baseline struct {
	Ports []Failures
	Times []Pace `json:",omitempty"` // of the same ports; none: unknown
}

// Failures are flows and how many of them the service failed.
type Failures struct{ Failed, Flows int }

// Pace is how fast a port answered.
type Pace struct {
	P95     time.Duration // of the service time
	Answers int           // that it is of
}

// Judge turns flows into one verdict. It has no clock and no randomness: the
// same flows in the same order give the same verdict.
//
// Each port has a test of its own and the worst one decides: fail, invalid,
// inconclusive, pass. Pass takes every port.
type Judge struct {
	options JudgeOptions
	ports   []*portJudge
	stats   probe.Stats
	decided int // how many ports have been, over the judge's life
}

// NewJudge begins a window.
func NewJudge(o JudgeOptions) *Judge {
	j := &Judge{options: o}
	for i, port := range o.Ports {
		j.ports = append(j.ports, newPortJudge(o, port, i))
	}
	return j
}

// Add counts a flow, looks, and reports whether there is nothing left to wait
// for. Flows have to come in scheduled order.
func (j *Judge) Add(f probe.Flow) (done bool) {
	p := j.ports[f.Port]
	p.expired = false
	p.tally.add(f)
	p.gates.add(f)
	if !j.options.NoEarlyStop {
		j.look(p, f.Failed() || p.gates.slow(f), false)
	}
	return j.done()
}

// look lets a port decide and remembers the order of decisions.
func (j *Judge) look(p *portJudge, alarming, final bool) {
	before := p.verdict
	p.look(alarming, final)
	if p.verdict != before {
		j.decided++
		p.order = j.decided
	}
}

// done reports whether no further flow can change the verdict for the better.
func (j *Judge) done() bool {
	if j.options.Expected == nil {
		return j.measured()
	}
	_, decided := j.worst()
	return decided
}

// measured reports whether every port has the flows that were asked for.
func (j *Judge) measured() bool {
	for _, p := range j.ports {
		if p.tally.samples() < p.budget {
			return false
		}
	}
	return !j.options.NoEarlyStop
}

// Expire says that no more flows will come. What is still open is decided from
// what was seen, and if that is not enough it is inconclusive.
func (j *Judge) Expire() {
	for _, p := range j.ports {
		p.expired = true
		if j.options.Expected != nil {
			j.look(p, true, true)
		}
	}
}

// Restart begins a new window: what was seen is dropped, except for the failures
// and the slow answers and how many flows they are of, since those gates hold from
// the first flow on. Every window has a part of the error that the share test may
// make, so that looking again does not raise it ([stats.ShareTest.Window]).
func (j *Judge) Restart() {
	for _, p := range j.ports {
		p.restart()
	}
}

// next is the judge of a stage's next window; j is nil before the first.
func (j *Judge) next(o JudgeOptions) *Judge {
	switch {
	case j == nil:
		return NewJudge(o)
	case *o.Expected != *j.options.Expected:
		return j.expect(o)
	}
	j.Restart()
	return j
}

// expect begins a new window with another expectation, because the pods changed. The
// gates and the error that was spent stay those of the stage.
func (j *Judge) expect(o JudgeOptions) *Judge {
	next := NewJudge(o)
	next.stats, next.decided = j.stats, j.decided
	for i, p := range next.ports {
		before, gates := j.ports[i], p.gates
		p.gates, p.windows, p.course = before.gates, before.windows, before.course
		p.gates.attributed, p.gates.baseline = gates.attributed, gates.baseline
		p.gates.times.expect(gates.times)
		p.restart()
	}
	return next
}

// Note takes what the sampler knows of itself.
func (j *Judge) Note(s probe.Stats) { j.stats = s }

// severity orders verdicts; an open port is worse than one that passed, because
// it may still fail, and better than any that cannot pass any more.
var severity = map[Verdict]int{Pass: 0, "": 1, Inconclusive: 2, Invalid: 3, Fail: 4}

// worst is the port that decides, and whether it has. An inconclusive port does
// not decide while another is open: that one may still fail.
func (j *Judge) worst() (worst *portJudge, decided bool) {
	var open *portJudge
	for _, p := range j.ports {
		if open == nil && p.verdict == "" {
			open = p
		}
		if worst == nil || worse(p, worst) {
			worst = p
		}
	}
	if open != nil && (worst.verdict == "" || worst.verdict == Inconclusive) {
		return open, false
	}
	return worst, true
}

// worse orders ports; among those that passed the last one decides.
func worse(a, b *portJudge) bool {
	if a.verdict == Pass && b.verdict == Pass {
		return a.order > b.order
	}
	return severity[a.verdict] > severity[b.verdict]
}

// Verdict is the verdict so far, empty while it is open or without an
// expectation; its reason; one sentence with the figures; and the port they are
// of: the one that decided, or the first that is open.
func (j *Judge) Verdict() (verdict Verdict, reason Reason, detail string, port int) {
	p, decided := j.worst()
	if !decided {
		return "", "", p.figures(), p.index
	}
	return p.verdict, p.reason, p.detail, p.index
}

// Measurements are the figures, one a port.
func (j *Judge) Measurements() []Measurement {
	var all []Measurement
	started := 0
	for _, p := range j.ports {
		started += p.gates.started
	}
	for _, p := range j.ports {
		m := p.measurement()
		m.Seed = j.options.Seed
		if started > 0 {
			m.Rate = j.stats.Rate * float64(p.gates.started) / float64(started)
		}
		if len(j.ports) == 1 { // also what was left out after the last flow
			m.NotSent = max(m.NotSent, j.stats.NotSent)
		}
		all = append(all, m)
	}
	return all
}

// Between reports whether what kept the ports from passing looks like a balancer
// that has not caught up: nothing but the share is wrong, and its interval meets
// the range from the previous stage's share to this one's.
func (j *Judge) Between(previous Percent) bool {
	if j.options.Expected == nil || previous == *j.options.Expected {
		return false
	}
	between := false
	for _, p := range j.ports {
		if p.verdict == Pass || p.verdict == "" {
			continue
		}
		if !p.between(previous) {
			return false
		}
		between = true
	}
	return between
}

// AsBaseline is what later stages compare their failures with.
func (j *Judge) AsBaseline() *Baseline {
	b := &Baseline{}
	for _, p := range j.ports {
		b.Ports = append(b.Ports, Failures{Failed: p.gates.failed, Flows: p.gates.flows})
		b.Times = append(b.Times, p.tally.pace())
	}
	return b
}

// shareTest is the test of one port.
func (o JudgeOptions) shareTest() stats.ShareTest {
	expected := Percent(50) // only tunes the interval when there is no expectation
	if o.Expected != nil {
		expected = *o.Expected
	}
	return stats.NewShareTest(expected.Fraction(), o.Tolerance.Fraction(), o.Confidence.Fraction()).WithBudget(o.MaxProbes).Window(0)
}

// blind is why a port has no share; empty if it has one.
func (o JudgeOptions) blind(port int) string {
	if port < len(o.Blind) {
		return o.Blind[port]
	}
	return ""
}

// atBaseline reports whether this is the sampling before the rollout.
func (o JudgeOptions) atBaseline() bool {
	return o.Expected != nil && *o.Expected == 0 && o.Baseline == nil
}
