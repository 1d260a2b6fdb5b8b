package rollout

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/stats"
)

// law says what flow number i becomes.
type law func(i int) probe.Flow

var viaA, viaB = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")

func answer(v probe.Version) probe.Flow {
	return probe.Flow{Class: probe.Answered, Version: v, Address: viaA, FirstByte: 3 * time.Millisecond}
}

func failure(c probe.Class, v probe.Version) probe.Flow {
	return probe.Flow{Class: c, Version: v, Address: viaA}
}

// every gives special to each nth flow, counted from the nth, and usual to the others.
func every(n int, special, usual law) law {
	return func(i int) probe.Flow {
		if i%n == n-1 {
			return special(i)
		}
		return usual(i)
	}
}

func always(f probe.Flow) law { return func(int) probe.Flow { return f } }

// random is a fair balancer: each flow goes to the canary with a probability.
func random(seed uint64, share float64) law {
	source := rand.New(rand.NewPCG(seed, 0))
	return func(int) probe.Flow {
		if source.Float64() < share {
			return answer(probe.Canary)
		}
		return answer(probe.Stable)
	}
}

// turns is a perfect round robin, k canaries among n pods, spread out.
func turns(k, n int) law {
	return func(i int) probe.Flow {
		if (i+1)*k/n > i*k/n {
			return answer(probe.Canary)
		}
		return answer(probe.Stable)
	}
}

// then gives the first n flows to one law and the others to another.
func then(n int, first, second law) law {
	return func(i int) probe.Flow {
		if i < n {
			return first(i)
		}
		return second(i)
	}
}

func port(number uint16) probe.Port { return probe.Port{Number: number, Protocol: probe.TCP} }

// options are those of a stage at an expected weight, after a clean baseline.
func options(expected Percent) JudgeOptions {
	return JudgeOptions{
		Ports: []probe.Port{port(80)}, Expected: &expected, Tolerance: 5, Confidence: 95,
		Baseline: &Baseline{Ports: []Failures{{0, 300}}},
	}
}

func baselineOptions() JudgeOptions {
	o := options(0)
	o.Baseline = nil
	return o
}

// feed gives a hundred flows a second to a judge until it has decided, in turns to its
// ports, and says how many it took.
func feed(j *Judge, limit int, laws ...law) int {
	for i := range limit {
		f := laws[i%len(laws)](i / len(laws))
		f.Index, f.Port, f.Scheduled = i, i%len(laws), time.Duration(i)*10*time.Millisecond
		if j.Add(f) {
			return i + 1
		}
	}
	return limit
}

