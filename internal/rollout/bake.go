package rollout

import (
	"context"

	"github.com/org/l4-canary/internal/probe"
)

// warm is how many pods of the old version stay when a stage has been reached: in the
// last one as many as may surge, parked, if the rollout bakes.
func (r *run) warm(stage PlannedStage) int {
	if r.Bake <= 0 || stage.Target < 100 {
		return 0
	}
	return min(r.Plan.MaxSurge, r.Plan.Replicas, max(r.now.stable, stage.Stable))
}

// arrange moves the pods to a stage. Pods of stable that are to stay warm are parked
// at last: all flows go to the canary, and a label brings them back.
func (r *run) arrange(ctx context.Context, stage PlannedStage) error {
	warm := r.warm(stage)
	if err := r.move(ctx, counts{max(stage.Stable, warm), stage.Canary}); err != nil || warm == 0 {
		return err
	}
	r.warmed = true
	return r.park(ctx, probe.Stable, warm)
}

// arranged waits until the pods are what the engine wrote. A pod that was parked and
// that somebody deleted has come back unparked: it is parked again.
func (r *run) arranged(ctx context.Context) (State, error) {
	if r.parked.stable > 0 {
		if err := r.park(ctx, probe.Stable, r.parked.stable); err != nil {
			return State{}, err
		}
	}
	return r.await(ctx, r.matches)
}

// bake keeps the old pods warm for a while after the last stage, in which the new ones
// can still fail, and lets them go then.
func (r *run) bake(ctx context.Context) error {
	if r.parked.stable == 0 {
		return nil
	}
	rec := r.baking()
	if err := r.remember(ctx, PhaseBaking); err != nil {
		return err
	}
	state, err := r.arranged(ctx)
	if err != nil {
		return err
	}
	r.Log.InfoContext(ctx, "baking", "for", r.Bake, "warm", r.parked.stable, "deployment", r.name(probe.Stable))
	if err = r.fail(ctx, rec, r.pause(ctx, rec, "bake", state.Canary.Restarts, max(r.Bake, r.parkedFor()))); err != nil {
		return err
	}
	r.parked = counts{}
	if err = r.write(ctx, counts{0, r.now.canary}); err != nil {
		return err
	}
	_, err = r.await(ctx, r.matches)
	return err
}

// resumeBake goes on with a rollout whose last stage has passed.
func (r *run) resumeBake(ctx context.Context) error {
	state, err := r.Cluster.Next(ctx, 0)
	if err != nil {
		return err
	}
	r.now, r.parked = counts{state.Stable.Replicas, state.Canary.Replicas}, counts{stable: state.Stable.Replicas}
	r.warmed = true
	return inTurn(ctx, r.findAddress, r.holdOpen, r.finish)
}

// baking is the record that bake belongs to: the last stage's, or in a run that goes on
// with bake one of its own.
func (r *run) baking() *StageRecord {
	r.Journal.Stage("bake")
	if len(r.Record.Stages) == 0 {
		r.Record.Stages = []StageRecord{{
			Name: number(100), PlannedStage: PlannedStage{Target: 100, Canary: r.now.canary, Planned: 100},
			Verdict: Pass, Reason: ReasonPass, // in the run before, or there were no bake
		}}
	}
	return &r.Record.Stages[len(r.Record.Stages)-1]
}
