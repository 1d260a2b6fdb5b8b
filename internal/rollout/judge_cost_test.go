package rollout

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
)

// costly are stages and what each of their flows becomes.
func costly() map[string]law {
	slow := answer(probe.Canary)
	slow.FirstByte = 50 * time.Millisecond
	return map[string]law{
		"fair":        random(5, 0.5),
		"slow":        every(50, always(slow), random(7, 0.5)),
		"failing":     every(50, always(failure(probe.Refused, probe.None)), random(5, 0.5)),
		"not known":   then(1, always(answer(probe.Unknown)), random(5, 0.5)),
		"from canary": every(50, always(failure(probe.Reset, probe.Canary)), random(5, 0.5)),
	}
}

// allGates is a stage at 50 % after a baseline, with everything judged that can be.
func allGates() *Judge {
	half, increase, errorRate := Percent(50), Percent(25), Percent(5)
	return NewJudge(JudgeOptions{
		Ports: []probe.Port{{Number: 80, Protocol: probe.TCP}}, Expected: &half, Tolerance: 5, Confidence: 95,
		MaxErrorRate: &errorRate, MaxSlower: &increase, MaxProbes: 1 << 30,
		Baseline: &Baseline{Ports: []Failures{{Flows: 300}}, Times: []Pace{{P95: 10 * time.Millisecond, Answers: 300}}},
	})
}

// TestJudgeAllocates: a flow costs the judge no allocation but what its growing lists
// take, while a stage is open, in a pause, and where flows fail or are slow.
func TestJudgeAllocates(t *testing.T) {
	const flows = 5000
	for name, law := range costly() {
		for _, watching := range []bool{false, true} {
			judge := allGates()
			if watching {
				judge = judge.Watch()
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			decided := 0
			for i := range flows {
				f := law(i)
				f.Scheduled = time.Duration(i) * time.Millisecond
				if judge.Add(f) {
					decided++
					judge = allGates()
				}
			}
			runtime.ReadMemStats(&after)
			require.Less(t, float64(after.Mallocs-before.Mallocs)/flows, 0.5, "%s, watching %t, decided %d times", name, watching, decided)
		}
	}
}

// TestJudgeHeldUp: a pass that slow answers hold up takes all answers to be looked at
// again. That is done ever less often: a stage of twice the length has 70 looks more.
func TestJudgeHeldUp(t *testing.T) {
	t.Parallel()
	judge, next := allGates(), costly()["slow"]
	looks, before := 0, 0
	for i := range 8000 {
		f := next(i)
		f.Scheduled = time.Duration(i) * time.Millisecond
		require.False(t, judge.Add(f))
		if again := judge.ports[0].course.again; again != before {
			require.Greater(t, again, judge.ports[0].tally.attributed(), "it is for later")
			before, looks = again, looks+one(i >= 4000)
		}
	}
	require.InDelta(t, 70, looks, 10, "ln 2 / ln 1.01")
	judge.Expire()
	verdict, _, _, _ := judge.Verdict()
	require.Equal(t, Pass, verdict, "in the end what is held up is decided")
}

// TestJudgeRemembers: what the judge of a long bake keeps of an answer is what its
// quantiles and its order take, and half as much again for growth.
func TestJudgeRemembers(t *testing.T) {
	const flows = 400_000
	judge, next := allGates().Watch(), random(3, 0.5)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range flows {
		f := next(i)
		f.Scheduled, f.Answer = time.Duration(i)*time.Millisecond, make([]byte, 1024)
		require.False(t, judge.Add(f))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, float64(after.HeapAlloc)-float64(before.HeapAlloc), 1.5*17*flows)
	require.Equal(t, flows, judge.Measurements()[0].Samples)
}

func BenchmarkGates(b *testing.B) {
	for name, law := range costly() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			judge := allGates()
			for i := range b.N {
				f := law(i)
				f.Scheduled = time.Duration(i) * time.Millisecond
				if judge.Add(f) {
					judge = allGates()
				}
			}
		})
		b.Run(name+", watching", func(b *testing.B) {
			b.ReportAllocs()
			judge := allGates().Watch()
			for i := range b.N {
				f := law(i)
				f.Scheduled = time.Duration(i) * time.Millisecond
				if judge.Add(f) {
					judge = allGates().Watch()
				}
			}
		})
	}
}
