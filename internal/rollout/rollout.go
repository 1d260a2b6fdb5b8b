package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"time"
)

// Rollout moves the flows of one Service from stable to canary. Every field is
// required that does not say when it is used, or what its zero value means.
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
	held       *witness // nil without held flows
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
		run.Rollout, run.held = r.witnessed()
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
	switch {
	case r.Memory != nil:
		return r.resume(ctx)
	case r.Mode == Bootstrap:
		return inTurn(ctx, r.prepare, r.sampleBaseline, r.scaleAgain)
	}
	return inTurn(ctx, r.prepare, r.smoke, r.sampleBaseline, r.control, r.learnEarly, r.holdOpen, r.introduce, r.stages)
}

// inTurn takes one step after another, until one fails.
func inTurn(ctx context.Context, steps ...func(context.Context) error) error {
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
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
