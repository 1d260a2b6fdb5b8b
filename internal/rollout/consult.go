package rollout

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
)

// consult asks the queries of a stage whose flows have passed. The stage does not pass
// before each of them was answered within its bounds, or had no data because it names
// pods that the stage has none of.
func (r *run) consult(ctx context.Context, rec *StageRecord, restarts int) error {
	r.gauge = nil
	if len(r.Queries) == 0 {
		return nil
	}
	verdict, reason := rec.Verdict, rec.Reason
	rec.Verdict, rec.Reason = "", "" // not yet
	r.gauge = r.newGauge(rec.PlannedStage)
	err := r.gauge.round(ctx)
	if err == nil && !r.gauge.settled() {
		err = r.letPass(ctx, rec, wait{name: "queries", restarts: restarts, duration: forever, until: r.gauge.settled})
	}
	if err == nil {
		rec.Verdict, rec.Reason = verdict, reason
		r.Log.InfoContext(ctx, "every query is within its bounds", "queries", len(r.Queries))
	}
	r.noteQueries(rec)
	r.Journal.Save(r.Record)
	return err
}

// noteQueries keeps what the queries of a stage have told.
func (r *run) noteQueries(rec *StageRecord) {
	if r.gauge != nil {
		rec.Queries = r.gauge.records(rec.Verdict != "")
	}
}

// guard watches the pods for a time, or until the queries say that it may end, and asks
// those meanwhile. The first that objects ends it.
func (r *run) guard(ctx context.Context, w wait) error {
	if r.gauge == nil {
		return r.watchPods(ctx, w.restarts, w.duration)
	}
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error {
		if err := r.watchPods(ctx, w.restarts, w.duration); err != nil {
			return err
		}
		return errOver
	})
	both.Go(func() error { return r.gauge.follow(ctx, w.until) })
	if err := both.Wait(); !errors.Is(err, errOver) {
		return err
	}
	return nil
}

// errOver ends a guard that has nothing to object.
var errOver = errors.New("the time is over")

// follow asks again and again: until ctx ends, or until the function says so, which it
// has to within the time that queries may be without data and outside.
func (g *gauge) follow(ctx context.Context, until func() bool) error {
	limit := g.patience + g.longest() + 2*askEvery
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for began := time.Now(); ; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := g.round(ctx); err != nil {
			return err
		}
		if until == nil {
			continue
		}
		if until() {
			return errOver
		}
		if took := time.Since(began); took >= limit {
			return g.unsettled(took)
		}
	}
}
