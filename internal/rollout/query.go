package rollout

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Query is a number of a monitoring system that has to lie within bounds.
type Query struct {
	Name string
	Expr string        // what the Meter is asked
	Min  *float64      // nil: however small
	Max  *float64      // nil: however large
	For  time.Duration // how long it may lie outside; 0: not at all

	NamesStable bool // it is about pods of stable, and has no data where there are none
	NamesCanary bool // as well
}

// Reading is one number of an answer.
type Reading struct {
	Labels string // whose it is, as in {pod="lobby-1"}; empty of a scalar
	Value  float64
}

// Meter asks a monitoring system.
type Meter interface {
	// Ask evaluates an expression now. It gives every number of the result, and none
	// where there is no data. It fails if the system cannot be asked, does not
	// understand, or answers something that is no number.
	Ask(ctx context.Context, expr string) ([]Reading, error)
}

// QueryRecord is what asking one query at one stage told.
type QueryRecord struct {
	Query
	Asked    int           // times, with and without data
	Answered int           // of them, with data
	Last     Figure        // the worst number of the last answer with data; not known before the first
	Labels   string        // whose that is
	Worst    Figure        // of all answers of the stage
	Outside  time.Duration // for so long it has been outside of its bounds; 0: it is within
	Trouble  string        // why the last time gave no data; empty if it gave some
	Verdict  Verdict       // empty while it is open
}

// Excess is how far beyond its bound a value lies; 0 or less within both.
func (q Query) Excess(value float64) float64 {
	excess := -1.0
	first := true
	for _, beyond := range []struct {
		bound *float64
		sign  float64
	}{{q.Max, 1}, {q.Min, -1}} {
		if beyond.bound == nil {
			continue
		}
		if e := beyond.sign * (value - *beyond.bound); first || e > excess {
			excess, first = e, false
		}
	}
	return excess
}

// worst is the reading that lies furthest out, or nearest to a bound.
func (q Query) worst(readings []Reading) Reading {
	worst := readings[0]
	for _, s := range readings[1:] {
		if q.Excess(s.Value) > q.Excess(worst.Value) {
			worst = s
		}
	}
	return worst
}

// Bounds are what is allowed, in words.
func (q Query) Bounds() string {
	switch {
	case q.Min == nil && q.Max == nil:
		return "anything"
	case q.Min == nil:
		return "at most " + Decimal(*q.Max)
	case q.Max == nil:
		return "at least " + Decimal(*q.Min)
	}
	return Decimal(*q.Min) + " to " + Decimal(*q.Max)
}

// Decimal is a number in as few digits as tell six significant ones.
func Decimal(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// String is a number with whose it is.
func (r Reading) String() string {
	if r.Labels == "" || r.Labels == "{}" {
		return Decimal(r.Value)
	}
	return Decimal(r.Value) + " of " + r.Labels
}

// violated is a sentence of a query that has been outside for as long as it may be, or
// longer.
func (q Query) violated(r Reading, outside time.Duration) string {
	sentence := fmt.Sprintf("query %q gives %s, and allowed is %s", q.Name, r, q.Bounds())
	if q.For > 0 {
		sentence += fmt.Sprintf("; it has been outside for %s, and may be for %s", outside.Round(time.Second), q.For)
	}
	return sentence
}
