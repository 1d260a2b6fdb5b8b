package report

import (
	"math"
	"time"

	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/stats"
)

// Every figure is rounded when it goes into a document, so that reading one and
// writing it again gives the same bytes: millionths of a percent or of a rate,
// thousandths of a second or a millisecond.
const (
	millionth  = 1e6
	thousandth = 1e3
)

// figure is a number of a document, nil if it is none.
func figure(v, grain float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	if rounded := math.Round(v * grain); !math.IsInf(rounded, 0) {
		v = rounded / grain
	}
	return &v
}

func percent(p rollout.Percent) *float64 { return figure(float64(p), millionth) }

// interval turns fractions into percent.
func interval(i stats.Interval) *[2]float64 {
	lo, hi := figure(100*i.Lo, millionth), figure(100*i.Hi, millionth)
	if lo == nil || hi == nil {
		return nil
	}
	return &[2]float64{*lo, *hi}
}

// fractions turns percent into fractions.
func fractions(i *[2]float64) stats.Interval {
	if i == nil {
		return stats.Interval{}
	}
	return stats.Interval{Lo: i[0] / 100, Hi: i[1] / 100}
}

// seconds are nil for no time at all: nothing was timed.
func seconds(d time.Duration) *float64 {
	if d == 0 {
		return nil
	}
	return figure(d.Seconds(), thousandth)
}

func milliseconds(d time.Duration) *float64 {
	return figure(float64(d)/float64(time.Millisecond), thousandth)
}

// duration is the time that v units make, 0 for nil.
func duration(v *float64, unit time.Duration) time.Duration {
	return time.Duration(math.Round(value(v) * float64(unit)))
}

// instant is a time in UTC to the millisecond, nil for the zero time.
func instant(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Round(time.Millisecond).Format("2006-01-02T15:04:05.000Z07:00")
	return &text
}

// optional is nil for a zero value.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// value is the zero value for nil.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// each converts a list; the result is never nil, for JSON's sake.
func each[A, B any](list []A, convert func(A) B) []B {
	converted := make([]B, 0, len(list))
	for _, a := range list {
		converted = append(converted, convert(a))
	}
	return converted
}

// list is never nil, for JSON's sake.
func list(texts []string) []string { return append([]string{}, texts...) }
