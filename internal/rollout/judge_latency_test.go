package rollout

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
)

// TestSlowLimit: 5 ms, or so much more than the p95 before; without either, nothing is slow.
func TestSlowLimit(t *testing.T) {
	t.Parallel()
	quarter, none := Percent(25), Percent(0)
	for _, row := range []struct {
		name   string
		slower *Percent
		before []Pace
		want   time.Duration
	}{
		{"a quarter more", &quarter, []Pace{{P95: 8 * time.Millisecond, Answers: 300}}, 10 * time.Millisecond},
		{"no more at all", &none, []Pace{{P95: 8 * time.Millisecond, Answers: 300}}, 8 * time.Millisecond},
		{"the floor", &quarter, []Pace{{P95: time.Millisecond, Answers: 300}}, 5 * time.Millisecond},
		{"off", nil, []Pace{{P95: 8 * time.Millisecond, Answers: 300}}, 0},
		{"too few answers before", &quarter, []Pace{{P95: 8 * time.Millisecond, Answers: 99}}, 0},
		{"nothing known of this port", &quarter, nil, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := options(50)
			o.MaxSlower, o.Baseline.Times = row.slower, row.before
			g := NewJudge(o).ports[0].gates
			require.Equal(t, row.want, g.times.limit)
			slow := answer(probe.Canary)
			slow.FirstByte = time.Hour
			require.Equal(t, row.want > 0, g.slow(slow))
			slow.Class = probe.Timeout
			require.False(t, g.slow(slow), "a failure has a gate of its own")
		})
	}
}

// TestLately: where stable answers no more, the limit is that of the slower of then and
// lately; where it answers, only the baseline counts.
func TestLately(t *testing.T) {
	t.Parallel()
	o := paced(options(100))
	o.Lately = []Pace{{P95: 400 * time.Millisecond, Answers: 100}}
	j := NewJudge(o)
	require.Equal(t, 500*time.Millisecond, j.ports[0].gates.times.limit)
	feed(j, 400, slowAll(always(answer(probe.Canary)))) // 200 ms
	verdict, _, detail, _ := j.Verdict()
	require.Equal(t, Pass, verdict, detail)

	o.Lately[0].P95 = 100 * time.Millisecond
	j = NewJudge(o)
	feed(j, 400, slowAll(always(answer(probe.Canary))))
	_, reason, detail, _ := j.Verdict()
	require.Equal(t, ReasonFailLatency, reason)
	require.Contains(t, detail, "took longer than 125 ms, the slowest 5 % of stable's more than 100 ms")

	o.Lately[0].Answers = 99
	require.Equal(t, 25*time.Millisecond, NewJudge(o).ports[0].gates.times.limit)
	o.Lately[0].Answers = 100

	half := paced(options(50))
	half.Lately = o.Lately
	require.Equal(t, 25*time.Millisecond, NewJudge(half).ports[0].gates.times.limit)
	require.Equal(t, 125*time.Millisecond, NewJudge(half).expect(o).ports[0].gates.times.limit)

	seen := NewJudge(half)
	feed(seen, 300, turns(1, 2))
	require.Equal(t, []Pace{{P95: 3 * time.Millisecond, Answers: 150}}, seen.since(half.Lately))
	few := NewJudge(half)
	feed(few, 100, turns(1, 2))
	require.Equal(t, half.Lately, few.since(half.Lately), "fifty answers are too few")
	require.Equal(t, []Pace{{P95: 3 * time.Millisecond, Answers: 50}}, few.since(nil))
}

// timed gives each version service times that are exponential around a mean of its own.
func timed(seed uint64, share float64, stable, canary time.Duration) law {
	source := rand.New(rand.NewPCG(seed, 7))
	return func(int) probe.Flow {
		f, mean := answer(probe.Stable), stable
		if source.Float64() < share {
			f, mean = answer(probe.Canary), canary
		}
		f.FirstByte = time.Duration(source.ExpFloat64() * float64(mean))
		return f
	}
}

