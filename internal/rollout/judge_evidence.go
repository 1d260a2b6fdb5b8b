package rollout

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/stats"
)

// evidence is what the port's verdict rests on, or will.
func (p *portJudge) evidence() *Evidence {
	e := &Evidence{
		Share: p.shareEvidence(), Sequence: p.sequenceEvidence(), Failures: p.failureEvidence(),
		Latency: p.latencyEvidence(), Agreement: p.agreement(), Warnings: []string{},
	}
	if p.options.Expected != nil {
		model := "endpoints"
		if p.options.Local {
			model = "nodes"
		}
		e.Model = &model
	}
	e.Warnings = append(e.Warnings, p.warnings(*e)...)
	return e
}

func (p *portJudge) shareEvidence() ShareEvidence {
	test, k, n := p.scattered(), p.tally.canary, p.tally.attributed()
	lo, hi, threshold := test.Evidence(k, n)
	if p.certain() { // a run of right answers decides
		lo, hi, threshold = math.NaN(), math.NaN(), math.NaN()
	}
	e := ShareEvidence{
		Alpha: Figure(test.Alpha), Threshold: Figure(threshold), LogLow: Figure(lo), LogHigh: Figure(hi),
		Planned: test.PlannedSize, Budget: p.budget, Minimum: test.MinSize, Concentration: Figure(test.Concentration),
		Restarts: p.windows, Moves: p.course.moves,
	}
	if p.options.Expected != nil && !p.free && (p.verdict == "" || p.verdict == Inconclusive) {
		remaining := test.Remaining(k, n)
		e.Remaining = &remaining
	}
	return e
}

func (p *portJudge) sequenceEvidence() SequenceEvidence {
	runs, scatter := stats.NewRuns(p.tally.sequence), p.scatter()
	hits, sizes := p.tally.halves()
	return SequenceEvidence{
		Runs: runs.Runs, Expected: Figure(runs.Mean), Z: Figure(runs.Z), Pattern: runs.Pattern(),
		Phi: Figure(scatter.Phi), Degrees: scatter.DF, PHigh: Figure(scatter.PHigh), Divided: Figure(p.scattered().Dispersion),
		HalfP: Figure(stats.FisherExact(hits[0], sizes[0]-hits[0], hits[1], sizes[1]-hits[1]).TwoSided),
	}
}

func (p *portJudge) failureEvidence() FailureEvidence {
	g := &p.gates
	e := FailureEvidence{
		Flows: g.flows, Failed: g.failed, Unattributed: classCounts(p.tally.failures[probe.None]),
		Stable: p.versionFailures(probe.Stable), Canary: p.versionFailures(probe.Canary),
	}
	if p.options.Expected != nil && !p.options.atBaseline() {
		e.Attributed = gateEvidence(g.attributed.Decide(g.failedNew, g.failures, g.probesNew, g.probes))
	}
	if g.baseline.Bound < 1 {
		e.Baseline = gateEvidence(g.baseline.Decide(g.failed, g.flows))
	}
	if w := p.test.Expected; !p.certain() && p.options.Expected != nil && g.probes > 0 {
		failed, flows := g.of(probe.Stable)
		e.Detectable = hundredths(g.attributed.DetectableRate(ratio(failed, max(1, flows)), w, g.probes, 0.9))
	} else {
		e.Detectable = Figure(math.NaN())
	}
	if g.promise != nil {
		ceiling := hundredths(g.promise.Ceiling)
		e.Ceiling = &ceiling
	}
	return e
}

func (p *portJudge) versionFailures(side probe.Version) VersionFailures {
	failed, flows := p.gates.of(side)
	v := VersionFailures{Flows: flows, Failed: failed, Classes: classCounts(p.tally.failures[side])}
	if confidence := p.options.Confidence.Fraction(); flows > 0 {
		v.Wilson = within(stats.Wilson(failed, flows, confidence))
		v.Interval = within(stats.RateInterval(failed, flows, confidence))
	}
	return v
}

func (p *portJudge) latencyEvidence() LatencyEvidence {
	g := &p.gates.times
	ofStable, ofCanary := p.tally.times[probe.Stable], p.tally.times[probe.Canary]
	stable, canary := inOrder(ofStable.service), inOrder(ofCanary.service)
	compared := stats.NewMannWhitney(canary, stable)
	e := LatencyEvidence{
		SlowAnswers: slowAnswers(g.all), Tenths: slowAnswers(g.apart),
		Stable: quantiles(stable), Canary: quantiles(canary),
		StableWhole: quantiles(inOrder(ofStable.response)), CanaryWhole: quantiles(inOrder(ofCanary.response)),
		Shift: Figure(compared.Shift), Longer: hundredths(compared.CLES), P: Figure(compared.TwoSided),
	}
	if g.limit > 0 {
		limit := inMilliseconds(g.limit)
		e.Limit, e.Gate = &limit, gateEvidence(g.judged(p.options.Confidence.Fraction()))
	}
	return e
}

func slowAnswers(s slowness) SlowAnswers {
	return SlowAnswers{Answers: s.timed, Slow: s.slow, CanaryTimed: s.timedNew, CanarySlow: s.slowNew}
}

// inOrder are times in milliseconds, the shortest first.
func inOrder(times []time.Duration) []float64 {
	sorted := make([]float64, 0, len(times))
	for _, d := range times {
		sorted = append(sorted, float64(inMilliseconds(d)))
	}
	slices.Sort(sorted)
	return sorted
}

