package stats

import "math"

// Decision is the verdict of a sequential test at one moment.
type Decision string

// The decisions. Pass and Fail are final; Continue asks for more probes; Inconclusive means that the budget is spent, or
// that the question made no sense.
const (
	Continue     Decision = "continue"
	Pass         Decision = "pass"
	Fail         Decision = "fail"
	Inconclusive Decision = "inconclusive"
)

const (
	// allInTolerance is the share of wrong answers that a stage at 0 % or 100 % is able to exclude.
	allInTolerance = 0.01
	// minSize is the number of answers before which nothing passes.
	minSize = 20
	// budgetFactor is the default budget in multiples of the planned size: 1 of 1000 good shares is still undecided there.
	budgetFactor = 4
)

// ShareTest decides, after every answer if one likes, whether the new version gets the expected share of the traffic
// within a tolerance. Build it with [NewShareTest]; the fields are there to be printed. The zero value decides nothing.
//
// With lo and hi the edges of the band, t = ln(1/alpha) and ln M of [LogMixture]:
//
//	pass  if lo < k/n < hi, ln M(lo) >= t and ln M(hi) >= t, 1 <= k <= n-1 and n >= MinSize
//	fail  if k/n >= hi and ln M(hi) >= t, or k/n <= lo and ln M(lo) >= t
//	else  continue until MaxSize, then inconclusive
//
// Since ln M is convex in p, that is: the always-valid interval lies inside the band, or outside. A share on or beyond an
// edge passes, and one on or within an edge fails, with probability at most alpha each, however often one looks.
//
// At an expected share of 0 or 1 the test is the all-in bet instead: a single wrong answer fails, and
// ceil(ln alpha / ln(1-0.01)) right ones in a row pass, 299 at 95 %; a share of wrong answers of 1 % or more would
// survive that long with probability at most alpha.
type ShareTest struct {
	Expected      float64  // w*, the share the new version should get, 0..1
	Tolerance     float64  // half the width of the band after clipping, a fraction; 0.01 at an expected share of 0 or 1
	Confidence    float64  // as asked for, before any restart, 0..1
	Band          Interval // Expected ± Tolerance, within 0..1
	Alpha         float64  // error probability of this run: 1-Confidence, less after a restart
	PlannedSize   int      // answers the test is tuned for
	MinSize       int      // answers before which nothing passes
	MaxSize       int      // answers after which an open question is inconclusive
	Concentration float64  // m of the mixture
	Dispersion    float64  // counts are divided by it; 1 unless WithDispersion raised it

	budget int // as given to WithBudget; 0 for the default
}

// NewShareTest returns the test of an expected share within ±tolerance at a confidence, all fractions.
//
// For 0 < expected < 1 the tolerance is clipped to expected/2 and (1-expected)/2: 5 % ± 5 points would accept a version
// that gets nothing. At 0 and 1 it is replaced, see [ShareTest].
//
// Ranges: 0 <= expected <= 1, tolerance > 0, 0 < confidence < 1; outside them the test is Inconclusive from the start.
//
// Example: NewShareTest(0.10, 0.05, 0.95) has the band 5 %..15 %, a planned size of 390, a budget of 1560 and a
// concentration of 48.14.
func NewShareTest(expected, tolerance, confidence float64) ShareTest {
	t := ShareTest{Expected: expected, Tolerance: tolerance, Confidence: confidence, MinSize: minSize, Dispersion: 1}
	switch {
	case expected == 0:
		t.Tolerance = allInTolerance
		t.Band = Interval{Lo: 0, Hi: allInTolerance}
	case expected == 1:
		t.Tolerance = allInTolerance
		t.Band = Interval{Lo: 1 - allInTolerance, Hi: 1}
	case expected > 0 && expected < 1:
		t.Tolerance = min(tolerance, expected/2, (1-expected)/2)
		t.Band = Interval{Lo: expected - t.Tolerance, Hi: expected + t.Tolerance}
	}
	return t.tuned(alphaOf(confidence))
}

// tuned returns the test at another alpha, with the sizes and the concentration that belong to it.
func (t ShareTest) tuned(alpha float64) ShareTest {
	t.Alpha = alpha
	switch {
	case !(alpha > 0 && alpha < 1):
		t.PlannedSize = 0
	case t.allIn():
		t.PlannedSize = allInSize(alpha)
	default:
		t.PlannedSize = PlanSize(t.Expected, t.Tolerance, alpha)
	}
	t.Concentration = Concentration(t.PlannedSize, alpha)
	t.MaxSize = budgetFactor * t.PlannedSize
	if t.budget > 0 {
		t.MaxSize = t.budget
	}
	return t
}

// allInSize is how many right answers in a row a share of wrong ones of allInTolerance survives with probability alpha.
func allInSize(alpha float64) int {
	return clampPlan(math.Ceil(math.Log(alpha) / math.Log1p(-allInTolerance)))
}

// WithBudget returns the test with another MaxSize: n answers, or the default of four times the planned size if n <= 0.
// The budget survives a restart.
func (t ShareTest) WithBudget(n int) ShareTest {
	t.budget = max(0, n)
	return t.tuned(t.Alpha)
}

// WithDispersion returns the test with its counts divided by phi, the overdispersion found by [NewDispersion], as for a
// sample of n/phi independent answers. phi below 1 counts as 1: regular sampling never buys a narrower interval. The
// all-in bet does not use it.
func (t ShareTest) WithDispersion(phi float64) ShareTest {
	t.Dispersion = max(1, phi)
	return t
}

