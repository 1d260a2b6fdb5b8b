package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"slices"
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

	Hold       bool // after a failure: the pods stay as they are
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

// Prober makes the flows of one stage.
type Prober interface {
	// Sampler prepares flows to every port of the addresses, after resolving
	// those that are names. It fails if no flow could ever be sent; where that is
	// the prober's own fault, with a *Setback that says so. No flow is wanted after
	// the deadline of ctx.
	Sampler(ctx context.Context, aim Aim) (Flows, error)
}

// Aim is what the flows of a window are to be.
type Aim struct {
	Addresses []string
	Seed      uint64

	// Known tells the versions apart, by port, where that was learned: whoever
	// samples elsewhere need not send answers back. nil: patterns do, or nothing yet.
	Known  []*probe.Classifier
	Listen bool // the answers themselves are wanted: something is to be learned of them
}

// Flows are samples in the order in which they were scheduled. There is one range
// over them, and it frees whatever makes them.
type Flows interface {
	Flows(ctx context.Context) iter.Seq[probe.Flow]
	Stats() probe.Stats

	// Err is why the flows ended by themselves, nil if they did not: a *Setback.
	Err() error
}

// Sweeper removes what the prober of a run that was killed has left.
type Sweeper interface {
	// Sweep removes it. Errors are the API server's.
	Sweep(ctx context.Context) error
}

// Journal is told as the run goes on, so that log, summary and report files
// show what happened even if the run is killed.
type Journal interface {
	Stage(name string)                            // a stage begins
	Save(record *Record)                          // the record has changed; it must not be kept
	Progress(line string)                         // a stage is still sampling
	Troubled(ctx context.Context, pods []Trouble) // before a rollback removes them
}

// Herald tells the cluster.
type Herald interface {
	Judged(ctx context.Context, stage StageRecord) // a stage was decided
}

// Rollout moves the flows of one Service from stable to canary. Every field is
// required.
type Rollout struct {
	Options

	Cluster Cluster
	Parking Parking   // used by Removals other than Terminate
	Heir    Successor // used by Handover

	Keeper      Keeper      // used by KeepFailed
	Autoscalers Autoscalers // nil: nothing else changes the counts
	Prober      Prober
	Quiet       Prober // at a tenth of the rate, for pauses and bake; nil: only the pods are watched there
	Journal     Journal
	Herald      Herald
	Ledger      Ledger          // nil: nothing outlives the process
	Memory      *Memory         // of an unfinished rollout of this release, to be gone on with
	Objects     json.RawMessage // for the memory: what the cluster would bring back
	Log         *slog.Logger
	Passing     func(error) bool // whether an error of the API server says only that it does not work now
	Scout       Scout            // nil: nobody knows of room to come
	Holder      Holder           // used if HoldOpen is not 0
	Asker       Asker            // used by Learn and Smoke
	Smoker      Smoker           // used by Smoke
	Meter       Meter            // used by Queries
	Sweeper     Sweeper          // nil: no prober leaves anything
	Record      *Record          // with what is known before the run: names, images, notices
}

// rollbackTimeout is what a rollback may take, whatever is left of Timeout.
const rollbackTimeout = 10 * time.Minute

// tryAgain is how soon a rollback asks again when nobody answered.
const tryAgain = 2 * time.Second

// run is a Rollout under way.
type run struct {
	*Rollout
	plan       Plan
	now        counts        // what the engine last wrote, or found
	drained    time.Duration // in this stage's move
	parked     counts        // of now, pods that were taken out of the Service
	original   counts        // what a rollback brings back
	condoned   counts        // changes by others that a rollback has to live with
	touched    bool          // something was scaled or applied
	introduced bool          // the canary was: a rollback has something to restore
	adopting   bool          // stable has the new template
	frozen     bool          // autoscalers are paused
	hasty      bool          // canaries broke while they left, and leave at once now
	broken     bool          // most flows of the canary fail
	warmed     bool          // the parked pods of stable are kept warm
	weight     Percent       // expected at the stage before
	windows    uint64        // sampled so far: each has a schedule of its own
	baseline   *Baseline
	watcher    *Judge // of the flows after the last verdict; nil before the first
	gauge      *gauge // of the queries of the present stage; nil without, and before its verdict
	lately     []Pace // of stable, where it last answered often enough
	memory     Memory
	held       *keeper  // nil without held flows
	lessons    []lesson // by port; nil where there are patterns
	listening  bool     // all answers are stable's
	smoking    bool     // there may be a smoke pod
}

// Run carries the whole rollout out and leaves what happened in the Record,
// also when it fails. An error means that the tool could not do its work; a
// canary that was turned down is an Outcome, not an error. When ctx is
// cancelled the run stops where it is, which is safe for traffic.
func (r *Rollout) Run(ctx context.Context) error {
	run := &run{Rollout: r, plan: NewPlan(r.Plan)}
	if r.HoldOpen > 0 {
		run.Rollout, run.held = r.kept()
		defer run.held.close()
	}
	run.plan.Stages = slices.DeleteFunc(run.plan.Stages, func(s PlannedStage) bool {
		return r.Mode == Bootstrap || r.Until > 0 && s.Target > r.Until
	})
	run.begin()
	run.memory = run.recall()
	run.lessons = run.newLessons()
	run.recordLessons()
	limited, cancel := context.WithTimeoutCause(ctx, r.Timeout, errTimeout)
	defer cancel()
	err := run.steps(limited)
	if err != nil && errors.Is(context.Cause(limited), errTimeout) {
		err = &Setback{Reason: ReasonDeadline, Message: "the run took longer than timeout (" + r.Timeout.String() + ")"}
	}
	run.conclude(ctx, err)
	_ = run.snuff(ctx) // it says so itself if it cannot
	return fault(ctx, err)
}

// steps are the rollout itself.
func (r *run) steps(ctx context.Context) error {
	r.sweep(ctx)
	if r.Memory != nil {
		return r.resume(ctx)
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := r.smoke(ctx); err != nil {
		return err
	}
	if err := r.sampleBaseline(ctx); err != nil {
		return err
	}
	if r.Mode == Bootstrap {
		return r.scaleAgain(ctx)
	}
	if err := r.control(ctx); err != nil {
		return err
	}
	if err := r.learnEarly(ctx); err != nil {
		return err
	}
	if err := r.hold(ctx); err != nil {
		return err
	}
	if err := r.introduce(ctx); err != nil {
		return err
	}
	return r.stages(ctx)
}

// stages carries out those that have not passed yet, and the end.
func (r *run) stages(ctx context.Context) error {
	for _, stage := range r.plan.Stages {
		if stage.Target <= r.memory.Passed {
			continue
		}
		if err := r.stage(ctx, stage); err != nil {
			return err
		}
		r.memory.Passed = stage.Target
	}
	return r.finish(ctx)
}

var errTimeout = errors.New("the run's time is up")
