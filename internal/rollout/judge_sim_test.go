package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
)

// simulate runs a stage many times and counts its verdicts and flows.
func simulate(t *testing.T, runs int, o JudgeOptions, balancer func(seed uint64) law) (verdicts map[Verdict]int, mean float64) {
	t.Helper()
	verdicts = map[Verdict]int{}
	total := 0
	for seed := range runs {
		j := NewJudge(o)
		total += feed(j, 100000, balancer(uint64(seed)))
		verdict, _, _, _ := j.Verdict()
		require.NotEmpty(t, verdict)
		verdicts[verdict]++
	}
	return verdicts, float64(total) / float64(runs)
}

// TestErrorRates simulates cells of the table in statistics.md (2.2, V12), whose
// exact figures come from dynamic programming. The limits are those figures plus
// four standard errors of so many runs.
func TestErrorRates(t *testing.T) {
	t.Parallel()
	const runs = 300
	for _, row := range []struct {
		name              string
		expected          Percent
		share             float64
		pass, fail        [2]int // at least, at most
		meanLow, meanHigh float64
	}{
		{"right at 10", 10, 0.10, [2]int{297, 300}, [2]int{0, 1}, 445, 530},    // exact mean 487
		{"right at 50", 50, 0.50, [2]int{298, 300}, [2]int{0, 1}, 1230, 1460},  // exact mean 1348
		{"on the upper edge", 10, 0.15, [2]int{0, 12}, [2]int{0, 18}, 0, 1560}, // exact false pass 1.3 %
		{"on the lower edge", 10, 0.05, [2]int{0, 10}, [2]int{0, 18}, 0, 1560}, // exact false pass 0.9 %
		{"twice the tolerance off", 10, 0.20, [2]int{0, 1}, [2]int{290, 300}, 0, 700},
		{"twice the tolerance off at 50", 50, 0.60, [2]int{0, 1}, [2]int{290, 300}, 0, 2000},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			verdicts, mean := simulate(t, runs, options(row.expected), func(seed uint64) law { return random(seed, row.share) })
			t.Logf("%v, mean %.0f flows", verdicts, mean)
			require.GreaterOrEqual(t, verdicts[Pass], row.pass[0])
			require.LessOrEqual(t, verdicts[Pass], row.pass[1])
			require.GreaterOrEqual(t, verdicts[Fail], row.fail[0])
			require.LessOrEqual(t, verdicts[Fail], row.fail[1])
			require.GreaterOrEqual(t, mean, row.meanLow)
			require.LessOrEqual(t, mean, row.meanHigh)
		})
	}
}

// TestSmallWeightsAreRarelyCalledSticky: an honest balancer at 3, 5 and 10 %
// starts with long runs of stable answers.
func TestSmallWeightsAreRarelyCalledSticky(t *testing.T) {
	t.Parallel()
	for _, expected := range []Percent{3, 5, 10} {
		o := options(expected)
		o.MaxProbes = 300 // sticky is called before that, or never
		verdicts, _ := simulate(t, 1000, o, func(seed uint64) law { return random(seed, expected.Fraction()) })
		require.LessOrEqual(t, verdicts[Invalid], 5, "%v: nominally 1 of 1000 at most", expected)
	}
}

// TestRoundRobin: regular sequences are judged as carefully as random ones and
// decide at the sizes of the table (2.2, column rr).
func TestRoundRobin(t *testing.T) {
	t.Parallel()
	for expected, want := range map[Percent]int{10: 403, 25: 733, 50: 920} {
		j := NewJudge(options(expected))
		n := feed(j, 10000, turns(int(expected), 100))
		verdict, _, detail, _ := j.Verdict()
		require.Equal(t, Pass, verdict, detail)
		require.InEpsilon(t, want, n, 0.08, "%v", expected)
	}
}

// TestCeilingKeepsItsPromise: versions that fail exactly as often as max-error-rate allows
// are turned down with the error that the confidence leaves, for each of the three rates
// that are held to it, however often one looks.
func TestCeilingKeepsItsPromise(t *testing.T) {
	t.Parallel()
	const runs, rate = 300, 0.05
	ceiling := Percent(100 * rate)
	o := options(50)
	o.MaxErrorRate, o.Baseline = &ceiling, &Baseline{Ports: []Failures{{Failed: 150, Flows: 3000}}}
	spoiled := func(seed uint64, rate float64) law {
		fair, failing := random(seed, 0.5), random(seed+1000000, rate)
		return func(i int) probe.Flow {
			f := fair(i)
			if failing(i).Version == probe.Canary {
				f.Class = probe.Faulty
			}
			return f
		}
	}
	verdicts, _ := simulate(t, runs, o, func(seed uint64) law { return spoiled(seed, rate) })
	t.Logf("at the ceiling: %v", verdicts)
	// Nominally 3 × 5 %: Binomial(300, 0.15) exceeds 70 with a probability of 5e-5.
	require.LessOrEqual(t, verdicts[Fail], 70)
	verdicts, _ = simulate(t, runs, o, func(seed uint64) law { return spoiled(seed, 4*rate) })
	require.GreaterOrEqual(t, verdicts[Fail], 290, "four times as often is found")
}

// TestWatchKeepsItsPromise over hours: two versions that fail alike, and are slow alike, are
// not told apart, though one looks twenty thousand times.
func TestWatchKeepsItsPromise(t *testing.T) {
	t.Parallel()
	const runs, flows = 40, 20000
	alarms := 0
	for seed := range uint64(runs) {
		o := paced(options(25))
		o.Baseline.Ports = []Failures{{Failed: 6, Flows: 300}}
		w := NewJudge(o).Watch()
		fair, failing, slow := random(seed, 0.25), random(seed+1000, 0.01), random(seed+2000, 0.04)
		n := feed(w, flows, func(i int) probe.Flow {
			f := fair(i)
			if failing(i).Version == probe.Canary {
				f.Class = probe.Reset
			}
			if slow(i).Version == probe.Canary {
				f.FirstByte = time.Second
			}
			return f
		})
		alarms += one(n < flows)
	}
	t.Logf("%d of %d pauses of %d flows ended in an alarm", alarms, runs, flows)
	// Nominally 3 × 5 % (two gates of failures and one of slow answers): Binomial(40, 0.15)
	// exceeds 16 with a probability of 2e-5.
	require.LessOrEqual(t, alarms, 16)
}

// TestHealthyStagesRarelyFailForErrors: a service that fails as often as in its
// baseline is not the canary's fault.
func TestHealthyStagesRarelyFailForErrors(t *testing.T) {
	t.Parallel()
	o := options(10)
	o.Baseline = &Baseline{Ports: []Failures{{3, 300}}}
	verdicts, _ := simulate(t, 300, o, func(seed uint64) law {
		fair, failing := random(seed, 0.1), random(seed+1000000, 0.01)
		return func(i int) probe.Flow {
			if failing(i).Version == probe.Canary {
				return failure(probe.Reset, probe.None)
			}
			return fair(i)
		}
	})
	require.LessOrEqual(t, verdicts[Fail], 4, "nominally 5 %%, in practice below 0.1 %%")
	require.GreaterOrEqual(t, verdicts[Pass], 290)
}
