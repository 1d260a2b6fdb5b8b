package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/org/l4-canary/internal/probe"
)

// conclude turns what stopped the run into its outcome, rolling back first if
// anything had been changed. It returns only what kept the tool from its work.
func (r *run) conclude(ctx context.Context, err error) error {
	setback, isSetback := errors.AsType[*Setback](err)
	switch {
	case err == nil:
		r.settle(r.success())
		return nil
	case ctx.Err() != nil:
		r.settle(Interrupted, ReasonCancelled, "the run was cancelled; the pods stay as they are, which is safe for traffic")
		return nil
	case !isSetback && !r.touched:
		r.settle(Refused, ReasonUnreachable, err.Error())
		return err
	case !isSetback:
		setback = &Setback{Reason: ReasonUnreachable, Message: err.Error()}
	case !r.touched && (setback.Reason == ReasonInput || setback.Reason == ReasonPreflight):
		r.settle(Refused, setback.Reason, setback.Message)
		return nil
	}
	r.Record.Troubles = setback.Troubles
	r.Journal.Troubled(ctx, setback.Troubles)
	outcome := Aborted
	if r.introduced {
		outcome = r.rollback(ctx)
	}
	r.settle(outcome, setback.Reason, setback.Message)
	if isSetback {
		return nil
	}
	return err
}

// success is the outcome of a run whose stages all passed.
func (r *run) success() (Outcome, Reason, string) {
	last := r.plan.Stages[len(r.plan.Stages)-1]
	if last.Target < 100 {
		return Held, ReasonPass, fmt.Sprintf("every stage up to %s passed; the steps end there", last.Target)
	}
	return Promoted, ReasonPass, "every stage showed the split its pods should give"
}

// settle closes the record.
func (r *run) settle(outcome Outcome, reason Reason, message string) {
	rec := r.Record
	rec.Outcome, rec.Reason, rec.Message = outcome, reason, message
	rec.FinishedAt = time.Now()
	r.Journal.Save(rec)
}

// rollback brings the original counts back and records how.
func (r *run) rollback(parent context.Context) Outcome {
	r.Journal.Stage("rollback")
	// The run's own time may be up, and a cancelled context could not restore
	// anything: a rollback has a time of its own.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), rollbackTimeout)
	defer cancel()
	began := time.Now()
	err := r.restore(ctx)
	rec := &RollbackRecord{Took: time.Since(began), Stable: r.now.stable, Canary: r.now.canary}
	r.Record.Rollback = rec
	if err != nil {
		rec.Err = err.Error()
		r.Log.ErrorContext(ctx, "rollback failed", "error", err)
		return RollbackFailed
	}
	return RolledBack
}

// restore takes the pods back to the original counts: canaries that do not serve
// leave at once, then stable grows before the other canaries leave.
func (r *run) restore(ctx context.Context) error {
	state, err := r.Cluster.Next(ctx, 0)
	if err != nil {
		return err
	}
	r.now = counts{state.Stable.Replicas, state.Canary.Replicas} // also after drift
	for {
		// Unready pods are the first that a scale-down removes.
		if serving := min(state.Canary.Serving, state.Canary.Available); serving < r.now.canary {
			if err := r.write(ctx, counts{r.now.stable, serving}); err != nil {
				return err
			}
		}
		if r.now == r.original {
			break
		}
		step, err := r.Plan.next(r.now, r.original, state.Stable.Serving+min(state.Canary.Serving, r.now.canary))
		if err != nil {
			return err
		}
		if err := r.write(ctx, step); err != nil {
			return err
		}
		if state, err = r.restored(ctx); err != nil {
			return err
		}
	}
	_, err = r.restored(ctx)
	return err
}

// restored waits for one step of a rollback. Canaries only have to exist, and
// their troubles are known: only stable must serve.
func (r *run) restored(ctx context.Context) (State, error) {
	return r.awaitQuietly(ctx, func(s State) bool {
		return s.Stable.at(r.now.stable) && s.Canary.Replicas == r.now.canary && s.Canary.Pods <= r.now.canary
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
