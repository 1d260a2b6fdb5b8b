package rollout

import (
	"context"
	"errors"
	"time"
)

// wait is time that passes after a stage's flows were judged.
type wait struct {
	name     string // "pause", "bake", or "queries" before the stage has passed
	restarts int    // of the canary before the stage
	duration time.Duration
	until    func() bool // ends it sooner; nil: nothing does
}

// pause lets time pass after a stage, and samples at a tenth of the rate. Everything but
// the share can still fail the stage: its pods, its failures, its slow answers, its queries.
// A query that is outside of its bounds at the end is waited for.
func (r *run) pause(ctx context.Context, rec *StageRecord, name string, restarts int, duration time.Duration) error {
	if duration <= 0 {
		return nil
	}
	w := wait{name: name, restarts: restarts, duration: duration}
	err := r.letPass(ctx, rec, w)
	if err == nil && r.gauge != nil && !r.gauge.decided() {
		w.duration, w.until = forever, r.gauge.decided
		err = r.letPass(ctx, rec, w)
	}
	if setback, ok := errors.AsType[*Setback](err); ok && setback.Reason == ReasonFailMetric {
		setback.Message = "in the " + name + " after its verdict, " + setback.Message
	}
	return err
}

// letPass lets the time pass, in spite of pods that change and come back.
func (r *run) letPass(ctx context.Context, rec *StageRecord, w wait) error {
	if r.gauge == nil && len(r.Queries) > 0 { // in a run that goes on with bake
		r.gauge = r.newGauge(rec.PlannedStage)
	}
	end := time.Now().Add(w.duration)
	for {
		w.duration = time.Until(end)
		err := r.quietly(ctx, rec, w)
		r.noteQueries(rec)
		r.Journal.Save(r.Record)
		if !errors.Is(err, errMoved) {
			return err
		}
		if _, err := r.arranged(ctx); err != nil {
			return err
		}
	}
}

// quietly samples for a time, and watches the pods meanwhile. That no flows can be made is
// no fault of the canary: then the pods alone are watched.
func (r *run) quietly(ctx context.Context, rec *StageRecord, w wait) error {
	end := time.Now().Add(w.duration)
	asked, enough := context.WithDeadline(ctx, end)
	defer enough()
	flows, judge, err := r.quiet(asked)
	if err != nil && ctx.Err() != nil {
		return ctx.Err() // flows that there are have to be ranged over all the same
	}
	if err != nil {
		r.Log.WarnContext(ctx, "nothing is sampled meanwhile; the pods are watched", "because", err)
	}
	w.duration = time.Until(end) // a prober may have taken its time
	if err != nil || flows == nil {
		return r.guard(ctx, w)
	}
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	guarded := make(chan error, 1)
	go func() {
		disturbance := r.guard(limited, w)
		cancel(disturbance) // also when the time is up
		guarded <- disturbance
	}()
	began := time.Now()
	setback := r.overhear(limited, rec, w.name, judge, flows)
	cancel(nil)
	err = <-guarded
	judge.Expire()
	rec.after(w.name, judge, time.Since(began))
	switch {
	case setback != nil:
		r.broken = judge.Broken()
		return setback
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// quiet makes the flows of a pause and their judge; nil flows without a prober for them.
func (r *run) quiet(ctx context.Context) (Flows, *Judge, error) {
	if r.Quiet == nil {
		return nil, nil, nil
	}
	state, err := r.Cluster.Next(ctx, 0)
	if err != nil {
		return nil, nil, err
	}
	if r.watcher == nil { // in a run that goes on with bake
		r.watcher = NewJudge(r.judgeOptions(state)).Watch()
	}
	r.windows++
	flows, err := r.Quiet.Sampler(ctx, r.aim(state))
	return flows, r.watcher, err
}

// addresses are those that flows go to.
func (r *run) addresses(s State) []string {
	if r.Address != "" {
		return []string{r.Address}
	}
	return s.Addresses
}

// overhear feeds flows to the judge until ctx ends, or something but the share fails.
func (r *run) overhear(ctx context.Context, rec *StageRecord, name string, judge *Judge, flows Flows) *Setback {
	began := time.Now()
	last := began
	for flow := range flows.Flows(ctx) {
		r.attribute(&flow)
		if judge.Add(flow) {
			judge.Note(flows.Stats())
			verdict, reason, detail, _ := judge.Verdict()
			r.Log.WarnContext(ctx, "the stage fails after all", "during", name, "verdict", verdict, "reason", reason, "detail", detail)
			return &Setback{Reason: reason, Message: "in the " + name + " after its verdict, " + detail}
		}
		if time.Since(last) >= max(progressEvery, last.Sub(began)/10) { // long ones ever less often
			last = time.Now()
			judge.Note(flows.Stats())
			rec.after(name, judge, 0)
			r.noteQueries(rec)
			if rec.Verdict == "" {
				r.Journal.Progress(r.gauge.awaited())
			}
			r.Journal.Save(r.Record)
		}
	}
	judge.Note(flows.Stats())
	if err := flows.Err(); err != nil {
		r.Log.WarnContext(ctx, "nothing is sampled any more; the pods are watched", "because", err)
	}
	<-ctx.Done()
	return nil
}

// after keeps what was sampled after the verdict.
func (s *StageRecord) after(name string, judge *Judge, took time.Duration) {
	if s.After == nil {
		s.After = &AfterRecord{Name: name}
	}
	s.After.Name, s.After.Took, s.After.Ports = name, s.After.Took+took, judge.Measurements()
}
