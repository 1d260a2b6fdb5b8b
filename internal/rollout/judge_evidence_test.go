package rollout

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/stats"
)

// TestEvidenceOfShare holds the numbers against package stats.
func TestEvidenceOfShare(t *testing.T) {
	t.Parallel()
	j := NewJudge(options(10))
	n := feed(j, 5000, random(3, 0.1))
	m := j.Measurements()[0]
	test := stats.NewShareTest(0.10, 0.05, 0.95).Window(0)
	lo, hi, threshold := test.Evidence(m.Canary, n)
	require.Equal(t, ShareEvidence{
		Alpha: Figure(test.Alpha), Threshold: Figure(threshold), LogLow: Figure(lo), LogHigh: Figure(hi), Planned: 390, Budget: 1560,
		Minimum: 20, Concentration: Figure(test.Concentration),
	}, m.Evidence.Share)
	require.GreaterOrEqual(t, min(lo, hi), threshold, "it passed")
	require.Equal(t, "endpoints", *m.Evidence.Model)

	j.Restart()
	open := j.ports[0].evidence().Share
	require.Equal(t, 1, open.Restarts)
	require.Zero(t, open.Moves)
	require.Equal(t, stats.NewShareTest(0.10, 0.05, 0.95).Window(1).PlannedSize, *open.Remaining)

	all := NewJudge(options(100))
	feed(all, 5000, always(answer(probe.Canary)))
	certain := all.Measurements()[0].Evidence.Share
	require.False(t, certain.LogLow.Known() || certain.LogHigh.Known() || certain.Threshold.Known(), "that is not what decides")
	require.Equal(t, 299, certain.Planned)

	o := options(10)
	o.Local = true
	require.Equal(t, "nodes", *NewJudge(o).ports[0].evidence().Model)
	o.Expected = nil
	measuring := NewJudge(o).ports[0].evidence()
	require.Nil(t, measuring.Model)
	require.Nil(t, measuring.Share.Remaining)
	require.Nil(t, measuring.Failures.Attributed)
}

// TestEvidenceOfFailures counts by version and class, and keeps the gates' numbers.
func TestEvidenceOfFailures(t *testing.T) {
	t.Parallel()
	ceiling := Percent(60)
	o := options(10)
	o.MaxErrorRate = &ceiling
	o.Baseline = &Baseline{Ports: []Failures{{Failed: 1, Flows: 1000}}}
	o.NoEarlyStop = true // the gates would end it
	j := NewJudge(o)
	give := func(n int, f probe.Flow) {
		for range n {
			j.Add(f)
		}
	}
	give(894, answer(probe.Stable))
	give(95, answer(probe.Canary))
	give(4, failure(probe.Faulty, probe.Stable))
	give(3, failure(probe.Faulty, probe.Canary))
	give(2, failure(probe.Reset, probe.Canary))
	give(1, failure(probe.Refused, probe.None))
	give(1, failure(probe.Timeout, probe.Unknown))
	e := j.ports[0].evidence().Failures
	require.Equal(t, 1000, e.Flows)
	require.Equal(t, 11, e.Failed)
	require.Equal(t, VersionFailures{
		Flows: 898, Failed: 4, Classes: ClassCounts{Protocol: 4}, Wilson: within(stats.Wilson(4, 898, 0.95)), Interval: within(stats.RateInterval(4, 898, 0.95)),
	}, e.Stable)
	require.Equal(t, 5, e.Canary.Failed)
	require.Equal(t, ClassCounts{Reset: 2, Protocol: 3}, e.Canary.Classes)
	require.Equal(t, ClassCounts{Refused: 1, Timeout: 1}, e.Unattributed)
	require.InDelta(t, 60, float64(*e.Ceiling), 1e-12)
	require.InDelta(t, 0.5558924, float64(e.Baseline.Bound), 1e-6, "the baseline of statistics.md 2.4")
	require.InDelta(t, 1.1, float64(e.Baseline.Observed), 1e-9)
	gate := stats.NewAttributedGate(0.95, 1, stats.NewShareTest(0.1, 0.05, 0.95).Concentration).Decide(5, 9, 100, 998)
	require.Equal(t, gateEvidence(gate), e.Attributed)
	detectable := stats.NewAttributedGate(0.95, 1, stats.NewShareTest(0.1, 0.05, 0.95).Concentration).DetectableRate(4.0/898, 0.1, 998, 0.9)
	require.InDelta(t, 100*detectable, float64(e.Detectable), 1e-9)
	require.Greater(t, detectable, 0.05, "what it has shown could not be found yet")
	require.Contains(t, j.ports[0].evidence().Warnings, "0.4 % of stable's flows failed and 5 % of the canary's: of those that were answered, a share of 10 % shows as 9.6 %")

	none := NewJudge(baselineOptions()).ports[0].evidence().Failures
	require.Nil(t, none.Attributed)
	require.Nil(t, none.Baseline)
	require.Nil(t, none.Ceiling)
	require.Nil(t, none.Stable.Wilson)
	require.False(t, none.Detectable.Known())
}