// TestVerdicts has at least one row for each reason code.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	stable, canary := always(answer(probe.Stable)), always(answer(probe.Canary))
	unknown := always(answer(probe.Unknown))
	refused := always(failure(probe.Refused, probe.None))
	local := always(failure(probe.Local, probe.None))
	skipping := always(probe.Flow{Class: probe.Answered, Version: probe.Stable, Address: viaA, Skipped: 1})
	tight := func(o JudgeOptions, probes int) JudgeOptions { o.MaxProbes = probes; return o }
	strict := func(o JudgeOptions, rate Percent) JudgeOptions { o.MaxErrorRate = &rate; return o }
	for _, row := range []struct {
		name    string
		options JudgeOptions
		law     law
		verdict Verdict
		reason  Reason
		atMost  int // flows
		detail  string
	}{
		{"fair split", options(50), random(1, 0.5), Pass, ReasonPass, 3000, "allowed 45–55 %"},
		{"fair split at a small weight", options(10), random(1, 0.1), Pass, ReasonPass, 1560, "allowed 5–15 %"},
		{"tolerance is clipped", options(5), random(1, 0.05), Pass, ReasonPass, 3292, "allowed 2.5–7.5 %"},
		{"everything", options(100), canary, Pass, ReasonPass, 299, "observed 100 % of 299 flows on 80/TCP"},
		{"too much", options(10), random(2, 0.3), Fail, ReasonFailShare, 200, "allowed 5–15 %"},
		{"too little", options(50), random(2, 0.3), Fail, ReasonFailShare, 300, "allowed 45–55 %"},
		{"one wrong answer of everything", options(100), every(50, stable, canary), Fail, ReasonFailShare, 50, "observed 98 % of 50 flows on 80/TCP"},
		{"between the borders", tight(options(10), 200), turns(12, 100), Inconclusive, ReasonInconclusive, 200, "more answers would decide"},
		{"nothing is told apart in the budget", tight(options(10), 20), refusedEvery(3), Fail, ReasonFailErrors, 20, "more than the 1.2 % that the baseline allows"},
		{"stuck to stable at half", options(50), stable, Invalid, ReasonInvalidSticky, 30, "all 30 answers from 192.0.2.1 are the stable's on 80/TCP, although 50 % is expected of the canary"},
		{"stuck to canary at half", options(50), canary, Invalid, ReasonInvalidSticky, 30, "or does not know the other side, or it prefers pods with few connections (least connections)"},
		{"stuck at a small weight takes longer", options(10), stable, Invalid, ReasonInvalidSticky, 66, "all 66 answers"},
		{"stuck at a smaller weight", options(5), stable, Invalid, ReasonInvalidSticky, 135, "all 135 answers"},
		{"each address stuck to one side", options(50), stuckAddresses, Invalid, ReasonInvalidSticky, 30, "all 15 answers from 192.0.2.1 are the stable's, all 15 answers from 192.0.2.2 are the canary's"},
		{"unknown answers", options(50), every(10, unknown, turns(1, 2)), Invalid, ReasonInvalidClassifier, 100, "tell neither version, more than 1 %"},
		{"only unknown answers", options(50), unknown, Invalid, ReasonInvalidClassifier, 30, "30 of 30 answers on 80/TCP"},
		{"a few unknown answers", options(50), every(40, unknown, turns(1, 2)), Invalid, ReasonInvalidClassifier, 1500, "more than 1 %"},
		{"one unknown answer of the first", options(50), then(1, unknown, turns(1, 2)), Pass, ReasonPass, 1000, "allowed 45–55 %"},
		{"slots left out", options(10), every(10, skipping, turns(1, 10)), Invalid, ReasonInvalidOverload, 400, "were left out because too many were waiting"},
		{"failures of this machine", options(50), every(5, local, turns(1, 2)), Invalid, ReasonInvalidLocal, 100, "this machine itself failed"},
		{"rare failures of this machine", options(50), every(200, local, turns(1, 2)), Pass, ReasonPass, 1500, "allowed 45–55 %"},
		{"canary refuses", options(50), every(2, refused, stable), Fail, ReasonFailErrors, 20, "the canary would be failing 100 % of its flows"},
		{"canary answers with errors", options(10), every(10, always(failure(probe.Faulty, probe.Canary)), stable), Fail, ReasonFailErrors, 100, "failed"},
		{"canary alone fails at high baseline", noisy(options(25)), every(4, always(failure(probe.Faulty, probe.Canary)), stable), Fail, ReasonFailErrors, 100, "but has 13 of 13 failures (100 %"},
		{"failures as before", noisy(options(50)), every(9, refused, turns(1, 2)), Pass, ReasonPass, 1500, "allowed 45–55 %"},
		{"nobody answers, nothing known from before", without(options(50)), refused, Fail, ReasonFailErrors, 30, "no flow on 80/TCP was answered"},
		{"error rate", strict(noisy(options(50)), 5), every(9, refused, turns(1, 2)), Fail, ReasonFailCeiling, 400, "more than the 5 % that are allowed"},
		{"error rate of the canary", strict(noisy(options(100)), 20), every(2, always(failure(probe.Faulty, probe.Canary)), canary), Fail, ReasonFailCeiling, 40, "that the canary took failed"},
		{"error rate of stable", strict(noisy(options(50)), 10), stableFails(2), Fail, ReasonFailCeiling, 200, "that the stable took failed"},
		{"error rate that is kept", strict(noisy(options(50)), 20), every(9, refused, turns(1, 2)), Pass, ReasonPass, 1500, "allowed 45–55 %"},
		{"no failure is allowed", strict(options(50), 0), then(40, turns(1, 2), refused), Fail, ReasonFailCeiling, 41, "1 of 41 flows"},
		{"both patterns match", options(50), every(10, always(probe.Flow{Class: probe.Answered, Version: probe.Unknown, Both: true, Address: viaA}), turns(1, 2)), Invalid, ReasonInvalidClassifier, 100, "match both patterns, more than 1 %: each must match the answers of its own version alone"},
		{"the canary is slow", paced(options(25)), slowCanary(26 * time.Millisecond), Fail, ReasonFailLatency, 400, "took longer than 25 ms, the slowest 5 % of the baseline's more than 20 ms; it answered"},
		{"the canary is as slow as allowed", paced(options(25)), slowCanary(25 * time.Millisecond), Pass, ReasonPass, 1500, "allowed 20–30 %"},
		{"the canary is slow where little was fast", paceOf(options(25), time.Millisecond), slowCanary(5 * time.Millisecond), Pass, ReasonPass, 1500, "allowed 20–30 %"},
		{"both versions are slow", paced(options(25)), slowAll(turns(1, 4)), Pass, ReasonPass, 1500, "allowed 20–30 %"},
		{"everything, slow", paced(options(100)), slowAll(canary), Fail, ReasonFailLatency, 400, "answers of the canary on 80/TCP (100 %) took longer than 25 ms"},
		{"everything, a third of it slow", paced(options(100)), every(3, slowAll(canary), canary), Pass, ReasonPass, 299, "observed 100 % of 299"},

		{"baseline in order", baselineOptions(), stable, Pass, ReasonPass, 300, "of 300 flows on 80/TCP stable answered 300"},
		{"baseline with few failures", baselineOptions(), every(30, refused, stable), Pass, ReasonPass, 300, "10 failed (10 refused)"},
		{"baseline with a canary", baselineOptions(), every(40, canary, stable), Fail, ReasonFailShare, 40, "the canary answers already"},
		{"baseline that refuses", baselineOptions(), refused, Fail, ReasonFailErrors, 16, "no flow on 80/TCP was answered, 16 failed (16 refused)"},
		{"baseline with failures", baselineOptions(), every(10, refused, stable), Fail, ReasonFailErrors, 160, "16 of 160 flows on 80/TCP failed (10 %), more than the 5 % that are allowed"},
		{"baseline with failures that are allowed", strict(baselineOptions(), 20), every(10, refused, stable), Pass, ReasonPass, 300, "30 failed"},
		{"baseline with failures that are not", strict(baselineOptions(), 1), every(50, refused, stable), Fail, ReasonFailCeiling, 200, "more than the 1 %"},
		{"baseline of strangers", baselineOptions(), unknown, Invalid, ReasonInvalidClassifier, 4, "4 of 4 answers"},
		{"baseline from a broken machine", baselineOptions(), local, Invalid, ReasonInvalidLocal, 30, "this machine itself failed 30 of 30 flows"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			j := NewJudge(row.options)
			n := feed(j, row.atMost, row.law)
			verdict, reason, detail, port := j.Verdict()
			require.Equal(t, row.verdict, verdict, detail)
			require.Equal(t, row.reason, reason, detail)
			require.Contains(t, detail, row.detail)
			require.Zero(t, port)
			require.LessOrEqual(t, n, row.atMost)
			m := j.Measurements()[0]
			require.Equal(t, verdict, m.Verdict)
			require.Equal(t, reason, m.Reason)
		})
	}
}

