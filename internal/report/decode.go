package report

import (
	"fmt"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// record is the run that a document describes.
func (d reportDocument) record() (*rollout.Record, error) {
	r := &rollout.Record{
		Outcome: value(d.Outcome), Reason: value(d.Reason), Message: d.Message,
		Namespace: d.Namespace, Service: d.Service, Mode: d.Mode, Release: d.Release,
		Stable: d.Stable.side(), Canary: d.Canary.side(), Addresses: d.Addresses,
		Replicas: d.Replicas, MaxSurge: d.MaxSurge, MaxUnavailable: d.MaxUnavailable, Removal: d.Removal,
		Tolerance: rollout.Percent(value(d.Tolerance)), Confidence: rollout.Percent(value(d.Confidence)),
		Rate: value(d.Rate), Seed: d.Seed, ShareGate: value(d.ShareGate), ProbeFrom: value(d.ProbeFrom), Inside: d.Inside,
		Learned: each(d.Learned, func(l learnedDocument) rollout.Learned {
			return rollout.Learned{Port: l.Port, Words: value(l.By), Why: value(l.Why)}
		}),
		Stages:     each(d.Stages, stageDocument.stage),
		Held:       d.HeldFlows.record(),
		NotReached: each(d.NotReached, func(p *float64) rollout.Percent { return rollout.Percent(value(p)) }),
		KeptPod:    value(d.KeptPod), Notices: d.Notices, Paused: d.Paused,
	}
	if b := d.Rollback; b != nil {
		r.Rollback = &rollout.RollbackRecord{
			Took: duration(b.Seconds, time.Second), Stable: b.Stable, Canary: b.Canary, Err: value(b.Error),
		}
	}
	var err error
	if r.StartedAt, err = parseInstant("startedAt", d.StartedAt); err != nil {
		return nil, err
	}
	if r.FinishedAt, err = parseInstant("finishedAt", d.FinishedAt); err != nil {
		return nil, err
	}
	for _, t := range d.Troubles {
		since, err := parseInstant("since", t.Since)
		if err != nil {
			return nil, err
		}
		r.Troubles = append(r.Troubles, rollout.Trouble{
			Pod: t.Pod, Side: t.Side, Reason: t.Reason, Message: t.Message, Since: since, Restarts: t.Restarts, Fatal: t.Fatal,
		})
	}
	return r, nil
}

// parseInstant reads a time of a document.
func parseInstant(name string, text *string) (time.Time, error) {
	if text == nil {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, *text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s is %q: allowed are times such as 2026-11-02T15:04:05Z", name, *text)
	}
	return t, nil
}

func (d sideDocument) side() rollout.Side {
	return rollout.Side{Deployment: d.Deployment, Images: d.Images, Replicas: d.Replicas, Ready: d.Ready}
}

func (d stageDocument) stage() rollout.StageRecord {
	sample := sampleFigures{Samples: d.Samples, Stable: d.StableFlows, Canary: d.CanaryFlows, figures: d.figures}
	s := rollout.StageRecord{
		Name: d.Name,
		PlannedStage: rollout.PlannedStage{
			Target: rollout.Percent(value(d.Target)), Stable: d.Stable, Canary: d.Canary,
			Planned: rollout.Percent(value(d.Planned)), Error: rollout.Percent(value(d.Error)),
		},
		Measurement: sample.measurement(value(d.Port), d.Band),
		Ports:       each(d.Ports, portDocument.measurement),
		Move:        duration(d.MoveSeconds, time.Second), Drain: duration(d.DrainSeconds, time.Second), Sampling: duration(d.SamplingSeconds, time.Second),
		Verdict: value(d.Verdict), Reason: value(d.Reason), Detail: d.Detail,
	}
	if d.After != nil {
		s.After = &rollout.AfterRecord{Name: d.After.Name, Took: duration(d.After.Seconds, time.Second), Ports: each(d.After.Ports, portDocument.measurement)}
	}
	s.Unmeasured = value(d.NotMeasured)
	s.Queries = each(d.Queries, queryDocument.record)
	if d.PropagationSeconds != nil {
		propagation := duration(d.PropagationSeconds, time.Second)
		s.Propagation = &propagation
	}
	return s
}

func (d portDocument) measurement() rollout.Measurement {
	m := d.sampleFigures.measurement(d.Port, d.Band)
	m.Unmeasured = value(d.NotMeasured)
	m.Addresses = each(d.Addresses, func(a addressDocument) rollout.AddressCount { return rollout.AddressCount(a) })
	m.Pods = each(d.Pods, func(p podDocument) rollout.PodCount { return rollout.PodCount(p) })
	m.Evidence = d.Evidence
	return m
}

func (d sampleFigures) measurement(port string, band *[2]float64) rollout.Measurement {
	m := rollout.Measurement{
		Port: port, Samples: d.Samples, Stable: d.Stable, Canary: d.Canary, Unknown: d.Unknown, NotSent: d.NotSent,
		Errors: map[probe.Class]int{
			probe.Refused: d.Errors.Refused, probe.Reset: d.Errors.Reset, probe.Timeout: d.Errors.Timeout,
			probe.Faulty: d.Errors.Protocol, probe.Local: d.Errors.Local,
		},
		Interval: fractions(d.Interval), Wilson: fractions(d.Wilson), Band: fractions(band),
		Verdict: value(d.Verdict), Reason: value(d.Reason), Rate: value(d.Rate), Seed: d.Seed,
		Latency: make(map[probe.Version]rollout.Latency, 2),
	}
	if d.Observed != nil {
		observed := rollout.Percent(*d.Observed)
		m.Observed = &observed
	}
	if d.Expected != nil {
		expected := rollout.Percent(*d.Expected)
		m.Expected = &expected
	}
	if d.Latency.Stable != nil {
		m.Latency[probe.Stable] = newLatency(d.Latency.Stable)
	}
	if d.Latency.Canary != nil {
		m.Latency[probe.Canary] = newLatency(d.Latency.Canary)
	}
	return m
}
