package report

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// witness gives every port of a stage the evidence of flows that come to its figures.
func witness(s *rollout.StageRecord) {
	for i := range s.Ports {
		s.Ports[i].Evidence = evidenceOf(s.Ports[i])
	}
	s.Evidence = evidenceOf(s.Measurement)
}

// evidenceOf has a judge look at flows that come to the figures of a measurement: in an
// order of chance, each version in the times of its quantiles.
func evidenceOf(m rollout.Measurement) *rollout.Evidence {
	slower := rollout.Percent(25)
	o := rollout.JudgeOptions{
		Ports: []probe.Port{{Number: 80, Protocol: probe.TCP}}, Expected: m.Expected, Tolerance: 5, Confidence: 95, MaxSlower: &slower, NoEarlyStop: true,
	}
	if m.Expected == nil || *m.Expected > 0 {
		o.Baseline = &rollout.Baseline{Ports: []rollout.Failures{{Flows: 300}}, Times: []rollout.Pace{{P95: 8 * time.Millisecond, Answers: 300}}}
	}
	var flows []probe.Flow
	add := func(n int, class probe.Class, version probe.Version) {
		for i := range n {
			f := probe.Flow{Class: class, Version: version, Address: netip.MustParseAddr("203.0.113.7")}
			f.FirstByte = m.Latency[version].P50 * time.Duration(i+1) / time.Duration(n/2+1)
			flows = append(flows, f)
		}
	}
	add(m.Stable, probe.Answered, probe.Stable)
	add(m.Canary, probe.Answered, probe.Canary)
	for _, class := range classes {
		add(m.Errors[class], class, probe.Canary)
	}
	random := rand.New(rand.NewPCG(7, 7))
	random.Shuffle(len(flows), func(i, j int) { flows[i], flows[j] = flows[j], flows[i] })
	judge := rollout.NewJudge(o)
	for i, f := range flows {
		f.Scheduled = time.Duration(i) * 20 * time.Millisecond
		f.Start, f.Total = f.Scheduled, f.FirstByte
		judge.Add(f)
	}
	judge.Expire()
	return judge.Measurements()[0].Evidence
}

// turns is a sample of a balancer that takes turns.
func turns() rollout.Measurement {
	expected := rollout.Percent(20)
	judge := rollout.NewJudge(rollout.JudgeOptions{Ports: []probe.Port{{Number: 80, Protocol: probe.TCP}}, Expected: &expected, Tolerance: 5, Confidence: 95})
	for i := 0; ; i++ {
		f := probe.Flow{Class: probe.Answered, Version: probe.Stable, Address: netip.MustParseAddr("203.0.113.7"), FirstByte: time.Millisecond}
		if i%5 == 4 {
			f.Version = probe.Canary
		}
		if judge.Add(f) {
			return judge.Measurements()[0]
		}
	}
}

// bySlowness is a run whose canary answers in 40 ms what stable answers in 1.
func bySlowness() *rollout.Record {
	detail := "112 of 123 answers of the canary on 80/TCP (91.1 %) took longer than 10 ms, the slowest 5 % of the baseline's more than 8 ms; it answered 50.2 % of 245 flows but has 112 of 113 slow answers (99.1 %, at most 60.9 % would be its share)"
	r := rolledBack(rollout.ReasonFailLatency, detail)
	slow := sampled("80/TCP", 122, 123, 50)
	slow.Latency[probe.Canary] = rollout.Latency{P50: 38 * time.Millisecond, P95: 42 * time.Millisecond, P99: 51 * time.Millisecond}
	r.Stages = []rollout.StageRecord{seedBaseline(), judged(passed("50", 50, 1, 1, slow), rollout.Fail, rollout.ReasonFailLatency, detail)}
	for i := range r.Stages {
		witness(&r.Stages[i])
	}
	return r
}

// byPause is a run whose canary broke in the pause after a stage that had passed.
func byPause() *rollout.Record {
	detail := "in the pause after its verdict, 13 of 97 flows on 7777/TCP that the canary took failed (13.4 %), more than the 5 % that either version may (max-error-rate)"
	r := ended(lobby(), rollout.RolledBack, rollout.ReasonFailCeiling, 371*time.Second)
	r.Message, r.Rollback = detail, &rollout.RollbackRecord{Took: 12400 * time.Millisecond, Stable: 10}
	r.Stages, r.NotReached = lobbyStages()[:2], []rollout.Percent{25, 50, 100}
	stage := &r.Stages[1]
	witness(stage)
	broken := sampled("7777/TCP", 912, 84, 10)
	broken.Verdict, broken.Reason = rollout.Fail, rollout.ReasonFailCeiling
	broken.Samples, broken.Errors = 1009, map[probe.Class]int{probe.Faulty: 13}
	fine := sampled("7778/UDP", 905, 101, 10)
	fine.Verdict, fine.Reason = "", ""
	stage.After = &rollout.AfterRecord{Name: "pause", Took: 201 * time.Second, Ports: []rollout.Measurement{broken, fine}}
	stage.Verdict, stage.Reason, stage.Detail = rollout.Fail, rollout.ReasonFailCeiling, detail
	stage.Ports[0].Evidence.Warnings = append(stage.Ports[0].Evidence.Warnings, "IPv4 and IPv6 contradict each other: they show different shares")
	return r
}

