package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/stats"
)

// began is when every fixture's run began.
var began = time.Date(2026, 11, 2, 14, 0, 0, 0, time.UTC)

const registry = "registry.cn-hangzhou.aliyuncs.com/xianlu/"

// sampled is what a port told after stable and canary answers, with an expected
// weight and five points around it.
func sampled(port string, stable, canary int, expected rollout.Percent) rollout.Measurement {
	answers := stable + canary
	observed := rollout.Percent(100 * float64(canary) / float64(answers))
	m := rollout.Measurement{
		Port: port, Samples: answers, Stable: stable, Canary: canary,
		Addresses: []rollout.AddressCount{{Address: "203.0.113.7", Stable: stable, Canary: canary}},
		Observed:  &observed, Expected: &expected,
		Interval: stats.ConfidenceSequence(canary, answers, 0.05, stats.Concentration(390, 0.05)),
		Wilson:   stats.Wilson(canary, answers, 0.95),
		Band:     stats.Interval{Lo: max(0, expected.Fraction()-0.05), Hi: min(1, expected.Fraction()+0.05)},
		Verdict:  rollout.Pass, Reason: rollout.ReasonPass, Rate: 199.6, Seed: 42,
		Latency: map[probe.Version]rollout.Latency{}, Errors: map[probe.Class]int{},
	}
	if stable > 0 {
		m.Latency[probe.Stable] = rollout.Latency{P50: 812 * time.Microsecond, P95: 2300 * time.Microsecond, P99: 3100 * time.Microsecond}
	}
	if canary > 0 {
		m.Latency[probe.Canary] = rollout.Latency{P50: 840 * time.Microsecond, P95: 2100 * time.Microsecond, P99: 3306 * time.Microsecond}
	}
	return m
}

// passed is a stage at which every port passed; the first decided.
func passed(name string, target rollout.Percent, stable, canary int, ports ...rollout.Measurement) rollout.StageRecord {
	propagation := 800 * time.Millisecond
	planned := rollout.Percent(100 * float64(canary) / float64(stable+canary))
	s := rollout.StageRecord{
		Name:         name,
		PlannedStage: rollout.PlannedStage{Target: target, Stable: stable, Canary: canary, Planned: planned, Error: max(planned-target, target-planned)},
		Measurement:  ports[0], Ports: ports, Sampling: 2200 * time.Millisecond,
		Verdict: rollout.Pass, Reason: rollout.ReasonPass,
	}
	if name != "baseline" {
		s.Move, s.Propagation = 4300*time.Millisecond, &propagation
	}
	return s
}

// judged gives a stage another verdict than pass.
func judged(s rollout.StageRecord, verdict rollout.Verdict, reason rollout.Reason, detail string) rollout.StageRecord {
	s.Measurement.Verdict, s.Measurement.Reason = verdict, reason
	if len(s.Ports) > 0 {
		s.Ports[0].Verdict, s.Ports[0].Reason = verdict, reason
	}
	s.Verdict, s.Reason, s.Detail = verdict, reason, detail
	return s
}

// moved is a stage whose move failed: nothing was sampled.
func moved(name string, target rollout.Percent, stable, canary int, reason rollout.Reason, detail string) rollout.StageRecord {
	s := passed(name, target, stable, canary, rollout.Measurement{})
	s.Ports, s.Propagation, s.Sampling = nil, nil, 0
	s.Verdict, s.Reason, s.Detail = rollout.Fail, reason, detail
	return s
}

// seed is the run that the product grew from, R = 1 and 4 more, before its
// first stage.
func seed() *rollout.Record {
	return &rollout.Record{
		Namespace: "default", Service: "nginx", Mode: "pair", Release: "sha256:4be1f3c2a09d",
		Stable:    rollout.Side{Deployment: "old-nginx", Images: []string{registry + "old-nginx"}, Replicas: 1, Ready: 1},
		Canary:    rollout.Side{Deployment: "new-nginx", Images: []string{registry + "new-nginx"}},
		Addresses: []string{"203.0.113.7"}, Replicas: 1, MaxSurge: 4, Removal: "terminate",
		Tolerance: 5, Confidence: 95, Rate: 200, Seed: 42, StartedAt: began,
		NotReached: []rollout.Percent{50, 80, 100},
		Notices:    []string{"testdata/manifests/seed/old.yaml:1: extensions/v1beta1 was read as apps/v1"},
	}
}

