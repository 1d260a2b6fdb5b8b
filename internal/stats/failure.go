package stats

import (
	"math"
	"time"
)

const (
	// failureConcentration is m of the attributed gate, small because failures are few: four in a row of a version with a
	// tenth of the traffic are already evidence.
	failureConcentration = 4
	// rateHorizon is the number of probes the unattributed gate and the rate intervals are sharpest at.
	rateHorizon = 400
)

// Evidence is what a failure gate found: the decision and the numbers behind it, for the report.
type Evidence struct {
	Decision  Decision
	Observed  float64 // the observed share or rate, a fraction; NaN if nothing was observed
	Bound     float64 // what it is compared with, a fraction
	Log       float64 // ln M at the bound; 0 if nothing was observed
	Threshold float64 // ln M from which the bound is rejected
}

// above compares k of n with the bound: Fail if the rate exceeds it with enough evidence, else Continue.
func above(k, n int, bound, m, threshold float64) Evidence {
	e := Evidence{Decision: Continue, Observed: float64(k) / float64(n), Bound: bound, Threshold: threshold}
	e.Log = LogMixture(k, n, bound, m)
	if e.Observed > bound && e.Log >= threshold {
		e.Decision = Fail
	}
	return e
}

// AttributedGate (gate B1) asks whether the new version owns more of the failures than of the probes: "new got 10 % of the
// probes but 60 % of the failures". A failure counts only if the version was identified before it happened. Latency uses
// the same gate with "slow" for "failed", see [SlowThreshold]. Build it with [NewAttributedGate].
//
// If new fails no more often than old, each failure is new's with a probability of at most its share w of the probes. Half
// of alpha buys an upper bound U of w (the always-valid interval), the other half the test of k of f failures against U:
//
//	fail if k/f > U and ln M_f(U) >= ln(2/alpha)
//
// so a false alarm has probability at most alpha however often one looks; in simulations it is below 0.001 at 0.05.
type AttributedGate struct {
	Alpha              float64 // error probability, split over the two halves
	Ratio              float64 // how many times as often as old new may fail; 1 for "no more often"
	Concentration      float64 // m of the failures, 4
	ShareConcentration float64 // m of the share's interval, best that of the stage's ShareTest
}

// NewAttributedGate returns the gate at a confidence.
//
// ratio >= 1 tolerates a failure rate of that many times old's: a failure is then new's with a probability of at most
// rU/(rU+1-U). Less counts as 1. shareConcentration > 0 is fixed before the stage, ShareTest.Concentration or
// [Concentration] of the planned size.
//
// Ranges: 0 < confidence < 1, else the gate is Inconclusive.
func NewAttributedGate(confidence, ratio, shareConcentration float64) AttributedGate {
	return AttributedGate{
		Alpha:              alphaOf(confidence),
		Ratio:              max(1, ratio),
		Concentration:      failureConcentration,
		ShareConcentration: shareConcentration,
	}
}

// Decide judges failedNew of failed attributed failures, against probesNew of probes attributed probes, the failed ones
// included. It returns Fail or Continue; counts that are impossible are Inconclusive.
//
// Example: with U known to be 0.10 (LogMixture(4, 4, 0.1, 4) = 4.00 >= ln 40 = 3.69), four failures, all new's, suffice.
func (g AttributedGate) Decide(failedNew, failed, probesNew, probes int) Evidence {
	threshold := math.Log(2 / g.Alpha)
	impossible := !validCounts(failedNew, failed) || !validCounts(probesNew, probes) ||
		failedNew > probesNew || failed-failedNew > probes-probesNew
	if impossible || !g.valid() {
		return Evidence{Decision: Inconclusive, Observed: math.NaN(), Bound: 1, Threshold: threshold}
	}
	return above(failedNew, failed, g.bound(probesNew, probes), g.Concentration, threshold)
}

// bound returns the share of the failures that new may own after probesNew of probes.
func (g AttributedGate) bound(probesNew, probes int) float64 {
	share := ConfidenceSequence(probesNew, probes, g.Alpha/2, g.ShareConcentration).Hi
	return g.Ratio * share / (g.Ratio*share + 1 - share)
}

func (g AttributedGate) valid() bool {
	return g.Alpha > 0 && g.Alpha < 1 && g.Ratio >= 1 && g.Concentration > 0 && g.ShareConcentration > 0
}

