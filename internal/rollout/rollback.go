package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/org/l4-canary/internal/probe"
)

// conclude turns what stopped the run into its outcome, rolling back first if
// the canary had been introduced.
func (r *run) conclude(ctx context.Context, failure error) {
	setback, ok := errors.AsType[*Setback](failure)
	if !ok && failure != nil {
		setback = &Setback{Reason: ReasonUnreachable, Message: failure.Error()}
	}
	switch {
	case failure == nil:
		r.succeed()
		return
	case lost(ctx):
		r.stopped(ctx)
		return
	case cancelled(ctx):
		r.settle(Interrupted, ReasonCancelled, "the run was cancelled; the pods stay as they are, which is safe for traffic")
		return
	case !r.touched && refusals[setback.Reason]:
		r.settle(Refused, setback.Reason, setback.Message)
		return
	}
	r.Record.Troubles = setback.Troubles
	r.Journal.Troubled(ctx, setback.Troubles)
	outcome := Aborted
	if r.introduced {
		outcome = r.rollback(ctx, !harmful[setback.Reason])
	}
	if lost(ctx) {
		r.stopped(ctx)
		return
	}
	r.settle(outcome, setback.Reason, setback.Message)
}

// refusals are the reasons for which a run that wrote nothing did not begin;
// with any other the service itself was not in order.
var refusals = map[Reason]bool{ReasonInput: true, ReasonPreflight: true, ReasonUnreachable: true}

// harmful are the reasons for which canaries are not worth the time that their
// flows would need to end: those flows fail.
var harmful = map[Reason]bool{
	ReasonFailErrors: true, ReasonFailRestarts: true,
	ReasonImage: true, ReasonConfig: true, ReasonCrashLoop: true, ReasonOOM: true, ReasonQuota: true, ReasonUnschedulable: true,
}

// fault is the error of a run that could not do its work. A setback is a result,
// and so is being cancelled.
func fault(ctx context.Context, failure error) error {
	if _, ok := errors.AsType[*Setback](failure); ok || cancelled(ctx) {
		return nil
	}
	return failure
}

func cancelled(ctx context.Context) bool { return ctx.Err() != nil }

// succeed closes a run whose stages all passed.
func (r *run) succeed() {
	if r.Mode == Bootstrap {
		r.settle(Promoted, ReasonPass, "the first version serves")
		return
	}
	if r.memory.Passed < 100 {
		r.settle(Held, ReasonPass, fmt.Sprintf("every stage up to %s passed, where this run ends", r.memory.Passed))
		return
	}
	r.settle(Promoted, ReasonPass, "every stage showed the split its pods should give")
}

// settle closes the record.
func (r *run) settle(outcome Outcome, reason Reason, message string) {
	rec := r.Record
	rec.Outcome, rec.Reason, rec.Message = outcome, reason, message
	rec.FinishedAt = time.Now()
	r.Journal.Save(rec)
}

// rollback brings the original counts back and records how. Gently means that
// canaries leave as pods do in any move; else they are deleted.
func (r *run) rollback(parent context.Context, gently bool) Outcome {
	r.Journal.Stage("rollback")
	// The run's own time may be up, and a cancelled context could not restore
	// anything: a rollback has a time of its own.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), rollbackTimeout)
	defer cancel()
	defer context.AfterFunc(parent, func() {
		if lost(parent) {
			cancel()
		}
	})()
	began := time.Now()
	err := r.restore(ctx, gently)
	if lost(parent) {
		err = context.Cause(parent)
	}
	rec := &RollbackRecord{Took: time.Since(began), Stable: r.now.stable, Canary: r.now.canary}
	r.Record.Rollback = rec
	if err != nil {
		rec.Err = err.Error()
		r.Log.ErrorContext(ctx, "rollback failed", "error", err)
		return RollbackFailed
	}
	return RolledBack
}

