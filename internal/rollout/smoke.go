package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/org/l4-canary/internal/probe"
)

// smoke has one pod of the new version run outside of every Service, and asks it what
// flows will ask. A build that is broken reaches nobody. The pod is removed at once if
// it is in order; otherwise when the run ends, after its log was shown.
func (r *run) smoke(ctx context.Context) error {
	if !r.Smoke {
		return nil
	}
	r.Journal.Stage("smoke")
	r.smoking = true
	pod, err := r.Smoker.Smoke(ctx)
	if err != nil {
		return err
	}
	r.Log.InfoContext(ctx, "smoke pod", "pod", pod)
	state, err := r.smokeReady(ctx, pod)
	if err != nil {
		return err
	}
	if err = r.askSmoke(ctx, state, pod); err != nil {
		return err
	}
	r.note("asked one pod of the new version first, outside of the Service, and it answered")
	return r.snuff(ctx)
}

// snuff removes the smoke pod if there may be one, also when the run was cancelled.
func (r *run) snuff(parent context.Context) error {
	if !r.smoking {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), lastMoment)
	defer cancel()
	err := r.Smoker.Snuff(ctx)
	if err != nil {
		r.Log.WarnContext(ctx, "the smoke pod could not be removed, and goes with the Lease", "error", err)
		return err
	}
	r.smoking = false
	return nil
}

// sweep removes what a run that was killed may have left.
func (r *run) sweep(ctx context.Context) {
	if r.Sweeper != nil {
		if err := r.Sweeper.Sweep(ctx); err != nil {
			r.Log.WarnContext(ctx, "what samples for an earlier run may stay for some minutes", "error", err)
		}
	}
	state, err := r.Cluster.Next(ctx, 0)
	if err != nil || len(state.Smoke) == 0 {
		return // whatever is wrong comes up again
	}
	if err = r.Smoker.Snuff(ctx); err != nil {
		r.Log.WarnContext(ctx, "a smoke pod of an earlier run stays", "error", err)
	}
}

// smokeReady waits until the pod is ready, as long as that is not hopeless.
func (r *run) smokeReady(ctx context.Context, pod string) (State, error) {
	limited, cancel := context.WithTimeout(ctx, r.MoveTimeout)
	defer cancel()
	waiting := newPatience()
	last := Trouble{Pod: pod, Side: probe.Canary, Message: "it is not ready"}
	state, err := r.follow(limited, func(s State) (bool, error) {
		i := slices.IndexFunc(s.Smoke, func(p SmokePod) bool { return p.Pod == pod })
		if i < 0 {
			return false, r.drifted(s)
		}
		s.Troubles = nil
		if trouble := s.Smoke[i].Trouble; trouble != nil {
			last, s.Troubles = *trouble, []Trouble{*trouble}
		}
		if s.Smoke[i].Ready {
			return true, nil
		}
		if err := r.hopeless(s); err != nil {
			return false, err
		}
		return false, r.overdue(ctx, s, waiting)
	})
	if setback, ok := errors.AsType[*Setback](err); ok && setback.Reason != ReasonDrift {
		setback.Message = "the smoke pod fails, and nothing was changed: " + setback.Message
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return state, &Setback{Reason: ReasonDeadline, Troubles: []Trouble{last}, Message: fmt.Sprintf(
			"the smoke pod %s was not ready within %s (move-timeout), and nothing was changed: %s", pod, r.MoveTimeout, last.Message)}
	}
	return state, err
}

// askSmoke asks the pod, which stands for the canary, on every port. Without patterns
// stable's pods are asked beside it, for comparison.
func (r *run) askSmoke(ctx context.Context, state State, pod string) error {
	var failed map[int]error
	if r.lessons != nil {
		failed = r.askBoth(ctx, state, readyPods(state, probe.Stable), []string{pod})
	}
	var unasked error
	answered := false
	for i, port := range r.Ports {
		err, question := failed[i], r.question(pod, i, state)
		switch {
		case r.lessons == nil:
			err = r.askOnce(ctx, question)
		case len(r.lessons[i].evidence.Canary) == question.Times:
			err = nil // what failed was not this pod
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !r.answersNobody(ctx, i, state) {
			return &Setback{
				Reason: ReasonFailErrors, Message: fmt.Sprintf("the smoke pod fails on %s, and nothing was changed: %v", port, err),
				Troubles: []Trouble{{Pod: pod, Side: probe.Canary, Message: err.Error()}},
			}
		}
		if err != nil {
			unasked = err
			r.note(fmt.Sprintf("could not ask the smoke pod on %s, nor a pod of stable: %v", port, err))
		}
		answered = answered || err == nil
	}
	if !answered {
		return &Setback{Reason: ReasonUnreachable, Message: "no pod can be asked directly from here: " + unasked.Error()}
	}
	return nil
}

// askOnce reports what is wrong with a pod's answers on a port.
func (r *run) askOnce(ctx context.Context, question Question) error {
	limited, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	_, err := r.Asker.Ask(limited, question)
	return err
}

// answersNobody reports whether a pod of stable, which serves, answers no better: then it
// is the way that is wrong.
func (r *run) answersNobody(ctx context.Context, port int, state State) bool {
	stable := readyPods(state, probe.Stable)
	return len(stable) > 0 && r.askOnce(ctx, r.question(stable[0], port, state)) != nil
}
