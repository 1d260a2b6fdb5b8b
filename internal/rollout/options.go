package rollout

import (
	"time"

	"github.com/org/l4-canary/internal/probe"
)

// Options say what to roll out, within which bounds, and how to judge it.
type Options struct {
	Plan   PlanOptions
	Pauses map[Percent]time.Duration // after the stage of that target passed

	Ports       []probe.Port // of the Service, all gated
	Address     string       // probed instead of the balancer's own, if not empty
	Tolerance   Percent
	Confidence  Percent
	MaxProbes   int // of one port in one stage; 0 is four times the planned size
	MaxErrors   *Percent
	MaxSlower   *Percent // than the baseline's p95; nil: however slow
	Rate        float64  // flows a second over all ports
	Seed        uint64
	Settle      time.Duration // after endpoints match, before sampling
	Propagation time.Duration // how long the balancer may lag behind the endpoints
	Drain       time.Duration // for pods that were removed
	PodTargets  bool          // pods are the balancer's own targets, no node stands between
	Bake        time.Duration // after 100 %, with old pods kept warm
	HoldOpen    int           // established flows that are kept through every move
	Learn       bool          // what tells the versions apart, from their answers: there are no patterns
	ReportShare bool          // shares are measured where that is possible, and decide nothing
	Smoke       bool          // one pod of the new version is asked before anything is touched
	Queries     []Query       // that have to lie within their bounds at every stage

	StageTimeout time.Duration // sampling of one stage, from the end of propagation
	MoveTimeout  time.Duration // a move without any progress
	Timeout      time.Duration // the whole run

	Until    Percent // the last target; 0 is 100
	Mode     Mode
	Removals Removals // how pods leave
	Finish   Finish

	Stay       bool // after a failure the pods stay as they are
	KeepFailed bool // a failing pod of the new version is set aside before it would be removed
	GoOn       bool // from a stage whose samples were too few to decide
}

// Mode is how stable and canary come about.
type Mode string

// The modes of the contract.
const (
	Pair      Mode = "pair"      // two Deployments, whose roles alternate
	Single    Mode = "single"    // one, and a copy of it while it is rolled out
	Bootstrap Mode = "bootstrap" // the first one, with nothing to compare it to
)

// Finish is what becomes of stable's Deployment after 100 %.
type Finish string

// The ways of the contract: the first two for a pair, the others for a single
// Deployment.
const (
	Keep     Finish = "keep"     // at no pods
	Delete   Finish = "delete"   // removed
	Adopt    Finish = "adopt"    // it gets the new template, and the pods move back to it
	Handover Finish = "handover" // it is made anew around the canary's pods
)
