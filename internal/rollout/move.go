package rollout

import (
	"context"
	"errors"

	"github.com/org/l4-canary/internal/probe"
)

// counts are the replicas of both sides.
type counts struct{ stable, canary int }

func (c counts) total() int { return c.stable + c.canary }

// of picks one side's count.
func (c counts) of(side probe.Version) int {
	if side == probe.Canary {
		return c.canary
	}
	return c.stable
}

// bothSides are stable and canary, in the order in which they are looked at.
func bothSides() [2]probe.Version { return [...]probe.Version{probe.Stable, probe.Canary} }

// errStuck is a move that the bounds forbid. NewPlan refuses such bounds.
var errStuck = errors.New("no pod can be added or removed within max-surge and max-unavailable")

// next is the next single step of a move: pods are added before any is removed,
// stable before canary, as many at once as the bounds allow.
//
// At every instant pods <= R+S, ready >= R-U and never 0, and the canary's share
// never above what it was or will be: canaries come while all of stable is still
// there, and stable leaves only after them. Example, R=10 S=1 U=0, 9+1 → 8+3:
// 9+2, 8+2, 8+3. With S=0 U=2, 10+0 → 8+2: 8+0, 8+2.
//
// ready is the number of pods that serve now; in a rollback it can be less than
// now.total().
func (o PlanOptions) next(now, goal counts, ready int) (counts, error) {
	room := o.Replicas + o.MaxSurge - now.total()
	spare := min(ready-(o.Replicas-o.MaxUnavailable), ready-1)
	switch {
	case now == goal:
		return now, nil
	case now.stable < goal.stable && room > 0:
		now.stable += min(room, goal.stable-now.stable)
	case now.canary < goal.canary && room > 0:
		now.canary += min(room, goal.canary-now.canary)
	case now.stable > goal.stable && spare > 0:
		now.stable -= min(spare, now.stable-goal.stable)
	case now.canary > goal.canary && spare > 0:
		now.canary -= min(spare, now.canary-goal.canary)
	default:
		return now, errStuck
	}
	return now, nil
}

// move takes the pods to the goal in steps, each waited for until the pods are
// available and in the EndpointSlices, or gone from them.
func (r *run) move(ctx context.Context, goal counts) error {
	for r.now != goal {
		// A process that is no more may have begun what still goes on: the pods it
		// asked for count as soon as they serve.
		state, err := r.await(ctx, r.matches)
		if err != nil {
			return err
		}
		step, err := r.Plan.next(r.now, goal, state.Stable.Serving+state.Canary.Serving)
		if err != nil {
			return err
		}
		if err := r.step(ctx, step); err != nil {
			return err
		}
	}
	// Also where nothing had to move: the counts may be right and the pods not.
	_, err := r.await(ctx, r.matches)
	return err
}

// step carries one step of a move out: pods of one side come, or leave.
func (r *run) step(ctx context.Context, to counts) error {
	for _, side := range bothSides() {
		if to.of(side) < r.now.of(side) {
			return r.remove(ctx, side, to)
		}
	}
	if err := r.write(ctx, to); err != nil {
		return err
	}
	if _, err := r.await(ctx, r.matches); err != nil || !r.PodTargets {
		return err
	}
	return r.registered(ctx)
}

// registered gives a balancer that sends flows to the pods itself Settle to hear of the
// new ones, before others leave.
func (r *run) registered(ctx context.Context) error {
	return r.linger(ctx, r.Settle, func(State) bool { return false })
}

// write sets the replicas of the side that differs.
func (r *run) write(ctx context.Context, to counts) error {
	if to.stable != r.now.stable {
		if err := r.scaleSide(ctx, probe.Stable, r.now.stable, to.stable); err != nil {
			return err
		}
		r.now.stable = to.stable
	}
	if to.canary != r.now.canary {
		if err := r.scaleSide(ctx, probe.Canary, r.now.canary, to.canary); err != nil {
			return err
		}
		r.now.canary = to.canary
	}
	return nil
}

// scaleSide writes one side's replicas; drift is a setback.
func (r *run) scaleSide(ctx context.Context, side probe.Version, from, to int) error {
	r.Log.InfoContext(ctx, "scaling", "deployment", r.name(side), "from", from, "to", to)
	r.touched = true
	err := r.Cluster.Scale(ctx, side, from, to)
	if drift, ok := errors.AsType[*DriftError](err); ok {
		return &Setback{Reason: ReasonDrift, Message: drift.Error()}
	}
	return err
}

// matches reports whether the pods are what the engine last wrote.
func (r *run) matches(s State) bool {
	return s.Stable.at(r.now.stable, r.parked.stable) && s.Canary.at(r.now.canary, r.parked.canary)
}