// refusedEvery refuses each nth flow and answers the others half by half.
func refusedEvery(n int) law {
	return every(n, always(failure(probe.Refused, probe.None)), turns(1, 2))
}

// stuckAddresses answers by address alone.
func stuckAddresses(i int) probe.Flow {
	if i%2 == 0 {
		return answer(probe.Stable)
	}
	f := answer(probe.Canary)
	f.Address = viaB
	return f
}

// noisy is a service of which a fifth failed before the rollout.
func noisy(o JudgeOptions) JudgeOptions {
	o.Baseline = &Baseline{Ports: []Failures{{60, 300}}}
	return o
}

// paced is a service whose p95 was 20 ms before the rollout, and may grow by a quarter.
func paced(o JudgeOptions) JudgeOptions { return paceOf(o, 20*time.Millisecond) }

func paceOf(o JudgeOptions, p95 time.Duration) JudgeOptions {
	slower := Percent(25)
	o.MaxSlower, o.Baseline = &slower, &Baseline{Ports: o.Baseline.Ports, Times: []Pace{{P95: p95, Answers: 300}}}
	return o
}

// slowAll answers as a law does, in 200 ms.
func slowAll(l law) law {
	return func(i int) probe.Flow {
		f := l(i)
		f.FirstByte = 200 * time.Millisecond
		return f
	}
}

// slowCanary answers each fourth flow as the canary, in a time.
func slowCanary(after time.Duration) law {
	f := answer(probe.Canary)
	f.FirstByte = after
	return every(4, always(f), always(answer(probe.Stable)))
}

// stableFails is a fair half and half of which stable fails each nth of its flows.
func stableFails(n int) law {
	bad := every(n, always(failure(probe.Faulty, probe.Stable)), always(answer(probe.Stable)))
	return func(i int) probe.Flow {
		if i%2 == 0 {
			return answer(probe.Canary)
		}
		return bad(i / 2)
	}
}

func without(o JudgeOptions) JudgeOptions { o.Baseline = nil; return o }

// TestFiguresAgreeWithTheTest holds every printed figure against package stats.
func TestFiguresAgreeWithTheTest(t *testing.T) {
	t.Parallel()
	j := NewJudge(options(50))
	n := feed(j, 3000, random(7, 0.35))
	m := j.Measurements()[0]
	test := stats.NewShareTest(0.5, 0.05, 0.95).Window(0)
	require.Equal(t, stats.Fail, test.Decide(m.Canary, n))
	require.Equal(t, test.Interval(m.Canary, n), m.Interval)
	require.Equal(t, stats.Wilson(m.Canary, n, 0.95), m.Wilson)
	require.Equal(t, test.Band, m.Band)
	require.InDelta(t, 100*float64(m.Canary)/float64(n), float64(*m.Observed), 1e-12)
	require.Equal(t, Percent(50), *m.Expected)
	_, _, detail, _ := j.Verdict()
	require.Regexp(t, `^observed [\d.]+ % of \d+ flows on 80/TCP, always-valid 95 % interval [\d.]+–[\d.]+ %, allowed 45–55 %$`, detail)
}
