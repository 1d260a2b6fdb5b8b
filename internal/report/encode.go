package report

import (
	"slices"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// newReport is the document of a record.
func newReport(r *rollout.Record, version string) reportDocument {
	d := reportDocument{
		SchemaVersion: schemaVersion, Version: version,
		Outcome: optional(r.Outcome), Reason: optional(r.Reason), Message: r.Message,
		Namespace: r.Namespace, Service: r.Service, Mode: r.Mode, Release: r.Release,
		Replicas: r.Replicas, MaxSurge: r.MaxSurge, MaxUnavailable: r.MaxUnavailable, Removal: r.Removal,
		StartedAt: instant(r.StartedAt), FinishedAt: instant(r.FinishedAt),
		Stages: each(r.Stages, func(s rollout.StageRecord) stageDocument { return newStage(s, r.ShareGate) }), HeldFlows: newHeld(r.Held), NotReached: each(r.NotReached, percent),
		Stable: newSide(r.Stable), Canary: newSide(r.Canary), Addresses: list(r.Addresses),
		Tolerance: percent(r.Tolerance), Confidence: percent(r.Confidence), Rate: figure(r.Rate, millionth), Seed: r.Seed,
		ProbeFrom: optional(r.ProbeFrom), Inside: r.Inside, ShareGate: optional(r.ShareGate), Learned: each(r.Learned, newLearned),
		Troubles: each(r.Troubles, newTrouble), KeptPod: optional(r.KeptPod), Notices: list(r.Notices), Paused: list(r.Paused),
	}
	if b := r.Rollback; b != nil {
		d.Rollback = &rollbackDocument{Seconds: seconds(b.Took), Stable: b.Stable, Canary: b.Canary, Error: optional(b.Err)}
	}
	return d
}

func newSide(s rollout.Side) sideDocument {
	return sideDocument{Deployment: s.Deployment, Images: list(s.Images), Replicas: s.Replicas, Ready: s.Ready}
}

func newLearned(l rollout.Learned) learnedDocument {
	return learnedDocument{Port: l.Port, By: optional(l.Words), Why: optional(l.Why)}
}

func newTrouble(t rollout.Trouble) troubleDocument {
	return troubleDocument{
		Pod: t.Pod, Side: t.Side, Reason: t.Reason, Message: t.Message,
		Since: instant(t.Since), Restarts: t.Restarts, Fatal: t.Fatal,
	}
}

func newEstimate(e rollout.Estimate) estimate {
	return estimate{Probes: e.Probes, MaxProbes: e.MaxProbes, Seconds: seconds(e.Time), MaxSeconds: seconds(e.MaxTime)}
}

func newPlannedStage(s rollout.PlannedStage) plannedStage {
	return plannedStage{
		Target: percent(s.Target), Stable: s.Stable, Canary: s.Canary,
		Planned: percent(s.Planned), Error: percent(s.Error),
	}
}

func newStage(s rollout.StageRecord, shareGate string) stageDocument {
	sample := newSample(s.Measurement)
	d := stageDocument{
		Name: s.Name, plannedStage: newPlannedStage(s.PlannedStage),
		Port: optional(s.Port), Samples: sample.Samples, StableFlows: sample.Stable, CanaryFlows: sample.Canary, figures: sample.figures,
		NotMeasured: optional(s.Unmeasured),
		Band:        band(s.Measurement), Detail: s.Detail, MoveSeconds: seconds(s.Move), DrainSeconds: seconds(s.Drain), SamplingSeconds: seconds(s.Sampling),
		Ports: each(portsOf(s), newPort), Gates: newGates(s, shareGate), Queries: each(s.Queries, newQuery), After: newAfter(s.After),
	}
	d.Verdict, d.Reason = optional(s.Verdict), optional(s.Reason)
	if s.Propagation != nil {
		d.PropagationSeconds = figure(s.Propagation.Seconds(), thousandth)
	}
	return d
}

func newAfter(a *rollout.AfterRecord) *afterDocument {
	if a == nil {
		return nil
	}
	return &afterDocument{Name: a.Name, Seconds: seconds(a.Took), Ports: each(a.Ports, newPort)}
}

// portsOf are the ports of a stage, also where only one was recorded.
func portsOf(s rollout.StageRecord) []rollout.Measurement {
	if len(s.Ports) == 0 && s.Port != "" {
		return []rollout.Measurement{s.Measurement}
	}
	return s.Ports
}

// newGates are the judgements of a stage: one a port, and the stage's own where
// none of them made it. Where the share decides nothing, what passed is the errors' gate.
func newGates(s rollout.StageRecord, shareGate string) []gateDocument {
	gates := []gateDocument{}
	made := s.Verdict == ""
	ports := portsOf(s)
	if s.After != nil {
		ports = slices.Concat(ports, s.After.Ports)
	}
	for _, m := range ports {
		if m.Verdict == "" {
			continue
		}
		name := gateOf(m.Reason)
		if m.Reason == rollout.ReasonPass && (m.Unmeasured != "" || shareGate == "report") {
			name = gateOf(rollout.ReasonFailErrors)
		}
		gates = append(gates, gateDocument{Name: name, Port: optional(m.Port), Verdict: m.Verdict, Reason: m.Reason})
		made = made || m.Verdict == s.Verdict && m.Reason == s.Reason
	}
	if gate := queryGate(s); gate != nil {
		gates = append(gates, *gate)
		made = made || gate.Verdict == s.Verdict && gate.Reason == s.Reason
	}
	if !made {
		gates = append(gates, gateDocument{Name: gateOf(s.Reason), Verdict: s.Verdict, Reason: s.Reason})
	}
	return gates
}

// shareReasons are the codes of the gate that compares the split.
var shareReasons = []rollout.Reason{
	rollout.ReasonPass, rollout.ReasonFailShare, rollout.ReasonInconclusive, rollout.ReasonInvalidSticky,
	rollout.ReasonInvalidClassifier, rollout.ReasonInvalidOverload, rollout.ReasonInvalidLocal,
}

// gateOf names the gate that gives a reason.
func gateOf(reason rollout.Reason) string {
	switch {
	case slices.Contains(shareReasons, reason):
		return "share"
	case reason == rollout.ReasonFailErrors, reason == rollout.ReasonFailCeiling:
		return "errors"
	case reason == rollout.ReasonFailLatency:
		return "latency"
	case reason == rollout.ReasonFailRestarts:
		return "restarts"
	case reason == rollout.ReasonFailMetric:
		return "metrics"
	}
	return "pods"
}

func newPort(m rollout.Measurement) portDocument {
	return portDocument{
		Port: m.Port, sampleFigures: newSample(m), NotMeasured: optional(m.Unmeasured), Band: band(m), Evidence: m.Evidence,
		Addresses: each(m.Addresses, func(a rollout.AddressCount) addressDocument { return addressDocument(a) }),
		Pods:      each(m.Pods, func(p rollout.PodCount) podDocument { return podDocument(p) }),
	}
}

// band is nil without an expectation.
func band(m rollout.Measurement) *[2]float64 {
	if m.Expected == nil {
		return nil
	}
	return interval(m.Band)
}

func newSample(m rollout.Measurement) sampleFigures {
	d := sampleFigures{Samples: m.Samples, Stable: m.Stable, Canary: m.Canary, figures: figures{
		Unknown: m.Unknown, NotSent: m.NotSent,
		Errors: errorFigures{
			Refused: m.Errors[probe.Refused], Reset: m.Errors[probe.Reset], Timeout: m.Errors[probe.Timeout],
			Protocol: m.Errors[probe.Faulty], Local: m.Errors[probe.Local],
		},
		Verdict: optional(m.Verdict), Reason: optional(m.Reason),
		Latency: latencyFigures{Stable: newQuantiles(m, probe.Stable), Canary: newQuantiles(m, probe.Canary)},
		Rate:    figure(m.Rate, millionth), Seed: m.Seed,
	}}
	if m.Observed != nil {
		d.Observed, d.Interval, d.Wilson = percent(*m.Observed), interval(m.Interval), interval(m.Wilson)
	}
	if m.Expected != nil {
		d.Expected = percent(*m.Expected)
	}
	return d
}

// newQuantiles is nil for a version that never answered.
func newQuantiles(m rollout.Measurement, version probe.Version) *quantiles {
	l, ok := m.Latency[version]
	if !ok || l == (rollout.Latency{}) {
		return nil
	}
	return &quantiles{P50: milliseconds(l.P50), P95: milliseconds(l.P95), P99: milliseconds(l.P99)}
}

func newLatency(q *quantiles) rollout.Latency {
	return rollout.Latency{
		P50: duration(q.P50, time.Millisecond), P95: duration(q.P95, time.Millisecond), P99: duration(q.P99, time.Millisecond),
	}
}