func seedBaseline() rollout.StageRecord {
	return passed("baseline", 0, 1, 0, sampled("80/TCP", 299, 0, 0))
}

// ended is a run that is over after a time.
func ended(r *rollout.Record, outcome rollout.Outcome, reason rollout.Reason, after time.Duration) *rollout.Record {
	r.Outcome, r.Reason, r.FinishedAt = outcome, reason, began.Add(after)
	return r
}

func seedPromoted() *rollout.Record {
	r := ended(seed(), rollout.Promoted, rollout.ReasonPass, 71*time.Second)
	r.Stages = []rollout.StageRecord{
		seedBaseline(),
		passed("50", 50, 1, 1, sampled("80/TCP", 611, 598, 50)),
		passed("80", 80, 1, 4, sampled("80/TCP", 158, 641, 80)),
		passed("100", 100, 0, 1, sampled("80/TCP", 0, 299, 100)),
	}
	for i := range r.Stages {
		witness(&r.Stages[i])
	}
	r.NotReached, r.Stable.Replicas, r.Stable.Ready, r.Canary.Replicas, r.Canary.Ready = nil, 0, 0, 1, 1
	return r
}

// lobby is the run of ten pods that speak TCP and UDP.
func lobby() *rollout.Record {
	return &rollout.Record{
		Namespace: "game", Service: "lobby", Mode: "pair", Release: "sha256:9c01d4e7b3aa",
		Stable:    rollout.Side{Deployment: "lobby-blue", Images: []string{"ghcr.io/acme/lobby:1.8.2"}, Replicas: 10, Ready: 10},
		Canary:    rollout.Side{Deployment: "lobby-green", Images: []string{"ghcr.io/acme/lobby:1.9.0"}},
		Addresses: []string{"203.0.113.7", "2001:db8::7"}, Replicas: 10, MaxSurge: 3, Removal: "terminate",
		Tolerance: 5, Confidence: 95, Rate: 50, Seed: 7, StartedAt: began,
		NotReached: []rollout.Percent{10, 25, 50, 100},
	}
}

// both is a stage of lobby seen through both ports, both addresses and its pods.
func both(name string, target rollout.Percent, stable, canary int, tcp, udp rollout.Measurement) rollout.StageRecord {
	ports := []rollout.Measurement{tcp, udp}
	for i := range ports {
		m := &ports[i]
		half := rollout.AddressCount{Address: "203.0.113.7", Stable: m.Stable / 2, Canary: m.Canary / 2}
		rest := rollout.AddressCount{Address: "2001:db8::7", Stable: m.Stable - half.Stable, Canary: m.Canary - half.Canary}
		m.Addresses = []rollout.AddressCount{half, rest}
		for pod := range stable {
			m.Pods = append(m.Pods, rollout.PodCount{Pod: fmt.Sprintf("lobby-blue-6c4f8-%04x", pod*4099), Version: probe.Stable, Flows: m.Stable / stable})
		}
		for pod := range canary {
			m.Pods = append(m.Pods, rollout.PodCount{Pod: fmt.Sprintf("lobby-green-77d9b-%04x", pod*4099), Version: probe.Canary, Flows: m.Canary / canary})
		}
	}
	return passed(name, target, stable, canary, ports...)
}

func lobbyStages() []rollout.StageRecord {
	udp := sampled("7778/UDP", 402, 44, 10)
	udp.Samples += 3
	udp.Errors = map[probe.Class]int{probe.Timeout: 3, probe.Local: 1}
	return []rollout.StageRecord{
		both("baseline", 0, 10, 0, sampled("7777/TCP", 299, 0, 0), sampled("7778/UDP", 299, 0, 0)),
		both("10", 10, 9, 1, sampled("7777/TCP", 385, 45, 10), udp),
		both("25", 25, 8, 3, sampled("7777/TCP", 660, 242, rollout.Percent(300.0/11)), sampled("7778/UDP", 671, 240, rollout.Percent(300.0/11))),
		both("50", 50, 5, 5, sampled("7777/TCP", 580, 600, 50), sampled("7778/UDP", 604, 588, 50)),
		both("100", 100, 0, 10, sampled("7777/TCP", 0, 299, 100), sampled("7778/UDP", 0, 299, 100)),
	}
}

