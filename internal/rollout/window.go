package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/org/l4-canary/internal/probe"
)

// errMoved stops a window whose pods changed under it: what it measured belongs
// to no one split.
var errMoved = errors.New("pods changed while the stage was sampled")

// window samples into the judge until it has decided, the stage's time is up, or
// the pods change.
func (r *run) window(ctx context.Context, rec *StageRecord, judge *Judge, state State, restarts int) error {
	r.windows++
	flows, err := r.Prober.Sampler(ctx, r.aim(state))
	if err != nil {
		return unsampled(ctx, err)
	}
	watched, cancel := context.WithCancelCause(ctx)
	guarded := make(chan error, 1)
	go func() {
		disturbance := r.watchPods(watched, restarts, forever)
		cancel(disturbance)
		guarded <- disturbance
	}()
	began := time.Now()
	r.count(watched, rec, judge, flows)
	r.broken = judge.Broken()
	disturbed := watched.Err() != nil
	cancel(nil)
	err = <-guarded
	if disturbed && ctx.Err() == nil {
		return err
	}
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errStageTimeout) {
		return ctx.Err()
	}
	if err = flows.Err(); err != nil {
		return err
	}
	rec.Sampling = time.Since(began)
	judge.Expire()
	r.fill(rec, judge, flows)
	return nil
}

// aim is what the next window's flows are to be.
func (r *run) aim(state State) Aim {
	aim := Aim{Addresses: r.addresses(state), Seed: r.Seed + r.windows}
	if r.lessons == nil {
		return aim
	}
	aim.Listen = r.listening
	for _, l := range r.lessons {
		aim.Known = append(aim.Known, l.classifier)
	}
	return aim
}

// unsampled is why no flow could be sent. If time is up before the prober was ready, a
// stage has not shown anything.
func unsampled(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStageTimeout) {
		return &Setback{Reason: ReasonDeadline, Prober: true, Message: "the prober was not ready within propagation and stage-timeout: " + err.Error()}
	}
	return err
}

// count feeds flows to the judge until it has decided or ctx ends.
func (r *run) count(ctx context.Context, rec *StageRecord, judge *Judge, flows Flows) {
	last := time.Now()
	for flow := range flows.Flows(ctx) {
		r.attribute(&flow)
		if judge.Add(flow) {
			return
		}
		if time.Since(last) >= progressEvery {
			last = time.Now()
			r.fill(rec, judge, flows)
			r.Journal.Progress(rec.Detail)
		}
	}
}

// fill copies what the judge knows into the stage's record.
func (r *run) fill(rec *StageRecord, judge *Judge, flows Flows) {
	judge.Note(flows.Stats())
	var port int
	rec.Verdict, rec.Reason, rec.Detail, port = judge.Verdict()
	rec.Ports = judge.Measurements()
	rec.Measurement = rec.Ports[telling(rec.Ports, port)]
	r.Journal.Save(r.Record)
}

// watchPods returns nil after the duration; before that, errMoved when the pods
// are not what the engine wrote, and a Setback when the canary restarts, is
// beyond help, or somebody scales.
func (r *run) watchPods(ctx context.Context, restarts int, duration time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	_, err := watch(limited, r.Cluster, func(s State) (bool, error) {
		if err := r.hopeless(s); err != nil {
			return false, err
		}
		if s.Canary.Restarts > restarts {
			return false, &Setback{Reason: ReasonFailRestarts, Troubles: s.Troubles, Message: r.restarted(s, restarts)}
		}
		if !r.matches(s) {
			return false, errMoved
		}
		return false, nil
	})
	if limited.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}

// restarted says how often the canary restarted, and why if its pods tell.
func (r *run) restarted(s State, before int) string {
	message := fmt.Sprintf("containers of %s restarted %d times during the stage", r.name(probe.Canary), s.Canary.Restarts-before)
	for _, t := range s.Troubles {
		if t.Side == probe.Canary {
			return message + ": " + t.Message
		}
	}
	return message
}

// progressEvery is how often a sampling stage reports.
const progressEvery = 5 * time.Second

// forever is longer than any run.
const forever = 10000 * time.Hour
