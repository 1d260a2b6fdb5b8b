package stats

import (
	"math"
	"sort"
)

// CeilingMode says who bears the burden of proof in a [CeilingGate].
type CeilingMode string

const (
	// Detect lets a version go on until its rate is shown to exceed the ceiling.
	Detect CeilingMode = "detect"
	// Prove lets a version pass only once its rate is shown to keep the ceiling.
	Prove CeilingMode = "prove"
)

// CeilingGate (gate B3) holds the failure rate of one version against a promised ceiling c. Build it with
// [NewCeilingGate]. With the always-valid interval of the rate, it fails when the lower end exceeds c; in mode Prove it
// also passes when the upper end is at most c, and continues in between.
type CeilingGate struct {
	Ceiling       float64     // the rate not to be exceeded, 0..1
	Mode          CeilingMode // Detect or Prove
	Alpha         float64     // error probability of either side
	CleanSize     int         // probes of that version that prove the ceiling if none fails
	Concentration float64     // m, tuned to CleanSize
}

// NewCeilingGate returns the gate for a ceiling (a fraction from 0 to 1) at a confidence strictly between 0 and 1; outside
// these ranges it is Inconclusive. A ceiling of 0 fails at the first failure and cannot be proved.
//
// Example: at 1 % and 95 % in mode Prove, 411 probes without a failure pass.
func NewCeilingGate(ceiling float64, mode CeilingMode, confidence float64) CeilingGate {
	alpha := alphaOf(confidence)
	g := CeilingGate{Ceiling: ceiling, Mode: mode, Alpha: alpha, CleanSize: CleanSize(ceiling, alpha)}
	g.Concentration = Concentration(g.CleanSize, alpha)
	return g
}

// Decide judges failed of probes attributed probes of the version. In mode Prove the unattributed failures count against
// it, as further probes that failed; in mode Detect they are ignored. Impossible counts are Inconclusive.
func (g CeilingGate) Decide(failed, probes, unattributed int) Evidence {
	threshold := -math.Log(g.Alpha)
	impossible := !validCounts(failed, probes) || unattributed < 0
	if impossible || g.CleanSize == 0 {
		return Evidence{Decision: Inconclusive, Observed: math.NaN(), Bound: g.Ceiling, Threshold: threshold}
	}
	if g.Mode == Prove {
		failed += unattributed
		probes += unattributed
	}
	e := above(failed, probes, g.Ceiling, g.Concentration, threshold)
	if g.Mode == Prove && e.Observed < g.Ceiling && e.Log >= threshold {
		e.Decision = Pass
	}
	return e
}

// CleanSize returns how many probes without a failure show that a rate is below ceiling, with the mixture tuned to that
// very number: the smallest n with ln M_n(ceiling) >= ln(1/alpha) at k = 0 and m = [Concentration](n, alpha).
//
// Ranges: 0 <= ceiling <= 1, 0 < alpha < 1, else 0; a ceiling of 0 takes 2^30, that is never.
//
// Example: CleanSize(0.01, 0.05) = 411. (The all-in bet would take 299, but could not survive a single failure.)
func CleanSize(ceiling, alpha float64) int {
	if !(ceiling >= 0 && ceiling <= 1 && alpha > 0 && alpha < 1) {
		return 0
	}
	threshold := -math.Log(alpha)
	proves := func(n int) bool { return LogMixture(0, n, ceiling, Concentration(n, alpha)) >= threshold }
	if !proves(maxPlan) {
		return maxPlan
	}
	return sort.Search(maxPlan, proves)
}
