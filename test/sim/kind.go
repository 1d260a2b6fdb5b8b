package main

import "github.com/org/l4-canary/internal/rollout"

// kind is a kind of balancer, and what the verdict about it is to be.
type kind struct {
	title  string
	spread balancer
	late   int            // flows until it knows of the stage's pods
	local  bool           // pods lie on several nodes, policy Local
	blind  bool           // though w* is reckoned as if they did not
	want   rollout.Reason // of nearly every stage below 100 %; empty: nothing is promised
	wrong  bool           // the share is on or beyond an edge, so that a pass is false
	below  bool           // there is no such balancer at 100 %
	exact  bool           // flows are independent, so that the exact figures hold
}

// kinds are the balancers of the table.
func kinds() []kind {
	const (
		pass   = rollout.ReasonPass
		sticky = rollout.ReasonInvalidSticky
	)
	long, short := crowd{arrivals: 0.4, stay: 12500}, crowd{arrivals: 0.4, stay: 125}
	return []kind{
		{title: "random", spread: independent, want: pass, exact: true},
		{title: "round robin", spread: roundRobin, want: pass},
		{title: "hash of each flow", spread: byFlow(ports), want: pass, exact: true},
		{title: "hash of each flow, NAT with 1,024 ports", spread: byFlow(1024)},
		{title: "node, then pod", spread: nodeThenPod, local: true, want: pass, exact: true},
		{title: "node, then pod, expected by pods alone", spread: nodeThenPod, local: true, blind: true},
		{title: "hash of the client", spread: bySource, want: sticky},
		{title: "hash of the client, two addresses", spread: bySourceOfTwo, want: sticky},
		{title: "fewest connections, long ones", spread: fewest(long)},
		{title: "fewest connections, short ones", spread: fewest(short)},
		{title: "random, 0.5 % not recognised", spread: unrecognised(0.005, independent)},
		{title: "random, 5 % not recognised", spread: unrecognised(0.05, independent), want: rollout.ReasonInvalidClassifier},
		{title: "random, 500 flows late", spread: independent, late: 500, want: pass},
		{title: "500 flows late, then too few by the tolerance", spread: leaning(-1), late: 500, below: true, wrong: true},
		{title: "too many by twice the tolerance", spread: leaning(2), below: true, wrong: true},
	}
}

// judgedCells are each kind of balancer at each share.
func judgedCells() []judgedCell {
	var all []judgedCell
	for _, k := range kinds() {
		for _, share := range shares() {
			if share == 100 && k.below {
				continue
			}
			all = append(all, newJudgedCell(k, share))
		}
	}
	return all
}