// quantiles are those that enough answers bear out; nil without any answer.
func quantiles(sorted []float64) *VersionQuantile {
	if len(sorted) == 0 {
		return nil
	}
	at := func(q float64) *QuantileFigure {
		if len(sorted) < stats.QuantileMinSize(q) {
			return nil
		}
		ranks := stats.QuantileRanks(len(sorted), q, 0.95)
		lo, hi := stats.QuantileInterval(sorted, q, 0.95)
		return &QuantileFigure{
			Value: Figure(stats.Quantile(sorted, q)), Low: Figure(lo), High: Figure(hi),
			LowRank: ranks.Lower, HighRank: ranks.Upper, Coverage: hundredths(ranks.Coverage),
		}
	}
	return &VersionQuantile{Answers: len(sorted), P50: at(0.5), P95: at(0.95), P99: at(0.99)}
}

// oddLevel is the p-value below which something is too odd to be left unsaid.
const oddLevel = 0.001

// agreement compares what should differ by chance alone: the pods of one version, and
// what the addresses and the families of the balancer show. Under policy Local pods are
// not meant to be equal, for nodes are.
func (p *portJudge) agreement() AgreementEvidence {
	byAddress, byFamily := map[netip.Addr]*sides{}, map[bool]*sides{}
	for address, at := range p.tally.places {
		s := &at.answers
		byAddress[address] = s
		family := byFamily[address.Is4()]
		if family == nil {
			family = &sides{}
			byFamily[address.Is4()] = family
		}
		family.stable, family.canary = family.stable+s.stable, family.canary+s.canary
	}
	return AgreementEvidence{
		StablePods: Figure(p.podsAgree(probe.Stable, p.options.StablePods)), CanaryPods: Figure(p.podsAgree(probe.Canary, p.options.CanaryPods)),
		Addresses: Figure(sharesAgree(byAddress)), Families: Figure(sharesAgree(byFamily)),
	}
}

// sharesAgree is the p-value of shares as different by chance; NaN with fewer than two.
func sharesAgree[K comparable](groups map[K]*sides) float64 {
	var hits, sizes []int
	for _, s := range groups {
		hits, sizes = append(hits, s.canary), append(sizes, s.stable+s.canary)
	}
	return stats.NewDispersion(hits, sizes).PHigh
}

// podsAgree is the p-value of the pods of a version answering as unequally by chance.
// Those of its pods that never answered count as well, where one knows of them.
func (p *portJudge) podsAgree(side probe.Version, serving int) float64 {
	const enough = 5 // answers of each, for chance to follow the law that it is measured by
	var counts []int
	answers := 0
	for pod, flows := range p.tally.pods {
		if pod.version == side && pod.name != "" {
			counts, answers = append(counts, flows), answers+flows
		}
	}
	if p.options.Local || len(counts) == 0 || answers < enough*max(len(counts), serving) {
		return math.NaN()
	}
	for len(counts) < serving {
		counts = append(counts, 0)
	}
	_, chance := stats.Homogeneity(counts)
	return chance
}

// warnings say what was odd. None of it decides.
func (p *portJudge) warnings(e Evidence) []string {
	var odd []string
	say := func(p Figure, what string) {
		if p.Known() && p < oddLevel {
			odd = append(odd, what)
		}
	}
	say(e.Agreement.StablePods, "the pods of stable answer unequally often: the balancer prefers some")
	say(e.Agreement.CanaryPods, "the pods of the canary answer unequally often: the balancer prefers some")
	if !p.certain() {
		say(e.Agreement.Families, "IPv4 and IPv6 contradict each other: they show different shares")
		say(e.Agreement.Addresses, "the addresses contradict each other: they show different shares")
	}
	if e.Sequence.Divided > 1 {
		odd = append(odd, fmt.Sprintf("the share scatters %s times as much as independent choices would: the counts were divided by that before they were judged",
			trimmed(float64(e.Sequence.Phi))))
	}
	switch e.Sequence.Pattern {
	case stats.Alternating:
		odd = append(odd, "the versions take turns (round-robin-like): the interval errs on the safe side")
	case stats.Clustered:
		odd = append(odd, "answers of one version follow each other more often than by chance (clustered): the balancer may hash, or keep clients")
	case stats.Independent:
	}
	return append(odd, p.bent()...)
}

// bent says how far failures bend the share of the answers, where they can.
func (p *portJudge) bent() []string {
	g := &p.gates
	if g.flows == 0 || ratio(g.failed, g.flows) <= failuresBend || p.certain() || g.failures == 0 || p.options.Expected == nil {
		return nil
	}
	var rate [2]float64
	for i, side := range bothSides() {
		if failed, flows := g.of(side); flows > 0 {
			rate[i] = ratio(failed, flows)
		}
	}
	seen := stats.ObservedShare(p.test.Expected, rate[1], rate[0])
	return []string{fmt.Sprintf("%s %% of stable's flows failed and %s %% of the canary's: of those that were answered, a share of %s %% shows as %s %%",
		tenths(rate[0]), tenths(rate[1]), tenths(p.test.Expected), tenths(seen))}
}

// failuresBend is the rate of failures from which they bend a share of answers visibly.
const failuresBend = 0.01
