package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/org/l4-canary/internal/probe"
)

// ErrLost is matched by the cause of a context that ends because somebody else
// has, or may have, taken the rollout over. Nothing is written after that.
var ErrLost = errors.New("the rollout is somebody else's")

// ErrAway is matched by the cause as well where nobody is known to have: the API server
// was away for so long that anybody may.
var ErrAway = errors.New("the API server was away for too long")

// resume goes on with a rollout that another process began, from where the
// cluster stands.
func (r *run) resume(ctx context.Context) error {
	r.touched, r.introduced = true, true
	r.original = counts{stable: r.Plan.Replicas}
	r.baseline = r.memory.Baseline
	r.adopting = r.memory.adopted()
	r.note("goes on with a rollout that had passed " + r.memory.Passed.String())
	if err := r.freezeAgain(ctx); err != nil {
		return err
	}
	switch r.memory.Phase {
	case PhaseHandingOver:
		return r.finish(ctx)
	case PhaseBaking:
		return r.resumeBake(ctx)
	case PhaseStages, PhaseHeld, PhaseAdopting, PhasePromoted:
	}
	if err := inTurn(ctx, r.collect, r.findAddress, r.holdOpen); err != nil {
		return err
	}
	for _, stage := range r.plan.Stages {
		if stage.Target <= r.memory.Passed {
			r.weight = stage.Planned
			r.reached(stage.Target)
		}
	}
	if r.memory.Phase == PhaseAdopting {
		return r.finish(ctx)
	}
	if err := r.Cluster.Apply(ctx, CanaryDeployment); err != nil {
		return err
	}
	return r.stages(ctx)
}

// collect puts back what a move that was cut off had parked, and deletes what it
// had released.
func (r *run) collect(ctx context.Context) error {
	state, err := r.putBack(ctx)
	if err != nil {
		return err
	}
	return r.discard(ctx, state)
}

// putBack has the parked pods of both sides serve again.
func (r *run) putBack(ctx context.Context) (State, error) {
	state, err := r.Cluster.Next(ctx, 0)
	if err != nil {
		return state, err
	}
	r.now = counts{state.Stable.Replicas, state.Canary.Replicas}
	for _, side := range bothSides() {
		if state.side(side).Parked == 0 {
			continue
		}
		if err = r.Parking.Unpark(ctx, side); err != nil {
			return state, err
		}
	}
	return state, nil
}

// note adds a notice to the record.
func (r *run) note(notice string) { r.Record.Notices = append(r.Record.Notices, "the run "+notice) }

// Restore undoes a rollout, whoever began it and however far it came: the
// original counts and the original template are back, and no copy is left. Memory
// is required. It is idempotent.
func (r *Rollout) Restore(ctx context.Context) error {
	run := &run{Rollout: r, plan: Plan{}}
	run.begin()
	run.memory = *r.Memory
	run.touched, run.introduced, run.original = true, true, counts{stable: r.Plan.Replicas}
	run.adopting = run.memory.adopted()
	run.sweep(ctx)
	err := run.keepCapacity(ctx)
	if err == nil {
		run.memory.Undoing = true
		err = run.remember(ctx, run.memory.Phase)
	}
	if err != nil {
		run.failRestore(ctx, err)
		return fault(ctx, err)
	}
	outcome, err := run.rollback(ctx, true, nil)
	if outcome == RollbackFailed {
		run.settle(outcome, asSetback(err).Reason, r.Record.Rollback.Err)
		return nil
	}
	run.settleRetreat(ctx, outcome, ReasonPass, fmt.Sprintf("%q serves with %d pods, as before the rollout", r.Record.Stable.Deployment, r.Plan.Replicas))
	return nil
}

// failRestore ends a rollback that could not even begin.
func (r *run) failRestore(ctx context.Context, err error) {
	switch {
	case lost(ctx):
		r.stopped(ctx)
	case cancelled(ctx):
		r.settleRetreat(ctx, Interrupted, "", "")
	default:
		r.settle(RollbackFailed, ReasonUnreachable, err.Error())
	}
}

// unadopt is for a rollback when stable's Deployment has the new template: the
// copy takes all pods, so that stable can have its old template again while it
// has none.
func (r *run) unadopt(ctx context.Context) error {
	state, err := r.Cluster.Next(ctx, 0)
	if err != nil {
		return err
	}
	if !state.Canary.Exists {
		if err = r.Cluster.Apply(ctx, CanaryDeployment); err != nil {
			return err
		}
	}
	if state.Canary.Parked > 0 { // they were to leave, and have to serve again
		if err = r.Parking.Unpark(ctx, probe.Canary); err != nil {
			return err
		}
	}
	// Unready pods are the first that a scale-down removes.
	if serving := state.Stable.Serving; serving < r.now.stable && r.now.canary > 0 {
		if err = r.write(ctx, counts{serving, r.now.canary}); err != nil {
			return err
		}
	}
	if err = r.move(ctx, counts{canary: r.Plan.Replicas}); err != nil {
		return err
	}
	if err = r.Cluster.Apply(ctx, OriginalStable); err != nil {
		return err
	}
	_, err = r.await(ctx, r.matches)
	return err
}

// reached strikes a target from those that were not.
func (r *run) reached(target Percent) {
	r.Record.NotReached = slices.DeleteFunc(r.Record.NotReached, func(p Percent) bool { return p == target })
}

// lost reports whether the rollout is somebody else's now.
func lost(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrLost) }

// stopped ends a run that may not write any more.
func (r *run) stopped(ctx context.Context) {
	why := context.Cause(ctx)
	if errors.Is(why, ErrAway) {
		r.settle(Stopped, ReasonUnreachable, why.Error())
		return
	}
	r.Record.Paused = nil // the other one knows
	r.settle(Stopped, ReasonTakenOver, why.Error())
}
