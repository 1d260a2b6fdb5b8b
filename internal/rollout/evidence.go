package rollout

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/stats"
)

// Evidence is what the verdict of a port rests on: every number that was compared with
// another, and what tells whether the sampling itself was sound. It is a part of the
// JSON report as it stands. Shares and rates are in percent, times in milliseconds.
type Evidence struct {
	Model     *string           `json:"model"` // of the expected share: "endpoints" or "nodes"; nil without one
	Share     ShareEvidence     `json:"share"`
	Sequence  SequenceEvidence  `json:"sequence"`
	Failures  FailureEvidence   `json:"failures"`
	Latency   LatencyEvidence   `json:"latency"`
	Agreement AgreementEvidence `json:"agreement"`
	Warnings  []string          `json:"warnings"` // sentences; none decides
}

// odd are the warnings, none of nil.
func (e *Evidence) odd() []string {
	if e == nil {
		return nil
	}
	return e.Warnings
}

// ShareEvidence is the share test: ln M at an edge of the band reaches the threshold
// where the edge is excluded. At an expected share of 0 or 1 it is not that which decides,
// but as many right answers in a row as are planned.
type ShareEvidence struct {
	Alpha         Figure `json:"alpha"` // of this window, a fraction
	Threshold     Figure `json:"threshold"`
	LogLow        Figure `json:"lnMLow"`
	LogHigh       Figure `json:"lnMHigh"`
	Planned       int    `json:"planned"` // answers that the test is tuned for
	Budget        int    `json:"budget"`  // samples that this window may take
	Minimum       int    `json:"minimum"` // answers before which nothing passes
	Concentration Figure `json:"concentration"`
	Restarts      int    `json:"restarts"`  // windows dropped before this one
	Moves         int    `json:"moves"`     // of them, because the share moved
	Remaining     *int   `json:"remaining"` // about so many more answers would decide; nil once decided
}

// SequenceEvidence is how the versions followed each other.
type SequenceEvidence struct {
	Runs     int           `json:"runs"`
	Expected Figure        `json:"runsExpected"`
	Z        Figure        `json:"runsZ"`
	Pattern  stats.Pattern `json:"pattern"`
	Phi      Figure        `json:"phi"` // scatter of the share over twenty stretches: 1 for independent draws
	Degrees  int           `json:"phiDegrees"`
	PHigh    Figure        `json:"phiP"`      // of as much scatter by chance
	Divided  Figure        `json:"dividedBy"` // the counts, before they were judged
	HalfP    Figure        `json:"halvesP"`   // of halves as different by chance
}

// FailureEvidence counts from the first flow of the stage on; classes are of the window.
type FailureEvidence struct {
	Flows        int             `json:"flows"`
	Failed       int             `json:"failed"`
	Stable       VersionFailures `json:"stable"`
	Canary       VersionFailures `json:"canary"`
	Unattributed ClassCounts     `json:"unattributed"`
	Attributed   *GateEvidence   `json:"attributedGate"` // the canary's part of the failures; nil at the baseline
	Baseline     *GateEvidence   `json:"baselineGate"`   // all failures; nil without a baseline
	Ceiling      *Figure         `json:"ceiling"`        // max-error-rate; nil without
	Detectable   Figure          `json:"detectable"`     // rate of the canary that would have been found with 90 %
}

// VersionFailures are the flows that are known to be a version's.
type VersionFailures struct {
	Flows    int         `json:"flows"`
	Failed   int         `json:"failed"`
	Classes  ClassCounts `json:"classes"`
	Wilson   *[2]Figure  `json:"wilson"`   // of the rate; nil without flows
	Interval *[2]Figure  `json:"interval"` // always valid; rates above it are excluded
}

// ClassCounts are failed flows.
type ClassCounts struct {
	Refused  int `json:"refused"`
	Reset    int `json:"reset"`
	Timeout  int `json:"timeout"`
	Protocol int `json:"protocol"`
}

// GateEvidence is a gate: it fails if observed is above the bound and ln M reaches the
// threshold.
type GateEvidence struct {
	Observed  Figure `json:"observed"`
	Bound     Figure `json:"bound"`
	Log       Figure `json:"lnM"`
	Threshold Figure `json:"threshold"`
}

