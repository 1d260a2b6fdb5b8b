package rollout

import (
	"context"
	"fmt"
)

// Autoscalers are those of both Deployments, which would change the counts that are
// the weights. Errors are the API server's, wrapped with what was tried.
type Autoscalers interface {
	// Pause keeps them from changing any count up to most, and names them. Those
	// that are paused already remember what they said before that.
	Pause(ctx context.Context, most int) ([]string, error)

	// Resume gives all that are paused back what they said before, and does
	// nothing to others.
	Resume(ctx context.Context) error
}

// freeze pauses the autoscalers: from here on the counts are ours alone.
func (r *run) freeze(ctx context.Context) error {
	if r.Autoscalers == nil {
		return nil
	}
	r.touched, r.frozen = true, true
	names, err := r.Autoscalers.Pause(ctx, r.Plan.Replicas+r.Plan.MaxSurge)
	r.Record.Paused = names
	if len(names) > 0 {
		r.Log.InfoContext(ctx, "autoscaling is paused", "autoscalers", names)
	}
	r.Journal.Save(r.Record)
	return err
}

// freezeAgain pauses the autoscalers of a rollout that another process began, which
// may not have come so far, or may not have been asked to.
func (r *run) freezeAgain(ctx context.Context) error {
	if r.Autoscalers == nil {
		return nil
	}
	if err := r.remember(ctx, r.memory.Phase); err != nil {
		return err
	}
	return r.freeze(ctx)
}

// thaw lets the autoscalers go on as they were. The counts must be final: one that
// wants more pods than there are adds them at once.
func (r *run) thaw(ctx context.Context) error {
	if !r.frozen {
		return nil
	}
	if err := r.Autoscalers.Resume(ctx); err != nil {
		return err
	}
	r.Log.InfoContext(ctx, "autoscaling goes on", "autoscalers", r.Record.Paused)
	r.frozen, r.Record.Paused = false, nil
	return nil
}

// scaleAgain ends the pause after a rollout, with the autoscalers that the manifests
// hold. They are not applied before that: an apply would end the pause.
func (r *run) scaleAgain(ctx context.Context) error {
	if r.Autoscalers == nil {
		return nil
	}
	if err := r.thaw(ctx); err != nil {
		return err
	}
	return r.Cluster.Apply(ctx, AutoscalerManifests)
}

// keepCapacity pauses the autoscalers for a rollback. If that comes after the end of
// the rollout, what they have made of the counts meanwhile is what serves today's
// flows, and is kept. It is decided once, before the first move of the rollback.
func (r *run) keepCapacity(ctx context.Context) error {
	err := r.freeze(ctx)
	if err != nil || r.Autoscalers == nil || r.memory.Phase != PhasePromoted || r.memory.Undoing {
		return err
	}
	state, err := r.Cluster.Next(ctx, 0)
	if err != nil {
		return err
	}
	was, now := r.Plan.Replicas, state.Stable.Replicas+state.Canary.Replicas
	if now == 0 {
		now = was
	}
	r.Plan.Replicas, r.memory.Replicas, r.Record.Replicas, r.original.stable = now, now, now, now
	r.memory.Undoing = true
	if err = r.remember(ctx, r.memory.Phase); err != nil || now == was {
		return err
	}
	r.note(fmt.Sprintf("keeps %d pods, which the autoscaler asks for, where the rollout began with %d", now, was))
	return r.freeze(ctx) // with room for as many
}
