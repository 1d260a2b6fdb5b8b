package stats

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireInterval compares both ends.
func requireInterval(t *testing.T, lo, hi float64, got Interval, delta float64) {
	t.Helper()
	require.InDelta(t, lo, got.Lo, delta, "lower end of %v", got)
	require.InDelta(t, hi, got.Hi, delta, "upper end of %v", got)
}

// TestConfidenceSequenceHoward is V2: the unit tests of gostevehoward/confseq, tolerance 1e-5 as there. Its t_opt stands
// for m = t_opt/C(0.05) - 1, at least 0.001.
func TestConfidenceSequenceHoward(t *testing.T) {
	t.Parallel()
	rows := []struct {
		k, n            int
		horizon, lo, hi float64
	}{
		{700, 1000, 100, 0.651629, 0.745949},
		{5, 50, 50, 0.013021, 0.269264},
		{100, 200, 1, 0.328923, 0.671076},
		{0, 1, 50, 0, 1},
		{1, 1, 50, 0, 1},
	}
	for _, row := range rows {
		m := max(0.001, row.horizon/Cost(0.05)-1)
		requireInterval(t, row.lo, row.hi, ConfidenceSequence(row.k, row.n, 0.05, m), 1e-5)
	}
}

// TestConfidenceSequenceVectors is V3 of statistics.md.
func TestConfidenceSequenceVectors(t *testing.T) {
	t.Parallel()
	rows := []struct {
		k, n    int
		alpha   float64
		horizon int
		lo, hi  float64
	}{
		{10, 100, 0.05, 390, 0.02967908, 0.22529227},
		{43, 430, 0.05, 390, 0.06113451, 0.14892677},
		{104, 1000, 0.05, 1083, 0.07687821, 0.13547227},
		{250, 1000, 0.05, 812, 0.20981943, 0.29289042},
		{500, 1000, 0.01, 1578, 0.44342696, 0.55657304},
		{0, 300, 0.05, 300, 0, 0.01362256},
		{3, 300, 0.05, 300, 0.00032732, 0.03705025},
		{1, 1000, 0.05, 1000, 0, 0.00713985},
	}
	for _, row := range rows {
		got := ConfidenceSequence(row.k, row.n, row.alpha, Concentration(row.horizon, row.alpha))
		requireInterval(t, row.lo, row.hi, got, 1e-8)
	}
}

// TestUniformPriorVectors is the cross-check of V3, made with plain R: {p: (n+1) dbinom(k, n, p) > alpha}. It exercises the
// bisection and the binomial probabilities, not the mixture.
func TestUniformPriorVectors(t *testing.T) {
	t.Parallel()
	rows := []struct {
		k, n   int
		lo, hi float64
	}{
		{10, 100, 0.02884199808, 0.22827091955},
		{100, 1000, 0.06878042063, 0.13836680236},
		{1000, 10_000, 0.08850716043, 0.11233350518},
		{250, 1000, 0.2033781440, 0.3008504039},
		{500, 1000, 0.4443853297, 0.5556146703},
		{0, 100, 0, 0.0732843734},
		{0, 1000, 0, 0.009855599157},
	}
	for _, row := range rows {
		rejected := func(p float64) bool {
			return float64(row.n+1)*binomialProbability(row.k, row.n, p) <= 0.05
		}
		share := float64(row.k) / float64(row.n)
		got := Interval{Lo: bisect(0, share, rejected), Hi: bisect(1, share, rejected)}
		requireInterval(t, row.lo, row.hi, got, 1e-10)
	}
}

// TestClassicalIntervals is V4: R's prop.test(correct=FALSE) and binom.test, statsmodels agrees; the first three are
// examples of Newcombe 1998.
func TestClassicalIntervals(t *testing.T) {
	t.Parallel()
	rows := []struct {
		k, n          int
		confidence    float64
		wilson, exact Interval
	}{
		{81, 263, 0.95, Interval{0.255288519878, 0.366209576983}, Interval{0.252736745585, 0.367621922601}},
		{0, 20, 0.95, Interval{0, 0.161125158053}, Interval{0, 0.168433470983}},
		{1, 29, 0.95, Interval{0.00611321429276, 0.171755218793}, Interval{0.00087264688358, 0.177644295489}},
		{10, 100, 0.95, Interval{0.0552291370607, 0.174365661505}, Interval{0.0490046892215, 0.176222597740}},
		{104, 1000, 0.95, Interval{0.0865710280983, 0.124459764622}, Interval{0.0857678226256, 0.124600156570}},
		{500, 1000, 0.99, Interval{0.459407005212, 0.540592994788}, Interval{0.458852553307, 0.541147446693}},
		{0, 300, 0.95, Interval{0, 0.0126429712245}, Interval{0, 0.0122209746943}},
		{3, 300, 0.95, Interval{0.00340661843772, 0.0289834933623}, Interval{0.00206700723509, 0.0289445112557}},
	}
	for _, row := range rows {
		requireInterval(t, row.wilson.Lo, row.wilson.Hi, Wilson(row.k, row.n, row.confidence), 1e-12)
		requireInterval(t, row.exact.Lo, row.exact.Hi, ClopperPearson(row.k, row.n, row.confidence), 1e-12)
		upper := ClopperPearsonUpper(row.k, row.n, 1-(1-row.confidence)/2)
		require.InDelta(t, row.exact.Hi, upper, 1e-12, "half of the two-sided error is above")
	}
	require.InDelta(t, 0.005558924, ClopperPearsonUpper(1, 1000, 0.975), 1e-9, "the baseline of section 2.4")
}

