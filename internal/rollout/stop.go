package rollout

import (
	"context"
	"time"

	"github.com/org/l4-canary/internal/probe"
)

// lastMoment is what a cancelled run may take to get rid of canaries that do not
// serve. A CI system kills after 7.5 s, and the state has to be written after it.
const lastMoment = 1500 * time.Millisecond

// interrupt ends a cancelled run. Every instant of a move is safe, so nothing is
// scaled or parked, except that canaries beyond help leave: one that crashes again
// and again serves for a moment each time, and cuts what it serves.
func (r *run) interrupt(parent context.Context) {
	message := "the run was cancelled; the pods stay as they are, which is safe for traffic"
	if r.introduced {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), lastMoment)
		defer cancel()
		if r.dismiss(ctx, beyondHelp) {
			message = "the run was cancelled; canary pods that do not serve were removed, the others stay as they are, which is safe for traffic"
		}
	}
	r.settle(Interrupted, ReasonCancelled, message)
}

// settleRetreat closes the record of a run that failed, or of a rollback. What was
// on its way may have been stopped: then that is how it ended.
func (r *run) settleRetreat(ctx context.Context, outcome Outcome, reason Reason, message string) {
	switch {
	case outcome == Stopped && lost(ctx):
		r.stopped(ctx)
	case outcome == Interrupted:
		why := ""
		if reason != ReasonPass && reason != "" {
			why = "; it was rolling back because: " + message
		}
		r.settle(Interrupted, ReasonCancelled, "the rollback was cancelled; the pods stay as they are, which is safe for traffic"+why)
	default:
		r.settle(outcome, reason, message)
	}
}

// stay leaves a rollout that failed where it stands, for a person to decide. Pods
// that a move had parked serve again, and canaries that do not serve leave. After
// drift nothing is written at all: two that write fight.
func (r *run) stay(ctx context.Context, setback *Setback) {
	r.Journal.Stage("hold")
	if setback.Reason == ReasonDrift {
		return
	}
	limited, cancel := context.WithTimeout(ctx, rollbackTimeout)
	defer cancel()
	var state State
	var err error
	if !r.warmed {
		if state, err = r.putBack(limited); err != nil {
			r.Log.WarnContext(ctx, "pods that were parked stay so", "error", err)
		}
	}
	r.keep(limited, setback)
	r.dismiss(limited, func(State) bool { return true })
	if err = r.drainReleased(limited, state); err != nil {
		r.Log.WarnContext(ctx, "pods that were released stay until the next run or rollback", "error", err)
	}
}

// drainReleased gives the flows of released pods Drain to end, and deletes the pods.
func (r *run) drainReleased(ctx context.Context, state State) error {
	if state.Stable.Released+state.Canary.Released == 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, r.Drain)
	defer cancel()
	if _, err := r.follow(limited, func(State) (bool, error) { return false, nil }); limited.Err() == nil || ctx.Err() != nil {
		return err
	}
	return r.discard(ctx, state)
}

// beyondHelp reports whether waiting for a canary is hopeless.
func beyondHelp(s State) bool {
	for _, t := range s.Troubles {
		if t.Fatal && t.Side == probe.Canary {
			return true
		}
	}
	return false
}

// dismiss removes canaries that do not serve, and reports whether it removed any:
// all of them if it is proven that most of their flows fail, else those that are not
// ready, if the state lets one judge them. Half of the capacity has to serve without
// them: fewer pods could not carry all flows, and a canary might recover.
//
// A rollback adds pods before it removes those that are ready and fail their flows,
// which takes seconds. A run that ends here leaves nobody to add any.
func (r *run) dismiss(ctx context.Context, judged func(State) bool) bool {
	if r.adopting {
		return false // the canary's Deployment holds the pods that were judged well
	}
	state, err := r.Cluster.Next(ctx, 0)
	if err != nil {
		r.Log.WarnContext(ctx, "canary pods that do not serve stay", "error", err)
		return false
	}
	r.look(state)
	stay := state.Canary.Replicas
	switch {
	case !r.carries(state):
	case r.broken:
		stay = 0
	case judged(state):
		stay = state.Canary.alive()
	}
	if stay >= state.Canary.Replicas {
		return false
	}
	r.now = counts{state.Stable.Replicas, state.Canary.Replicas}
	if err = r.write(ctx, counts{r.now.stable, stay}); err != nil {
		r.Log.WarnContext(ctx, "canary pods that do not serve stay", "error", err)
		return false
	}
	if state, err = r.Cluster.Next(ctx, 0); err == nil {
		r.look(state)
	}
	return true
}

// carries reports whether stable alone can be expected to carry the flows for a
// while.
func (r *run) carries(s State) bool {
	serving := s.Stable.Available - s.Stable.Parked
	return serving > 0 && 2*serving >= r.Plan.Replicas
}

// alive is how many pods serve, or did until they were parked. The others are the
// first that a scale-down removes.
func (p Pods) alive() int { return min(p.Serving+p.Parked, p.Available) }
