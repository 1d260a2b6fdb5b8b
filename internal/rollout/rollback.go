package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/org/l4-canary/internal/probe"
)

// conclude turns what stopped the run into its outcome, rolling back first if
// the canary had been introduced.
func (r *run) conclude(ctx context.Context, failure error) {
	if failure == nil {
		r.succeed()
		return
	}
	setback := asSetback(failure)
	switch {
	case lost(ctx):
		r.stopped(ctx)
		return
	case cancelled(ctx):
		r.interrupt(ctx)
		return
	case !r.touched && refusals[setback.Reason]:
		r.settle(Refused, setback.Reason, setback.Message)
		return
	}
	r.Record.Troubles = setback.Troubles
	r.Journal.Troubled(ctx, setback.Troubles)
	outcome := Aborted
	if r.introduced {
		outcome = r.retreat(ctx, setback)
	} else if err := r.thaw(ctx); err != nil {
		r.note("could not end the pause of the autoscalers: " + err.Error())
	}
	r.settleRetreat(ctx, outcome, setback.Reason, setback.Message)
}

// asSetback gives a reason to a failure that has none: the API server did not do its part.
func asSetback(failure error) *Setback {
	if setback, ok := errors.AsType[*Setback](failure); ok {
		return setback
	}
	return &Setback{Reason: ReasonUnreachable, Message: failure.Error()}
}

// retreat is what follows from a failure: the way back, or no way at all.
func (r *run) retreat(ctx context.Context, setback *Setback) Outcome {
	if r.Stay {
		r.stay(ctx, setback)
		return Stopped
	}
	outcome, _ := r.rollback(ctx, !harmful[setback.Reason] || setback.Prober, setback)
	return outcome
}

// refusals are the reasons for which a run that wrote nothing did not begin;
// with any other the service itself was not in order.
var refusals = map[Reason]bool{ReasonInput: true, ReasonPreflight: true, ReasonUnreachable: true}