// TestLatencyErrorRates: two versions of one speed are rarely told apart, also when both
// are three times as slow as before; a canary that is twice as slow is found.
func TestLatencyErrorRates(t *testing.T) {
	t.Parallel()
	const runs = 300
	const before = 10 * time.Millisecond // the mean; its p95 is 30 ms
	for _, row := range []struct {
		name           string
		expected       Percent
		stable, canary time.Duration
		atLeast        int
		atMost         int
	}{
		// Nominally 5 %, in simulations below 0.1 %: Binomial(300, 0.001) exceeds 5 with a probability of 5e-7.
		{"alike", 10, before, before, 0, 5},
		{"alike at half", 50, before, before, 0, 5},
		{"both slower", 25, 3 * before, 3 * before, 0, 5},
		{"a faster canary", 50, before, before / 2, 0, 0},
		{"three times as slow", 50, before, 3 * before, 280, 300},
		{"three times as slow, at a quarter", 25, before, 3 * before, 250, 300},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			slow := 0
			for seed := range uint64(runs) {
				j := NewJudge(paceOf(options(row.expected), 3*before))
				feed(j, 100000, timed(seed, row.expected.Fraction(), row.stable, row.canary))
				_, reason, _, _ := j.Verdict()
				slow += one(reason == ReasonFailLatency)
			}
			t.Logf("%d of %d stages failed for latency", slow, runs)
			require.GreaterOrEqual(t, slow, row.atLeast)
			require.LessOrEqual(t, slow, row.atMost)
		})
	}
}

// paused answers as a law does, but what the canary begins in a pause takes until its end.
func paused(from, to time.Duration, l law) law {
	return func(i int) probe.Flow {
		f := l(i)
		if at := time.Duration(i) * 10 * time.Millisecond; f.Version == probe.Canary && at >= from && at < to {
			f.FirstByte = to - at
		}
		return f
	}
}

// TestPauseIsNotSlowness: one pause of a pod delays what it is asked meanwhile, and that is
// no slow version; five seconds of it are too much. Where a pause is suspected, the stage
// goes on until it is known.
func TestPauseIsNotSlowness(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		share   Percent
		pause   time.Duration
		verdict Verdict
		least   int // flows
	}{
		{"a short one, at a tenth", 10, 400 * time.Millisecond, Pass, 0},
		{"a short one, at half", 50, 400 * time.Millisecond, Pass, 0},
		{"a short one, at all", 100, 400 * time.Millisecond, Pass, 0},
		{"a long one, at half", 50, 5 * time.Second, Fail, 100},
		{"a long one, at all", 100, 5 * time.Second, Fail, 100},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			j := NewJudge(paced(options(row.share)))
			n := feed(j, 100000, paused(500*time.Millisecond, 500*time.Millisecond+row.pause, turns(int(row.share/10), 10)))
			verdict, _, detail, _ := j.Verdict()
			require.Equal(t, row.verdict, verdict, detail)
			require.GreaterOrEqual(t, n, row.least)
			e := j.Measurements()[0].Evidence.Latency
			require.LessOrEqual(t, e.Tenths.CanarySlow, int(row.pause/tenth))
			require.GreaterOrEqual(t, e.CanarySlow, e.Tenths.CanarySlow)
		})
	}
}

// TestLatencyOutlivesRestarts: slow answers count from the first flow on.
func TestLatencyOutlivesRestarts(t *testing.T) {
	t.Parallel()
	j := NewJudge(paced(options(25)))
	n := feed(j, 20, slowCanary(50*time.Millisecond))
	require.Equal(t, 20, n, "not proven yet")
	j.Restart()
	again := feed(j, 1000, slowCanary(50*time.Millisecond))
	_, reason, _, _ := j.Verdict()
	require.Equal(t, ReasonFailLatency, reason)
	alone := feed(NewJudge(paced(options(25))), 1000, slowCanary(50*time.Millisecond))
	require.Equal(t, alone, n+again)
}

// TestBaselinePace: what later stages compare with is stable's own, as it was measured.
func TestBaselinePace(t *testing.T) {
	t.Parallel()
	j := NewJudge(baselineOptions())
	n := feed(j, 1000, func(i int) probe.Flow {
		f := answer(probe.Stable)
		f.FirstByte = time.Duration(i+1) * time.Millisecond
		return f
	})
	require.Equal(t, 300, n)
	require.Equal(t, []Pace{{P95: 285 * time.Millisecond, Answers: 300}}, j.AsBaseline().Times)
}