func lobbyPromoted() *rollout.Record {
	r := ended(lobby(), rollout.Promoted, rollout.ReasonPass, 192*time.Second)
	r.Stages, r.NotReached, r.Held = lobbyStages(), nil, heldOpen()
	r.Stable.Replicas, r.Stable.Ready, r.Canary.Replicas, r.Canary.Ready = 0, 0, 10, 10
	return r
}

// heldOpen is what became of 200 flows: those of TCP name their pods, and one pod was
// killed.
func heldOpen() *rollout.HeldRecord {
	h := &rollout.HeldRecord{
		Asked: 200, Open: 198, Drain: 30 * time.Second,
		Ports: []rollout.HeldPort{
			{Port: "7777/TCP", Asked: 100, Open: 100, Named: 100},
			{Port: "7778/UDP", Asked: 100, Open: 98, Failure: "no answer"},
		},
		Stages: []rollout.HeldStage{
			{Stage: "10", Open: 198, Outlived: 20, Left: 178},
			{Stage: "25", Open: 178, Outlived: 19, Cut: 10, Left: 149},
			{Stage: "50", Open: 149, Outlived: 59, Left: 90},
			{Stage: "100", Open: 90, Outlived: 90},
		},
	}
	end := func(stage, port, pod string, how probe.Ending, flows int, after time.Duration) {
		h.Ends = append(h.Ends, rollout.HeldEnd{Stage: stage, Port: port, Version: probe.Stable, Pod: pod, How: how, Flows: flows, After: &after})
	}
	end("10", "7777/TCP", "lobby-blue-6c4f8-0000", probe.EndClosed, 10, 30140*time.Millisecond)
	end("10", "7778/UDP", "", probe.EndMoved, 10, 30900*time.Millisecond)
	h.Ends = append(h.Ends, rollout.HeldEnd{Stage: "25", Port: "7777/TCP", Version: probe.Stable, Pod: "lobby-blue-6c4f8-1003", How: probe.EndReset, Flows: 10, Cut: true})
	end("25", "7777/TCP", "lobby-blue-6c4f8-2006", probe.EndClosed, 10, 30160*time.Millisecond)
	end("25", "7778/UDP", "", probe.EndTimeout, 9, 30*time.Second)
	end("50", "7777/TCP", "lobby-blue-6c4f8-3009", probe.EndClosed, 30, 30200*time.Millisecond)
	end("50", "7778/UDP", "", probe.EndMoved, 29, 31*time.Second)
	end("100", "7777/TCP", "lobby-blue-6c4f8-600c", probe.EndClosed, 50, 30200*time.Millisecond)
	end("100", "7778/UDP", "", probe.EndMoved, 40, 31*time.Second)
	return h
}

func lobbyHeld() *rollout.Record {
	r := ended(lobby(), rollout.Held, rollout.ReasonPass, 64*time.Second)
	r.Stages, r.NotReached = lobbyStages()[:3], []rollout.Percent{50, 100}
	r.Stable.Replicas, r.Stable.Ready, r.Canary.Replicas, r.Canary.Ready = 8, 8, 3, 3
	return r
}

// rolledBack is the seed's run, failed and restored.
func rolledBack(reason rollout.Reason, message string) *rollout.Record {
	r := ended(seed(), rollout.RolledBack, reason, 38*time.Second)
	r.Message, r.Rollback = message, &rollout.RollbackRecord{Took: 3400 * time.Millisecond, Stable: 1}
	r.NotReached = []rollout.Percent{80, 100}
	return r
}

func byShare() *rollout.Record {
	detail := "25.1 % of 431 answers are the canary's (19.2 to 31.7 %), expected is 50 %."
	r := rolledBack(rollout.ReasonFailShare, detail)
	r.Stages = []rollout.StageRecord{seedBaseline(), judged(passed("50", 50, 1, 1, sampled("80/TCP", 323, 108, 50)), rollout.Fail, rollout.ReasonFailShare, detail)}
	return r
}