// restore takes the pods back to the original counts: parked pods of stable come
// back first, canaries that do not serve leave at once, then stable grows before
// the other canaries leave.
func (r *run) restore(ctx context.Context, gently bool) error {
	state, err := r.Cluster.Next(ctx, 0)
	if err != nil {
		return err
	}
	r.now, r.parked = counts{state.Stable.Replicas, state.Canary.Replicas}, counts{} // also after drift
	if state.Stable.Parked > 0 {
		if err = r.Parking.Unpark(ctx, probe.Stable); err != nil {
			return err
		}
		if state, err = r.restored(ctx); err != nil {
			return err
		}
	}
	if r.adopting {
		if err = r.unadopt(ctx); err != nil {
			return err
		}
		if state, err = r.Cluster.Next(ctx, 0); err != nil {
			return err
		}
	}
	for r.now != r.original {
		if state, err = r.restoreStep(ctx, state, gently); err != nil {
			return err
		}
	}
	if state, err = r.restored(ctx); err != nil {
		return err
	}
	if err = r.discard(ctx, state); err != nil {
		return err
	}
	if r.Mode == Single {
		return r.Cluster.Delete(ctx, probe.Canary)
	}
	return nil
}

// restoreStep is one round of restore.
func (r *run) restoreStep(ctx context.Context, state State, gently bool) (State, error) {
	canary := state.Canary
	// Unready pods are the first that a scale-down removes.
	if alive := min(canary.Serving+canary.Parked, canary.Available); alive < r.now.canary {
		if err := r.write(ctx, counts{r.now.stable, alive}); err != nil {
			return state, err
		}
		return r.restored(ctx)
	}
	step := counts{r.now.stable, r.now.canary - canary.Parked} // those serve nobody new, and make room
	if canary.Parked == 0 {
		var err error
		if step, err = r.Plan.next(r.now, r.original, state.Stable.Serving+canary.Serving); err != nil {
			return state, err
		}
	}
	if gently && step.canary < r.now.canary && !r.hasty {
		return r.restoreGently(ctx, step)
	}
	if err := r.write(ctx, step); err != nil {
		return state, err
	}
	return r.restored(ctx)
}

// restoreGently removes canaries as any move does. If they break meanwhile, the
// next round takes them away.
func (r *run) restoreGently(ctx context.Context, step counts) (State, error) {
	err := r.remove(ctx, probe.Canary, step)
	r.parked = counts{}
	if setback, ok := errors.AsType[*Setback](err); ok && setback.Reason != ReasonDrift {
		r.Log.WarnContext(ctx, "canaries leave without a drain", "because", setback.Message)
		r.hasty, err = true, nil
	}
	if err != nil {
		return State{}, err
	}
	return r.restored(ctx)
}

// discard deletes the pods that a park by release left behind.
func (r *run) discard(ctx context.Context, state State) error {
	for _, side := range bothSides() {
		if state.side(side).Released == 0 {
			continue
		}
		if err := r.Parking.Discard(ctx, side); err != nil {
			return err
		}
	}
	return nil
}

// restored waits for one step of a rollback. Canaries only have to exist, and
// their troubles are known: only stable must serve.
func (r *run) restored(ctx context.Context) (State, error) {
	return r.awaitQuietly(ctx, func(s State) bool {
		return s.Stable.at(r.now.stable, 0) && s.Canary.Replicas == r.now.canary && s.Canary.Pods <= r.now.canary
	})
}

// awaitQuietly is await for a rollback, in which no trouble of a canary is news.
func (r *run) awaitQuietly(ctx context.Context, reached func(State) bool) (State, error) {
	return r.awaitUnless(ctx, reached, func(s State) error {
		for _, t := range s.Troubles {
			if t.Fatal && t.Side == probe.Stable {
				return &Setback{Reason: t.Reason, Message: r.accuse(t), Troubles: s.Troubles}
			}
		}
		return r.drifted(s)
	})
}