// TestWhatDecidedIsShown: the chart and the line of a rollback are of what turned it down.
func TestWhatDecidedIsShown(t *testing.T) {
	t.Parallel()
	slow := string(markdown(t, bySlowness(), "1.0.0"))
	require.Contains(t, slow, "**The canary answers too slowly** (`FAIL_LATENCY`, `80/TCP`, after 245 flows in")
	require.Contains(t, slow, "bar [2.3, 42]\n  line [10, 10]")
	require.Contains(t, slow, "too few")

	paused := string(markdown(t, byPause(), "1.0.0"))
	require.Contains(t, paused, "(`FAIL_CEILING`, `7777/TCP`, after 1,009 flows in 3\u00a0min 21\u00a0s)")
	require.Contains(t, paused, "bar [0, 1.29]", "of the pause, not of the stage before it")
	require.Contains(t, paused, "IPv4 and IPv6 contradict each other")
	require.Contains(t, paused, "<b>In pauses and bake, at a tenth of the rate</b>")
}

// TestEvidenceIsInTheDocument: what the JSON promises a reader, by name.
func TestEvidenceIsInTheDocument(t *testing.T) {
	t.Parallel()
	var document struct {
		Stages []struct {
			Gates []map[string]any
			After map[string]any
			Ports []struct{ Evidence map[string]any }
		}
	}
	require.NoError(t, json.Unmarshal(asJSON(t, byPause()), &document))
	stage := document.Stages[1]
	require.Equal(t, []map[string]any{
		{"name": "share", "port": "7777/TCP", "verdict": "pass", "reason": "PASS"},
		{"name": "share", "port": "7778/UDP", "verdict": "pass", "reason": "PASS"},
		{"name": "errors", "port": "7777/TCP", "verdict": "fail", "reason": "FAIL_CEILING"},
	}, stage.Gates)
	require.Equal(t, "pause", stage.After["name"])
	evidence := stage.Ports[1].Evidence
	for _, name := range []string{"model", "share", "sequence", "failures", "latency", "agreement", "warnings"} {
		require.Contains(t, evidence, name)
	}
	share := evidence["share"].(map[string]any)
	for _, name := range []string{"alpha", "threshold", "lnMLow", "lnMHigh", "planned", "budget", "restarts", "remaining"} {
		require.Contains(t, share, name)
	}
	require.InDelta(t, 3, evidence["failures"].(map[string]any)["canary"].(map[string]any)["classes"].(map[string]any)["timeout"], 0)
	require.Nil(t, document.Stages[0].Ports[0].Evidence, "nobody judged, nobody claims")
}

// TestGateNames: each gate that can fail a stage has a name of its own.
func TestGateNames(t *testing.T) {
	t.Parallel()
	for reason, want := range map[rollout.Reason]string{
		rollout.ReasonPass: "share", rollout.ReasonFailShare: "share", rollout.ReasonFailErrors: "errors", rollout.ReasonFailCeiling: "errors",
		rollout.ReasonFailLatency: "latency", rollout.ReasonFailRestarts: "restarts", rollout.ReasonCrashLoop: "pods",
	} {
		require.Equal(t, want, gateOf(reason), reason)
	}
}

// TestForeignWarningsAreEscaped: a document can hold anything.
func TestForeignWarningsAreEscaped(t *testing.T) {
	t.Parallel()
	r := bySlowness()
	r.Stages[1].Ports[0].Evidence.Warnings = []string{evil}
	var b bytes.Buffer
	require.NoError(t, Markdown(&b, r, "1.0.0"))
	require.NotContains(t, b.String(), "<script>")
	require.NotContains(t, b.String(), "\n::set-output")
	require.Equal(t, 1, strings.Count(b.String(), "At 50\u00a0%"))
}

func TestRoundUp(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]float64{0.4: 0.5, 0.94: 1, 0.96: 2, 42: 50, 49: 100, 99: 200, 1: 2} {
		require.InDelta(t, want, roundUp(v), 1e-12, "%v", v)
	}
}