func TestIntervalsMirror(t *testing.T) {
	t.Parallel()
	random := dice(2)
	for range 300 {
		n := 1 + random.IntN(2000)
		k := random.IntN(n + 1)
		share := float64(k) / float64(n)
		all := map[string]func(k, n int) Interval{
			"sequence": func(k, n int) Interval { return ConfidenceSequence(k, n, 0.05, 48.14) },
			"wilson":   func(k, n int) Interval { return Wilson(k, n, 0.95) },
			"exact":    func(k, n int) Interval { return ClopperPearson(k, n, 0.95) },
		}
		for name, interval := range all {
			got, mirror, more := interval(k, n), interval(n-k, n), interval(k+1, n+1)
			require.True(t, got.Contains(share), "%s of %d/%d: %v", name, k, n, got)
			require.True(t, 0 <= got.Lo && got.Hi <= 1, name)
			requireInterval(t, 1-mirror.Hi, 1-mirror.Lo, got, 1e-12)
			require.GreaterOrEqual(t, more.Lo, got.Lo-1e-12, "%s: another hit never lowers it", name)
			require.GreaterOrEqual(t, more.Hi, got.Hi-1e-12, "%s: another hit never lowers it", name)
		}
		loose, strict := ConfidenceSequence(k, n, 0.05, 48), ConfidenceSequence(k, n, 0.01, 48)
		require.LessOrEqual(t, loose.Width(), strict.Width(), "more confidence is wider")
	}
}

func TestIntervalsOfNonsense(t *testing.T) {
	t.Parallel()
	all := Interval{Lo: 0, Hi: 1}
	nan := math.NaN()
	require.Equal(t, all, ConfidenceSequence(0, 0, 0.05, 4))
	require.Equal(t, all, ConfidenceSequence(5, 4, 0.05, 4))
	require.Equal(t, all, ConfidenceSequence(-1, 4, 0.05, 4))
	require.Equal(t, all, ConfidenceSequence(2, 4, nan, 4))
	require.Equal(t, all, ConfidenceSequence(2, 4, 1, 4))
	require.Equal(t, all, ConfidenceSequence(2, 4, 0.05, nan))
	for _, interval := range []func(int, int, float64) Interval{Wilson, ClopperPearson} {
		require.Equal(t, all, interval(0, 0, 0.95))
		require.Equal(t, all, interval(5, 4, 0.95))
		require.Equal(t, all, interval(-1, 4, 0.95))
		require.Equal(t, all, interval(2, 4, 1))
		require.Equal(t, all, interval(2, 4, 0))
		require.Equal(t, all, interval(2, 4, nan))
	}
	require.False(t, all.Contains(nan))
	require.True(t, all.Contains(0) && all.Contains(1))
}

// TestNormal holds the quantiles of V4 and two well-known tails.
func TestNormal(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 1.959963984540054, NormalQuantile(0.975), 1e-14)
	require.InDelta(t, 2.575829303548901, NormalQuantile(0.995), 1e-14)
	require.InDelta(t, 1.644853626951472, NormalQuantile(0.95), 1e-14)
	require.InDelta(t, 2.326347874040841, NormalQuantile(0.99), 1e-14)
	require.InDelta(t, -NormalQuantile(0.9), NormalQuantile(0.1), 1e-15)
	require.True(t, math.IsNaN(NormalQuantile(1.5)))
	require.InEpsilon(t, 0.001349898031630, NormalUpperTail(3), 1e-12)
	require.InEpsilon(t, 7.619853024160527e-24, NormalUpperTail(10), 1e-12)
	require.InDelta(t, 0.05, alphaOf(0.95), 0, "no binary dust")
	require.Positive(t, alphaOf(1-1e-14))
	require.True(t, math.IsNaN(alphaOf(1)))
}