func byErrors() *rollout.Record {
	detail := "6.1 % of new flows failed at 25 %, none at the baseline."
	r := ended(lobby(), rollout.RolledBack, rollout.ReasonFailErrors, 71*time.Second)
	r.Message, r.Rollback = detail, &rollout.RollbackRecord{Took: 12400 * time.Millisecond, Stable: 10}
	r.Stages, r.NotReached = lobbyStages()[:3], []rollout.Percent{50, 100}
	failing := &r.Stages[2]
	failing.Ports[0].Samples += 59
	failing.Ports[0].Errors = map[probe.Class]int{probe.Reset: 41, probe.Timeout: 18}
	failing.Measurement = failing.Ports[0]
	*failing = judged(*failing, rollout.Fail, rollout.ReasonFailErrors, detail)
	return r
}

func byCrash() *rollout.Record {
	r := rolledBack(rollout.ReasonCrashLoop, "Pod new-nginx-5f7d-x2sjz does not serve: back-off restarting failed container.")
	r.Stages = []rollout.StageRecord{seedBaseline(), moved("50", 50, 1, 1, rollout.ReasonCrashLoop, "1 of 1 canary pods crashes.")}
	r.Troubles = []rollout.Trouble{{
		Pod: "new-nginx-5f7d-x2sjz", Side: probe.Canary, Reason: rollout.ReasonCrashLoop, Restarts: 3, Fatal: true, Since: began.Add(14 * time.Second),
		Message: "back-off 10s restarting failed container=new-nginx pod=new-nginx-5f7d-x2sjz_default(7b1e…): exit code 1",
	}}
	return r
}

func byImage() *rollout.Record {
	r := rolledBack(rollout.ReasonImage, "The image of new-nginx cannot be pulled: not found.")
	r.Canary.Images = []string{"ghcr.io/acme/lobby@sha256:" + strings.Repeat("0123456789abcdef", 4)}
	r.Stages = []rollout.StageRecord{seedBaseline(), moved("50", 50, 1, 1, rollout.ReasonImage, "")}
	r.Troubles = []rollout.Trouble{{
		Pod: "new-nginx-5f7d-9zkx2", Side: probe.Canary, Reason: rollout.ReasonImage, Fatal: true, Since: began.Add(34 * time.Second),
		Message: `Failed to pull image "ghcr.io/acme/lobby": rpc error: code = NotFound desc = failed to resolve reference: not found`,
	}}
	return r
}

func rollbackFailed() *rollout.Record {
	r := byCrash()
	r.Outcome = rollout.RollbackFailed
	r.Rollback = &rollout.RollbackRecord{Took: 10 * time.Minute, Canary: 1, Err: "scaling deployment \"old-nginx\" to 1: forbidden"}
	r.Stable.Replicas, r.Stable.Ready, r.Canary.Replicas = 0, 0, 1
	return r
}

func aborted() *rollout.Record {
	r := ended(seed(), rollout.Aborted, rollout.ReasonBaseline, 9*time.Second)
	m := rollout.Measurement{Port: "80/TCP", Samples: 60, Errors: map[probe.Class]int{probe.Refused: 60}, Rate: 199, Seed: 42}
	r.Message = "No flow of 60 was answered before anything was changed: this is not the canary's fault."
	r.Stages = []rollout.StageRecord{judged(passed("baseline", 0, 1, 0, m), rollout.Fail, rollout.ReasonFailErrors, "")}
	return r
}

func interrupted() *rollout.Record {
	r := ended(lobby(), rollout.Interrupted, rollout.ReasonCancelled, 42*time.Second)
	r.Stages, r.NotReached = lobbyStages()[:3], []rollout.Percent{50, 100}
	r.Message = "A signal stopped the run while it sampled."
	last := &r.Stages[2]
	last.Verdict, last.Reason, last.Propagation = "", "", nil
	r.Stable.Replicas, r.Stable.Ready, r.Canary.Replicas, r.Canary.Ready = 8, 8, 3, 3
	return r
}