// LatencyEvidence are service times. Counts are from the first flow of the stage on,
// quantiles of the window.
type LatencyEvidence struct {
	Limit *Figure `json:"limit"` // above it an answer is slow; nil if none is
	SlowAnswers
	Tenths      SlowAnswers      `json:"tenths"` // answers of a version that began in the same tenth of a second count once
	Gate        *GateEvidence    `json:"gate"`   // the canary's part of the slow answers; nil without a limit
	Stable      *VersionQuantile `json:"stable"` // service times
	Canary      *VersionQuantile `json:"canary"`
	StableWhole *VersionQuantile `json:"stableResponse"` // from the scheduled start to the end
	CanaryWhole *VersionQuantile `json:"canaryResponse"`
	Shift       Figure           `json:"shift"`        // of the canary against stable, Hodges and Lehmann
	Longer      Figure           `json:"canaryLonger"` // probability that its answer takes longer, percent
	P           Figure           `json:"mannWhitneyP"` // of as much by chance, two-sided
}

// SlowAnswers are answers of known version, and how many of them were slow.
type SlowAnswers struct {
	Answers     int `json:"answers"`
	Slow        int `json:"slow"`
	CanaryTimed int `json:"canaryAnswers"`
	CanarySlow  int `json:"canarySlow"`
}

// VersionQuantile are quantiles of one version, nil where there are too few answers.
type VersionQuantile struct {
	Answers int             `json:"answers"`
	P50     *QuantileFigure `json:"p50"`
	P95     *QuantileFigure `json:"p95"`
	P99     *QuantileFigure `json:"p99"`
}

// QuantileFigure is a quantile between two order statistics, counted from 1.
type QuantileFigure struct {
	Value    Figure `json:"value"`
	Low      Figure `json:"low"`
	High     Figure `json:"high"`
	LowRank  int    `json:"lowRank"`
	HighRank int    `json:"highRank"`
	Coverage Figure `json:"coverage"` // percent, at least 95
}

// AgreementEvidence are the p-values of differences that should be chance alone.
type AgreementEvidence struct {
	StablePods Figure `json:"stablePods"` // of one version, answering equally often
	CanaryPods Figure `json:"canaryPods"`
	Addresses  Figure `json:"addresses"` // showing one share
	Families   Figure `json:"families"`  // as well
}

// Figure is a number of a document: six significant digits, and null where it cannot
// be had, which reads back as NaN.
type Figure float64

// MarshalJSON implements json.Marshaler.
func (f Figure) MarshalJSON() ([]byte, error) {
	if v := float64(f); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', 6, 64), 64)
	if err != nil {
		return nil, err
	}
	if rounded == 0 {
		rounded = 0 // of -0 too
	}
	return json.Marshal(rounded)
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Figure) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*f = Figure(math.NaN())
		return nil
	}
	return json.Unmarshal(data, (*float64)(f))
}

// Known reports whether there is a number.
func (f Figure) Known() bool { return !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) }

// hundredths is a fraction in percent.
func hundredths(fraction float64) Figure { return Figure(100 * fraction) }

// within is an interval of fractions in percent.
func within(i stats.Interval) *[2]Figure { return &[2]Figure{hundredths(i.Lo), hundredths(i.Hi)} }

// inMilliseconds is a time.
func inMilliseconds(d time.Duration) Figure { return Figure(float64(d) / float64(time.Millisecond)) }

// gateEvidence is what a gate found, in percent.
func gateEvidence(e stats.Evidence) *GateEvidence {
	return &GateEvidence{
		Observed: hundredths(e.Observed), Bound: hundredths(e.Bound), Log: Figure(e.Log), Threshold: Figure(e.Threshold),
	}
}

// classCounts are the failures of one version.
func classCounts(failures map[probe.Class]int) ClassCounts {
	return ClassCounts{
		Refused: failures[probe.Refused], Reset: failures[probe.Reset], Timeout: failures[probe.Timeout], Protocol: failures[probe.Faulty],
	}
}
