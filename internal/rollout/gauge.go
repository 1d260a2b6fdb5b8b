package rollout

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// askEvery is how often queries are asked: several times in an interval at which a
// monitoring system usually looks.
const askEvery = 5 * time.Second

// askAtOnce is how many queries are under way at the same moment.
const askAtOnce = 4

// gauge holds what queries told at one stage. It is asked by one goroutine and read by
// others.
type gauge struct {
	meter    Meter
	log      *slog.Logger
	patience time.Duration // for queries without data
	began    time.Time

	mu    sync.Mutex
	dials []*dial
}

// dial is one query on its way.
type dial struct {
	QueryRecord
	excused bool      // that it has no data is as it should be
	calm    bool      // its last answer was within bounds, or it is excused from one
	since   time.Time // the last answers were outside since then; zero: they were not
	silent  time.Time // without data since then; zero: it has some
	said    string    // the last that was logged of it
}

// newGauge begins with queries nobody has asked.
func (r *run) newGauge(stage PlannedStage) *gauge {
	g := &gauge{meter: r.Meter, log: r.Log, patience: r.StageTimeout, began: time.Now()}
	for _, q := range r.Queries {
		excused := q.NamesCanary && stage.Canary == 0 || q.NamesStable && stage.Stable == 0
		g.dials = append(g.dials, &dial{
			QueryRecord: QueryRecord{Query: q, Last: Figure(math.NaN()), Worst: Figure(math.NaN())},
			excused:     excused, silent: g.began,
		})
	}
	return g
}

// records are what is known so far. Of a stage that has passed, queries that are calm
// pass as well.
func (g *gauge) records(passed bool) []QueryRecord {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []QueryRecord
	for _, q := range g.dials {
		record := q.QueryRecord
		if record.Verdict == "" && passed && q.calm {
			record.Verdict = Pass
		}
		all = append(all, record)
	}
	return all
}

// settled reports whether every query has been answered and lies within its bounds.
func (g *gauge) settled() bool {
	return g.all(func(q *dial) bool { return q.calm })
}

// decided reports whether nothing is under way: as settled, but a query that was
// answered once need not have data now.
func (g *gauge) decided() bool {
	return g.all(func(q *dial) bool { return q.calm || q.Answered > 0 && q.since.IsZero() })
}

func (g *gauge) all(fits func(*dial) bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, q := range g.dials {
		if !fits(q) {
			return false
		}
	}
	return true
}

// longest is the longest time that a query may lie outside.
func (g *gauge) longest() time.Duration {
	var longest time.Duration
	for _, q := range g.dials {
		longest = max(longest, q.For)
	}
	return longest
}

// told is what one query was told.
type told struct {
	readings []Reading
	err      error
}

// round asks every query once. The error is a [Setback], or that of ctx.
func (g *gauge) round(ctx context.Context) error {
	answers := make([]told, len(g.dials))
	var asking errgroup.Group
	asking.SetLimit(askAtOnce)
	for i, q := range g.dials {
		asking.Go(func() error {
			answers[i].readings, answers[i].err = g.meter.Ask(ctx, q.Expr)
			return nil
		})
	}
	_ = asking.Wait() // each answer has its own error
	if ctx.Err() != nil {
		return ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var setback error
	for i, q := range g.dials { // all are noted, and the first that failed decides
		if err := g.note(ctx, q, answers[i]); setback == nil && err != nil {
			setback = err
		}
	}
	return setback
}

// note takes an answer, and fails with a [Setback] if the query has failed.
func (g *gauge) note(ctx context.Context, q *dial, a told) error {
	now := time.Now()
	q.Asked++
	if a.err != nil || len(a.readings) == 0 {
		return g.noteSilence(ctx, q, a.err, now)
	}
	worst := q.worst(a.readings)
	q.Answered, q.silent, q.Trouble = q.Answered+1, time.Time{}, ""
	q.Last, q.Labels = Figure(worst.Value), worst.Labels
	if !q.Worst.Known() || q.Excess(worst.Value) > q.Excess(float64(q.Worst)) {
		q.Worst = q.Last
	}
	if q.calm = q.Excess(worst.Value) <= 0; q.calm {
		q.since, q.Outside = time.Time{}, 0
		g.say(ctx, q, slog.LevelInfo, "query is within its bounds", "value", worst)
		return nil
	}
	if q.since.IsZero() {
		q.since = now
	}
	q.Outside = now.Sub(q.since)
	if q.Outside < q.For {
		g.say(ctx, q, slog.LevelWarn, "query is outside of its bounds", "value", worst, "may_be_for", q.For)
		return nil
	}
	q.Verdict = Fail
	return &Setback{Reason: ReasonFailMetric, Message: q.violated(worst, q.Outside)}
}

// noteSilence takes an answer without data. It neither ends nor proves that the query is
// outside of its bounds.
func (g *gauge) noteSilence(ctx context.Context, q *dial, err error, now time.Time) error {
	q.Trouble = "no data"
	if err != nil {
		q.Trouble = err.Error()
	}
	if q.silent.IsZero() {
		q.silent = now
	}
	q.calm = q.excused && err == nil && q.since.IsZero()
	if q.calm {
		q.silent = now
		g.say(ctx, q, slog.LevelInfo, "query has no data, as the pods it names are not there")
		return nil
	}
	silence := now.Sub(q.silent)
	if silence < g.patience {
		g.say(ctx, q, slog.LevelWarn, "query has no data yet", "because", q.Trouble)
		return nil
	}
	q.Verdict = Fail
	return &Setback{Reason: ReasonFailMetric, Message: fmt.Sprintf(
		"query %q had no data for %s (stage-timeout), so what it is to show was not measured: %s", q.Name, silence.Round(time.Second), q.Trouble)}
}

// awaited says which queries keep the stage from passing, and why.
func (g *gauge) awaited() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []string
	for _, q := range g.dials {
		switch {
		case q.calm:
		case q.Trouble != "":
			all = append(all, fmt.Sprintf("query %q: %s", q.Name, q.Trouble))
		case q.Last.Known():
			all = append(all, fmt.Sprintf("query %q: %s, and allowed is %s", q.Name, Reading{q.Labels, float64(q.Last)}, q.Bounds()))
		}
	}
	return strings.Join(all, "; ")
}

// say logs what is new of a query.
func (g *gauge) say(ctx context.Context, q *dial, level slog.Level, message string, args ...any) {
	if q.said == message {
		return
	}
	q.said = message
	g.log.Log(ctx, level, message, append([]any{"query", q.Name}, args...)...) //nolint:sloglint // its callers have constants
}

// unsettled is the setback of queries that were within their bounds and outside by turns
// for longer than any may be outside.
func (g *gauge) unsettled(took time.Duration) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var restless []string
	for _, q := range g.dials {
		if !q.calm {
			q.Verdict = Fail
			restless = append(restless, fmt.Sprintf("query %q (allowed is %s, the worst was %s)", q.Name, q.Bounds(), Decimal(float64(q.Worst))))
		}
	}
	return &Setback{Reason: ReasonFailMetric, Message: fmt.Sprintf(
		"for %s some query was outside of its bounds at any time: last %s", took.Round(time.Second), strings.Join(restless, ", "))}
}
