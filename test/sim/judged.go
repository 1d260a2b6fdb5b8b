package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// What the judge is asked for, the defaults of the inputs.
const (
	judgedTolerance  rollout.Percent = 5
	judgedConfidence rollout.Percent = 95
)

// How many flows the balancer may lag behind, and how many go by before a window that
// begins again is sampled: a minute and five seconds of them, by the defaults of
// propagation, settle and rate.
const (
	propagation = 3000
	settling    = 250
)

// judgedCell is a stage whose flows the judge itself sees, behind one kind of
// balancer.
type judgedCell struct {
	kind
	share     rollout.Percent // that the row is about
	before    rollout.Percent // that of the stage before
	endpoints []rollout.Endpoint
	options   rollout.JudgeOptions
}

// newJudgedCell places endpoints that make the share.
func newJudgedCell(k kind, share rollout.Percent) judgedCell {
	c := judgedCell{kind: k, share: share, before: before(share), endpoints: cluster(share)}
	if k.local {
		c.endpoints = spreadOut(share)
	}
	expected := rollout.State{Endpoints: c.endpoints, Local: k.local && !k.blind}.ExpectedWeight()
	c.options = rollout.JudgeOptions{
		Ports:    []probe.Port{{Number: 80, Protocol: probe.TCP}},
		Expected: &expected, Tolerance: judgedTolerance, Confidence: judgedConfidence,
		Baseline: &rollout.Baseline{Ports: []rollout.Failures{{Failed: 0, Flows: 300}}},
	}
	return c
}

func (c judgedCell) name() string { return fmt.Sprintf("%s, %s %%", c.title, number(float64(c.share))) }

func (c judgedCell) stages(s size) int { return s.judged }

// stage shows flows to a judge until it has decided. Where the balancer is late the
// window begins again as in a rollout: as long as it may lag, and what is there
// lies between the last stage's share and this one's.
func (c judgedCell) stage(chance *rand.PCG) ending {
	random := rand.New(chance)
	flows, judge := c.spread(c.endpoints, random), rollout.NewJudge(c.options)
	old := independent(cluster(c.before), random)
	waited := 0
	for i := 0; ; i++ {
		f := flows(i)
		if i+waited < c.late {
			f = old(i)
		}
		f.Index = i
		if !judge.Add(f) {
			continue
		}
		verdict, reason, _, _ := judge.Verdict()
		if c.late > 0 && verdict != rollout.Pass && i+waited < propagation && judge.Between(c.before) {
			judge.Restart()
			waited += settling
			continue
		}
		return ending{verdict: verdict, reason: reason, flows: i + 1}
	}
}

// before is the share of the stage before.
func before(share rollout.Percent) rollout.Percent {
	last := rollout.Percent(0)
	for _, s := range shares() {
		if s < share {
			last = s
		}
	}
	return last
}

// cluster are the fewest endpoints on one node of which the canary's are the share.
func cluster(share rollout.Percent) []rollout.Endpoint {
	canary, all := int(share), 100
	common := all
	for rest := canary; rest > 0; {
		common, rest = rest, common%rest
	}
	return node("a", (all-canary)/common, canary/common)
}

// spreadOut are endpoints over nodes whose shares have the share as their mean,
// while that of all pods is another.
func spreadOut(share rollout.Percent) []rollout.Endpoint {
	var nodes [][2]int // stable and canary pods
	switch share {
	case 5:
		nodes = [][2]int{{4, 1}, {1, 0}, {1, 0}, {1, 0}}
	case 10:
		nodes = [][2]int{{3, 2}, {1, 0}, {1, 0}, {1, 0}}
	case 25:
		nodes = [][2]int{{3, 1}, {1, 0}, {1, 1}}
	case 50:
		nodes = [][2]int{{2, 0}, {0, 1}}
	case 80:
		nodes = [][2]int{{1, 0}, {0, 2}, {0, 2}, {0, 2}, {0, 2}}
	default:
		nodes = [][2]int{{0, 1}, {0, 2}}
	}
	var all []rollout.Endpoint
	for i, pods := range nodes {
		all = append(all, node(string(rune('a'+i)), pods[0], pods[1])...)
	}
	return all
}

// node are the endpoints of one node.
func node(name string, stable, canary int) []rollout.Endpoint {
	var all []rollout.Endpoint
	for i := range stable + canary {
		side := probe.Stable
		if i >= stable {
			side = probe.Canary
		}
		all = append(all, rollout.Endpoint{Side: side, Node: name})
	}
	return all
}