// TestEvidenceOfLatency has the ranks of V8 in statistics.md.
func TestEvidenceOfLatency(t *testing.T) {
	t.Parallel()
	o := paced(options(50))
	o.NoEarlyStop = true
	j := NewJudge(o)
	timed := func(v probe.Version, n int, step time.Duration) {
		for i := range n {
			f := answer(v)
			f.FirstByte = time.Duration(i+1) * step
			f.Scheduled, f.Start, f.Total = time.Second, time.Second+time.Millisecond, f.FirstByte+2*time.Millisecond
			j.Add(f)
		}
	}
	timed(probe.Stable, 1000, 10*time.Microsecond)
	timed(probe.Canary, 99, 30*time.Microsecond)
	e := j.ports[0].evidence().Latency
	require.Equal(t, []int{936, 964, 983, 997}, []int{e.Stable.P95.LowRank, e.Stable.P95.HighRank, e.Stable.P99.LowRank, e.Stable.P99.HighRank})
	require.InDelta(t, 95.8095268, float64(e.Stable.P95.Coverage), 1e-6)
	require.InDelta(t, 9.36, float64(e.Stable.P95.Low), 1e-9)
	require.InDelta(t, 9.64, float64(e.Stable.P95.High), 1e-9)
	require.InDelta(t, 9.5, float64(e.Stable.P95.Value), 0.01)
	require.InDelta(t, float64(e.Stable.P95.Value)+3, float64(e.StableWhole.P95.Value), 1e-9, "a late start and the rest of the answer belong to it")
	require.NotNil(t, e.Canary.P50)
	require.Nil(t, e.Canary.P95, "99 answers are too few")
	require.InDelta(t, 25, float64(*e.Limit), 1e-12)
	require.Equal(t, []int{1099, 0, 99, 0}, []int{e.Answers, e.Slow, e.CanaryTimed, e.CanarySlow})
	require.Negative(t, float64(e.Shift), "the canary is faster")
	require.Less(t, float64(e.Longer), 50.0)
	require.Less(t, float64(e.P), 1e-6)

	none := NewJudge(options(50)).ports[0].evidence().Latency
	require.Nil(t, none.Limit)
	require.Nil(t, none.Gate)
	require.Nil(t, none.Stable)
	require.False(t, none.Shift.Known())
}

// via answers through an address.
func via(address string, l law) law {
	return func(i int) probe.Flow {
		f := l(i)
		f.Address = netip.MustParseAddr(address)
		return f
	}
}

// TestContradictions: none of them decides, each of them is said.
func TestContradictions(t *testing.T) {
	t.Parallel()
	named := func(l law, pods int) law {
		return func(i int) probe.Flow {
			f := l(i)
			f.Pod = fmt.Sprintf("%s-%d", f.Version, i%pods)
			return f
		}
	}
	one := func(i int) probe.Flow { // three of four flows to one pod of each side
		f := turns(1, 2)(i)
		f.Pod = fmt.Sprintf("%s-%d", f.Version, max(0, i/2%4-2))
		return f
	}
	v4, v6 := "192.0.2.1", "2001:db8::1"
	for _, row := range []struct {
		name    string
		options func(*JudgeOptions)
		laws    [2]law
		want    string // empty: nothing
	}{
		{"alike", nil, [2]law{via(v4, random(1, 0.5)), via(v6, random(2, 0.5))}, ""},
		{"families", nil, [2]law{via(v4, random(1, 0.4)), via(v6, random(2, 0.6))}, "IPv4 and IPv6 contradict each other: they show different shares"},
		{"addresses", nil, [2]law{via(v4, random(1, 0.4)), via("192.0.2.2", random(2, 0.6))}, "the addresses contradict each other: they show different shares"},
		{"equal pods", nil, [2]law{named(random(1, 0.5), 3), named(random(2, 0.5), 3)}, ""},
		{"unequal pods", nil, [2]law{one, one}, "the pods of stable answer unequally often: the balancer prefers some"},
		{"a pod that never answers", func(o *JudgeOptions) { o.CanaryPods = 4 }, [2]law{named(random(1, 0.5), 3), named(random(2, 0.5), 3)}, "the pods of the canary answer unequally often: the balancer prefers some"},
		{"so many pods that each answers twice", nil, [2]law{named(random(1, 0.5), 250), one}, ""},
		{"unequal pods under Local", func(o *JudgeOptions) { o.Local = true }, [2]law{one, one}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := options(50)
			o.NoEarlyStop = true
			if row.options != nil {
				row.options(&o)
			}
			j := NewJudge(o)
			for i := range 1000 {
				j.Add(row.laws[i%2](i / 2))
			}
			j.Expire()
			warnings := j.ports[0].evidence().Warnings
			if row.want == "" {
				for _, w := range warnings {
					require.NotRegexp(t, "contradict|unequally", w)
				}
				return
			}
			require.Contains(t, warnings, row.want)
			verdict, _, detail, _ := j.Verdict()
			require.NotEqual(t, Fail, verdict, detail)
		})
	}
}

// TestFigure: a number keeps six digits, and none is null, both ways.
func TestFigure(t *testing.T) {
	t.Parallel()
	for value, want := range map[float64]string{
		1.0 / 3: "0.333333", 1e-300: "1e-300", 299: "299", math.NaN(): "null", math.Inf(-1): "null", math.MaxFloat64: "1.79769e+308",
		math.Copysign(0, -1): "0",
	} {
		text, err := json.Marshal(Figure(value))
		require.NoError(t, err)
		require.Equal(t, want, string(text))
		var again Figure
		require.NoError(t, json.Unmarshal(text, &again))
		require.Equal(t, want != "null", again.Known())
		twice, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, want, string(twice))
	}
	require.Error(t, json.Unmarshal([]byte(`"x"`), new(Figure)))
}
