package stats

import "math"

const (
	// bandReserve is the part of alpha that a stage keeps for the windows after its first. With a tenth, the first one is
	// judged at 0.9·alpha: its threshold ln(1/alpha) rises by 0.105, and with it the mean number of answers by 3 %.
	bandReserve = 0.1
	// allInReserve is the same at an expected share of 0 or 1. It is so small that the run of right answers that is asked
	// for at first stays what alpha alone would ask for: 299 at 95 %, 459 at 99 %.
	allInReserve = 0.005
)

// Window returns the test for window r of a stage, counted from 0. A window begins again, and what was seen is dropped,
// when the balancer had not caught up, when pods changed, or when the share moved ([Stationary]). With alpha =
// 1-Confidence and c the reserve, a tenth, or 1/200 at an expected share of 0 or 1:
//
//	alpha_0 = (1-c) alpha,  alpha_r = c alpha 6/(pi r)^2
//
// which sum to alpha over all windows that there can ever be (Euler: the 1/r² sum to pi²/6). So P(a false pass in any
// window) <= alpha, and the same for a false fail, whatever made one begin again and however often (the union bound).
// Halving would do that as well, but behind a balancer that lags for minutes there are dozens of windows, and one at
// 2^-60 takes ten times the answers. The first window keeps the planned size, the budget and the concentration of the
// whole alpha, for those are promised and any fixed ones are valid; later windows are tuned to their own.
//
// This is for a series of windows of which most stages need the first alone. [ShareTest.Restart] halves from the start
// instead, which costs the first window a fifth more answers and later ones less.
//
// Range: r >= 0; less counts as 0. Example: at 95 %, Window(0) tests at 0.045 and Window(1) at 0.00304.
func (t ShareTest) Window(r int) ShareTest {
	alpha, reserve := alphaOf(t.Confidence), bandReserve
	if t.allIn() {
		reserve = allInReserve
	}
	if r > 0 {
		return t.tuned(reserve * alpha * 6 / (math.Pi * math.Pi * float64(r) * float64(r)))
	}
	t = t.tuned(alpha)
	t.Alpha = (1 - reserve) * alpha
	if t.allIn() && t.Alpha > 0 {
		t.PlannedSize = allInSize(t.Alpha)
	}
	return t
}

// Evidence returns ln M at the lower and the upper edge of the band after k of n answers, divided by the dispersion, and
// the threshold ln(1/alpha) that each must reach: the numbers that [ShareTest.Decide] compares. An edge at 0 or 1 has
// +Inf once it is contradicted. NaN if there is no band or the counts are impossible.
//
// Example: NewShareTest(0.10, 0.05, 0.95).Evidence(43, 430) = 6.67, 3.16 and a threshold of 3.00.
func (t ShareTest) Evidence(k, n int) (lo, hi, threshold float64) {
	threshold = -math.Log(t.Alpha)
	if !validCounts(k, n) || t.PlannedSize == 0 {
		return math.NaN(), math.NaN(), threshold
	}
	at := func(edge float64) float64 {
		return logMixture(float64(k)/t.Dispersion, float64(n)/t.Dispersion, edge, t.Concentration)
	}
	return at(t.Band.Lo), at(t.Band.Hi), threshold
}