func running() *rollout.Record {
	r := seed()
	stage := passed("80", 80, 1, 4, sampled("80/TCP", 12, 41, 80))
	stage.Verdict, stage.Reason, stage.Propagation = "", "", nil
	stage.Ports[0].Verdict, stage.Ports[0].Reason = "", ""
	r.Stages = []rollout.StageRecord{seedBaseline(), passed("50", 50, 1, 1, sampled("80/TCP", 611, 598, 50)), stage}
	r.NotReached, r.Canary.Replicas, r.Canary.Ready = []rollout.Percent{100}, 4, 4
	r.Held = &rollout.HeldRecord{
		Asked: 50, Open: 50, Drain: 5 * time.Second, Ports: []rollout.HeldPort{{Port: "80/TCP", Asked: 50, Open: 50, Watched: 50}},
		Stages: []rollout.HeldStage{{Stage: "50", Open: 50, Left: 50}, {Stage: "80", Open: 50, Left: 50}},
	}
	return r
}

// evil is what a pod, a registry or a JSON file might say.
const evil = "| a | b\r\n\n# @octocat fixes #123 ```\n</details><script>alert(1)</script> [x](javascript:y) ![i](http://e.example/i.png) " +
	"https://e.example www.e.example GH-7 0123456789abcdef0123456789abcdef01234567 \x1b[31mred\x1b[0m \u202ereversed\u202c **bold** <!-- \n::set-output name=x::y\n##[error]z"

func hostile() *rollout.Record {
	r := byCrash()
	r.Message, r.Namespace, r.Service = evil, "a|b`c", "x@octocat"
	r.Reason = "CRASH`|\n_LOOP"
	r.Stable.Deployment, r.Canary.Deployment = "$(reboot)\n```", "it's | `id`"
	r.Stable.Images, r.Canary.Images = []string{evil}, []string{"`", "|", "", "\n"}
	r.Addresses, r.Mode, r.Release, r.Removal = []string{evil, "203.0.113.7|"}, evil, "``|``", "\\|"
	r.ShareGate, r.Learned = "report|", []rollout.Learned{{Port: evil, Words: evil}, {Port: "|", Why: evil}}
	r.Troubles[0].Pod, r.Troubles[0].Message, r.Troubles[0].Side = evil, evil, "</td>"
	r.Rollback.Err, r.KeptPod = evil, evil
	r.Notices = []string{evil, "", "* item\n* item"}
	r.Stages = append(r.Stages, judged(passed(evil, 80, 1, 4, sampled(evil, 10, 30, 80)), "fail|\n", "FAIL`", evil))
	r.Held = &rollout.HeldRecord{
		Open: 1, Ports: []rollout.HeldPort{{Port: evil, Asked: 2, Open: 1, Failure: evil}},
		Stages: []rollout.HeldStage{{Stage: evil, Cut: 1}}, Ends: []rollout.HeldEnd{{Stage: evil, Port: "|", Version: evil, Pod: evil, How: "</td>|", Cut: true}},
	}
	r.Stages[2].Ports[0].Addresses = []rollout.AddressCount{{Address: evil}, {Address: "|"}}
	r.Stages[2].Queries = evilQueries()
	r.Stages[2].Ports[0].Pods = []rollout.PodCount{{Pod: evil, Version: "canary|", Flows: 3}}
	return r
}

func twentyStages() *rollout.Record {
	r := ended(lobby(), rollout.Promoted, rollout.ReasonPass, 3725*time.Second)
	long := strings.Repeat("a-very-long-name-", 14) + "end"
	r.Namespace, r.Service = "a-namespace-of-sixty-three-characters-is-the-longest-there-can-be", long[:63]
	r.Stable.Deployment, r.Canary.Deployment = long+"-blue", long+"-green"
	r.Stable.Images, r.Canary.Images = []string{"registry.example.com/" + long + ":1.8.2"}, []string{"registry.example.com/" + long + ":1.9.0"}
	r.Replicas, r.NotReached = 200, nil
	r.Stages = []rollout.StageRecord{passed("baseline", 0, 200, 0, sampled("7777/TCP", 299, 0, 0))}
	for i := range 20 {
		canary := 10 * (i + 1)
		target := rollout.Percent(canary) / 2
		answers := 1180
		hits := answers * canary / 200
		r.Stages = append(r.Stages, passed(strings.TrimSuffix(target.String(), " %"), target, 200-canary, canary, sampled("7777/TCP", answers-hits, hits, target)))
	}
	r.Stable.Replicas, r.Stable.Ready, r.Canary.Replicas, r.Canary.Ready = 0, 0, 200, 200
	return r
}