// SlowThreshold returns the service time from which an answer counts as slow: the larger of floor and (1+increase) times
// the baseline's p95. increase is a fraction, 0.25 for +25 %; a negative one counts as 0. Counting slow answers instead of
// failures in [AttributedGate] makes a latency gate that keeps its guarantee at every look.
//
// Example: SlowThreshold(5*time.Millisecond, 8*time.Millisecond, 0.25) = 10 ms.
func SlowThreshold(floor, p95 time.Duration, increase float64) time.Duration {
	return max(floor, time.Duration(float64(p95)*(1+max(0, increase))))
}

// BaselineGate (gate B2) compares all failures of a stage, whoever caused them, with those of the baseline stage at weight
// 0. It catches a new version that fails before it can be told apart. Build it with [NewBaselineGate].
//
//	fail if x/N > U' and ln M_N(U') >= ln(2/alpha),  U' = U_base + w·margin
//
// U_base is the exact one-sided upper bound of the baseline's rate at 1-alpha/2.
type BaselineGate struct {
	Alpha         float64 // error probability, half for the baseline's bound and half for the stage
	Weight        float64 // share of the new version, w
	BaseRate      float64 // failure rate seen in the baseline, NaN if there was none
	Bound         float64 // U', failure rate a stage has to exceed
	Concentration float64 // m, tuned to 400 probes
}

// NewBaselineGate returns the gate for a stage with share weight of the new version, after failed of probes baseline
// probes. margin is the rise of new's failure rate to be tolerated, a fraction; a negative one counts as 0.
//
// Ranges: 0 <= failed <= probes, 0 <= weight <= 1, 0 < confidence < 1; outside them, and without baseline probes, the bound
// is 1 and the gate never fails.
//
// Example: 1 failure in 1000 at 95 % gives a bound of 0.005558924. New pods at 10 % that refuse everything are then found
// after a median of 37 probes, at 50 % after 7; new pods at 10 % that refuse one in twenty raise the total to 0.6 % and
// are not found.
func NewBaselineGate(failed, probes int, weight, margin, confidence float64) BaselineGate {
	alpha := alphaOf(confidence)
	g := BaselineGate{Alpha: alpha, Weight: weight, BaseRate: math.NaN(), Bound: 1, Concentration: rateConcentration(alpha)}
	if !validCounts(failed, probes) || probes == 0 || !(weight >= 0 && weight <= 1) || math.IsNaN(alpha) {
		return g
	}
	g.BaseRate = float64(failed) / float64(probes)
	g.Bound = min(1, exactUpper(failed, probes, alpha/2)+weight*max(0, margin))
	return g
}

// Decide judges failed of probes of the stage, both versions and the unidentified together. It returns Fail or Continue;
// impossible counts, or a gate without an alpha, are Inconclusive.
func (g BaselineGate) Decide(failed, probes int) Evidence {
	threshold := math.Log(2 / g.Alpha)
	if !validCounts(failed, probes) || !(g.Alpha > 0 && g.Alpha < 1) {
		return Evidence{Decision: Inconclusive, Observed: math.NaN(), Bound: g.Bound, Threshold: threshold}
	}
	return above(failed, probes, g.Bound, g.Concentration, threshold)
}

// ImpliedNewRate returns the failure rate of the new version that would explain failed of probes if old kept the
// baseline's rate: (x/N - (1-w) e_old)/w, held to 0..1; NaN if w = 0, without probes or without a baseline.
//
// Example: no failures in the baseline and 5 in 100 at a weight of 10 % imply that half of new's probes fail.
func (g BaselineGate) ImpliedNewRate(failed, probes int) float64 {
	if !validCounts(failed, probes) || probes == 0 || !(g.Weight > 0) {
		return math.NaN()
	}
	rate := (float64(failed)/float64(probes) - (1-g.Weight)*g.BaseRate) / g.Weight
	return max(0, min(1, rate))
}

// RateInterval returns the always-valid interval of a failure rate after k failures in n probes, tuned to 400 probes. Its
// upper end is the rate that a report may call excluded.
//
// Ranges as [ConfidenceSequence]. Example: RateInterval(0, 300, 0.95) = [0, 0.0146].
func RateInterval(k, n int, confidence float64) Interval {
	alpha := alphaOf(confidence)
	return ConfidenceSequence(k, n, alpha, rateConcentration(alpha))
}

// rateConcentration is m for failure rates at alpha.
func rateConcentration(alpha float64) float64 {
	return Concentration(rateHorizon, alpha)
}