// Restart returns the test for the r-th attempt, at alpha·2^-(r+1) with alpha = 1-Confidence. Whoever throws away what
// was seen and starts again, because the share moved meanwhile, pays with a smaller alpha: over r = 0, 1, 2, … they sum
// to alpha, so that any number of restarts keeps the promise as a whole.
//
// Range: r >= 0; less counts as 0. Example: at 95 %, Restart(0) tests at 0.025 and Restart(2) at 0.00625.
func (t ShareTest) Restart(r int) ShareTest {
	return t.tuned(math.Ldexp(alphaOf(t.Confidence), -(max(0, r) + 1)))
}

// Decide returns the verdict after k answers of the new version among n attributed answers, in scheduled order. It costs
// one or two evaluations of ln M, well below a microsecond, so it may be called after each answer. Impossible counts are
// Inconclusive.
//
// Example: NewShareTest(0.10, 0.05, 0.95).Decide(43, 430) = Pass.
func (t ShareTest) Decide(k, n int) Decision {
	switch {
	case !validCounts(k, n) || t.PlannedSize == 0:
		return Inconclusive
	case t.allIn():
		return t.decideAllIn(k, n)
	}
	if d := t.decideBand(float64(k), float64(n)); d == Fail || d == Pass && n >= t.MinSize && k >= 1 && k < n {
		return d
	}
	return t.open(n)
}

// open returns the decision when neither side has been shown.
func (t ShareTest) open(n int) Decision {
	if n >= t.MaxSize {
		return Inconclusive
	}
	return Continue
}

// decideBand compares ln M at the edges with the threshold; n is a real number so that Remaining can look ahead.
func (t ShareTest) decideBand(k, n float64) Decision {
	if n == 0 {
		return Continue
	}
	threshold := -math.Log(t.Alpha)
	rejects := func(edge float64) bool {
		return logMixture(k/t.Dispersion, n/t.Dispersion, edge, t.Concentration) >= threshold
	}
	switch share := k / n; {
	case share >= t.Band.Hi:
		if rejects(t.Band.Hi) {
			return Fail
		}
	case share <= t.Band.Lo:
		if rejects(t.Band.Lo) {
			return Fail
		}
	default:
		late, early := t.byRejection()
		if rejects(late) && rejects(early) {
			return Pass
		}
	}
	return Continue
}

// byRejection returns the edges of the band, first the one that takes more answers to reject: the one nearer to a half,
// where answers vary more. Until it is rejected a look costs one evaluation of ln M and not two.
func (t ShareTest) byRejection() (late, early float64) {
	if t.Expected > 0.5 {
		return t.Band.Lo, t.Band.Hi
	}
	return t.Band.Hi, t.Band.Lo
}

// allIn reports whether the expected share is certain, 0 or 1.
func (t ShareTest) allIn() bool {
	return t.Expected == 0 || t.Expected == 1
}

// wrong returns how many of n answers contradict a certain share.
func (t ShareTest) wrong(k, n int) int {
	if t.Expected == 0 {
		return k
	}
	return n - k
}

func (t ShareTest) decideAllIn(k, n int) Decision {
	switch {
	case t.wrong(k, n) > 0:
		return Fail
	case n >= t.PlannedSize:
		return Pass
	default:
		return t.open(n)
	}
}

// Interval returns the always-valid interval of the share after k of n answers. It lies inside Band exactly when Decide
// may pass, and beyond an edge exactly when Decide fails (up to the rounding of the last bit).
//
// While a certain share is uncontradicted the interval belongs to the all-in bet: [alpha^(1/n), 1], or its mirror image.
// Once it is contradicted the general interval is shown; each of the two statements holds with probability 1-alpha.
//
// Example: NewShareTest(0.10, 0.05, 0.95).Interval(43, 430) = [0.0611, 0.1489]. Impossible counts give [0, 1].
func (t ShareTest) Interval(k, n int) Interval {
	if !validCounts(k, n) || n == 0 || t.PlannedSize == 0 {
		return everything
	}
	if !t.allIn() {
		return confidenceSequence(float64(k)/t.Dispersion, float64(n)/t.Dispersion, t.Alpha, t.Concentration)
	}
	if t.wrong(k, n) > 0 {
		return ConfidenceSequence(k, n, t.Alpha, t.Concentration)
	}
	excluded := -math.Expm1(math.Log(t.Alpha) / float64(n))
	if t.Expected == 0 {
		return Interval{Lo: 0, Hi: excluded}
	}
	return Interval{Lo: 1 - excluded, Hi: 1}
}

// Remaining returns about how many more answers a verdict needs if the share stays at k/n, 0 if there is one already.
// The budget is not looked at, so that an inconclusive stage can say what it would have taken. Before MinSize answers the
// share is too uncertain to extrapolate and the planned size counts. At most 2^30, when k/n sits on an edge.
//
// Example: NewShareTest(0.10, 0.05, 0.95).Remaining(20, 200) = 214: at 10 % the verdict falls after about 414 answers.
func (t ShareTest) Remaining(k, n int) int {
	t.MaxSize = maxPlan
	switch {
	case t.Decide(k, n) != Continue:
		return 0
	case t.allIn() || n < t.MinSize:
		return max(1, t.PlannedSize-n)
	}
	share := float64(k) / float64(n)
	decided := func(more int) bool {
		total := float64(n + more)
		return t.decideBand(share*total, total) != Continue
	}
	low, high := 0, 1
	for !decided(high) {
		if high >= maxPlan {
			return maxPlan
		}
		low, high = high, 2*high
	}
	for high-low > 1 {
		if middle := low + (high-low)/2; decided(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}
