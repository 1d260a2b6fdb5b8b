package stats

import "math"

// planPower is the probability with which PlanSize expects a share in the middle of the band to be recognised at each
// edge.
const planPower = 0.95

// maxPlan caps every planned number of probes, so that sums and multiples of it stay far from overflow.
const maxPlan = 1 << 30

// LogMixture returns ln M_n(p), the evidence of k hits in n trials against the share p.
//
// M_n(p) is a Beta(m p, m(1-p)) mixture of likelihood ratios,
//
//	M = prod_{i<k} (mp+i)/p · prod_{j<n-k} (m(1-p)+j)/(1-p) / prod_{i<n} (m+i)
//	ln M = lnB(mp+k, m(1-p)+n-k) - lnB(mp, m(1-p)) - k ln p - (n-k) ln(1-p)
//
// a martingale that starts at 1 if p is the true share. By Ville's inequality (1939) it ever reaches 1/alpha with
// probability at most alpha, so "ln M >= ln(1/alpha)" rejects p at any moment one cares to look (Robbins 1970; the
// beta-binomial mixture of Howard, Ramdas, McAuliffe and Sekhon, Annals of Statistics 49, 2021). ln M is convex in p and at
// most 0 at p = k/n.
//
// Ranges: 0 <= k <= n, 0 <= p <= 1, m > 0, else NaN. m is the concentration of the mixture, also called the prior sample
// size; see [Concentration]. A certain share is a claim without evidence against it until it is contradicted: p = 0 gives
// +Inf if k > 0 and p = 1 if k < n, otherwise 0. The absolute error stays below 1e-9 up to n = 1e6.
//
// Example: 6 of 10 failures are the new version's, which gets p = 0.1 of the traffic; with m = 4,
// M = 7707392/78975 = 97.6, ln M = 4.5808 > ln 20 = 2.9957: too many.
func LogMixture(k, n int, p, m float64) float64 {
	return logMixture(float64(k), float64(n), p, m)
}

// logMixture is LogMixture for real counts, which arise when they are divided by a dispersion or scaled to a planned n.
//
// With a = mp, b = m(1-p) and q = (a+k)/(m+n), Stirling's formula in every lnΓ leaves
//
//	ln M = (a+k-1/2) ln(q/p) + (b+n-k-1/2) ln((1-q)/(1-p)) - 1/2 ln(1+n/m) + Stirling errors
//
// an identity, whose terms are as small as the result, while those of the definition grow as n ln n.
func logMixture(k, n, p, m float64) float64 {
	switch {
	case !(k >= 0 && k <= n && p >= 0 && p <= 1 && m > 0) || math.IsInf(n, 1) || math.IsInf(m, 1):
		return math.NaN()
	case p == 0 && k > 0, p == 1 && k < n:
		return math.Inf(1)
	case p == 0, p == 1, n == 0:
		return 0
	}
	a, b := m*p, m*(1-p)
	hits, misses, total := a+k, b+(n-k), m+n
	diff := math.FMA(-n, p, k) / total
	return (hits-0.5)*logRatio(hits/total, p, diff) +
		(misses-0.5)*logRatio(misses/total, 1-p, -diff) -
		0.5*math.Log1p(n/m) +
		stirlingError(hits) + stirlingError(misses) - stirlingError(total) -
		stirlingError(a) - stirlingError(b) + stirlingError(m)
}

// Cost returns C(alpha) = 2 ln(1/alpha) + ln(1 + 2 ln(1/alpha)), the number of prior sample sizes after which the mixture
// is sharpest (Howard et al. 2021, on tuning boundaries, with the Lambert function approximated by a logarithm).
//
// Range: 0 < alpha < 1, else NaN. Example: Cost(0.05) = 7.936154601737565.
func Cost(alpha float64) float64 {
	if !(alpha > 0 && alpha < 1) {
		return math.NaN()
	}
	twice := -2 * math.Log(alpha)
	return twice + math.Log1p(twice)
}

// PlanSize returns n_plan = ceil((z_{1-alpha} + z_{0.95})^2 W(1-W) / delta^2), the number of answers the test of a share W
// (expected) within ±delta (tolerance) is tuned for; z are normal quantiles. It is the classical size of two one-sided
// tests (Schuirmann 1987) and close to the median of the sequential test; most runs end before twice as many.
//
// Ranges: 0 < expected < 1, tolerance > 0, 0 < alpha < 1, all fractions, else 0. At least 1, at most 2^30.
//
// Example: PlanSize(0.10, 0.05, 0.05) = ceil(3.2897^2 · 0.09 / 0.0025) = 390.
func PlanSize(expected, tolerance, alpha float64) int {
	if !(expected > 0 && expected < 1 && tolerance > 0 && alpha > 0 && alpha < 1) {
		return 0
	}
	z := (NormalQuantile(1-alpha) + NormalQuantile(planPower)) / tolerance
	return clampPlan(math.Ceil(z * z * expected * (1 - expected)))
}

// Concentration returns m = max(1, nPlan/C(alpha) - 1), which makes the interval narrowest near nPlan answers. Any m fixed
// beforehand is valid; between a quarter and four times the best, the mean number of probes moves by less than a tenth.
//
// Ranges: nPlan >= 0, 0 < alpha < 1, else NaN. Example: Concentration(390, 0.05) = 390/7.936 - 1 = 48.14.
func Concentration(nPlan int, alpha float64) float64 {
	if nPlan < 0 {
		return math.NaN()
	}
	return math.Max(1, float64(nPlan)/Cost(alpha)-1)
}

// clampPlan turns a computed number of probes into an int from 1 to maxPlan; NaN becomes maxPlan.
func clampPlan(n float64) int {
	if !(n < maxPlan) {
		return maxPlan
	}
	return max(1, int(n))
}