// harmful are the reasons for which canaries are not worth the time that their
// flows would need to end: those flows fail.
var harmful = map[Reason]bool{
	ReasonFailErrors: true, ReasonFailCeiling: true, ReasonFailRestarts: true,
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

// cancelled reports whether a person, or the CI system, wants the run to end.
func cancelled(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// succeed closes a run whose stages all passed.
func (r *run) succeed() {
	if r.Mode == Bootstrap {
		r.settle(Promoted, ReasonPass, "the first version serves")
		return
	}
	passed, undecided := "every stage", r.undecided()
	if undecided != "" {
		passed, undecided = "every other stage", "; undecided, and gone on from all the same (on-inconclusive): "+undecided
	}
	if r.memory.Passed < 100 {
		r.settle(Held, ReasonPass, fmt.Sprintf("%s up to %s passed, where this run ends%s", passed, r.memory.Passed, undecided))
		return
	}
	showed := " showed the split its pods should give"
	if r.ReportShare {
		showed = " passed, its share apart, which decides nothing (share-gate)"
	}
	r.settle(Promoted, ReasonPass, passed+showed+undecided)
}

// undecided names the stages that had too few samples.
func (r *run) undecided() string {
	var names []string
	for _, stage := range r.Record.Stages {
		if stage.Verdict == Inconclusive {
			names = append(names, stage.Name)
		}
	}
	return strings.Join(names, ", ")
}

// settle closes the record.
func (r *run) settle(outcome Outcome, reason Reason, message string) {
	rec := r.Record
	rec.Outcome, rec.Reason, rec.Message = outcome, reason, message
	rec.FinishedAt = time.Now()
	r.Journal.Save(rec)
}

// rollback brings the original counts back and records how; the error is why it
// did not. Gently means that canaries leave as pods do in any move; else they are
// deleted. setback is what began it, nil if that was asked for.
//
// The run's own time may be up, so a rollback has a time of its own. A signal ends
// it as it ends everything else: each of its instants is safe, and what is left to
// do is remembered.
func (r *run) rollback(parent context.Context, gently bool, setback *Setback) (Outcome, error) {
	r.Journal.Stage("rollback")
	ctx, cancel := context.WithTimeout(parent, rollbackTimeout)
	defer cancel()
	began := time.Now()
	err := r.insist(ctx, gently, setback)
	rec := &RollbackRecord{Took: time.Since(began), Stable: r.now.stable, Canary: r.now.canary}
	r.Record.Rollback = rec
	outcome := RollbackFailed
	switch {
	case err == nil:
		return RolledBack, nil
	case lost(parent):
		outcome, err = Stopped, context.Cause(parent)
	case cancelled(parent):
		outcome, err = Interrupted, errCancelled
	case parent.Err() != nil: // whoever began it has no more time
		err = &Setback{Reason: ReasonDeadline, Message: context.Cause(parent).Error()}
	case ctx.Err() != nil:
		err = &Setback{Reason: ReasonDeadline, Message: "it took longer than " + rollbackTimeout.String() + ": " + err.Error()}
	}
	rec.Err = err.Error()
	if outcome == RollbackFailed {
		r.Log.ErrorContext(ctx, "rollback failed", "error", err)
	}
	return outcome, err
}

var errCancelled = errors.New("it was cancelled")

// insist undoes until it is undone. An API server that is being replaced answers nobody for
// longer than a request is repeated, and a rollback has the time; it begins with what is
// there each time. Without a Lease that is renewed it writes nothing, and ends with that.
func (r *run) insist(ctx context.Context, gently bool, setback *Setback) error {
	for {
		err := r.undo(ctx, gently, setback)
		if err == nil || !r.Passing(err) {
			return err
		}
		r.Log.WarnContext(ctx, "the API server does not answer; the rollback goes on when it does", "error", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(tryAgain):
		}
	}
}

// undo writes down that there is no way but back, and goes it.
func (r *run) undo(ctx context.Context, gently bool, setback *Setback) error {
	if !r.memory.Undoing {
		r.memory.Undoing = true
		if err := r.remember(ctx, r.memory.Phase); err != nil {
			// What is remembered brings back the same state, so the pods come first.
			r.Log.WarnContext(ctx, "that the rollout is being rolled back could not be written down", "error", err)
		}
	}
	if err := r.handedOver(ctx); err != nil {
		return err
	}
	return r.restore(ctx, gently, setback)
}

// handedOver ends a handover that was begun, because the way back goes on from its end,
// and writes down that it is over: stable will be what it was, and whoever goes this way
// again must not hand over again.
func (r *run) handedOver(ctx context.Context) error {
	if r.memory.Phase != PhaseHandingOver {
		return nil
	}
	if err := r.Heir.Handover(ctx, r.Plan.Replicas); err != nil {
		return err
	}
	return r.remember(ctx, PhaseAdopting)
}

// restore takes the pods back to the original counts: parked pods of stable come
// back first, canaries that do not serve leave at once, then stable grows before
// the other canaries leave.
func (r *run) restore(ctx context.Context, gently bool, setback *Setback) error {
	if !r.frozen { // the end of the pause may be what failed
		if err := r.freeze(ctx); err != nil {
			return err
		}
	}
	state, err := r.takeStock(ctx)
	if err != nil {
		return err
	}
	r.keep(ctx, setback)
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
		if err = r.Cluster.Delete(ctx, probe.Canary); err != nil {
			return err
		}
	}
	return r.thaw(ctx)
}

// takeStock begins a rollback with what is there, also after drift. Parked pods of stable
// serve again at once.
func (r *run) takeStock(ctx context.Context) (State, error) {
	state, err := r.Cluster.Next(ctx, 0)
	if err != nil {
		return state, err
	}
	r.now, r.parked = counts{state.Stable.Replicas, state.Canary.Replicas}, counts{}
	r.condoned = counts{state.Stable.Foreign, state.Canary.Foreign}
	if state.Stable.Parked == 0 {
		return state, nil
	}
	if err = r.Parking.Unpark(ctx, probe.Stable); err != nil {
		return state, err
	}
	return r.restored(ctx)
}

// restoreStep is one round of restore.
func (r *run) restoreStep(ctx context.Context, state State, gently bool) (State, error) {
	canary := state.Canary
	if alive := canary.alive(); alive < r.now.canary {
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
