package stats

import "math"

// ChiSquareUpperTail returns P(X > x) for X chi-square distributed with df degrees of freedom, Q(df/2, x/2), with a small
// relative error even far in the tail.
//
// Ranges: x >= 0, df > 0, else NaN. Example: ChiSquareUpperTail(3.841458821, 1) = 0.05.
func ChiSquareUpperTail(x, df float64) float64 {
	_, upper := incompleteGamma(df/2, x/2)
	return upper
}

// ChiSquareLowerTail returns P(X <= x) for X chi-square distributed with df degrees of freedom.
//
// Ranges: x >= 0, df > 0, else NaN. Example: ChiSquareLowerTail(3.333333, 9) = 0.0504.
func ChiSquareLowerTail(x, df float64) float64 {
	lower, _ := incompleteGamma(df/2, x/2)
	return lower
}

// incompleteGamma returns the regularised incomplete gamma functions P(a, x) and Q(a, x) = 1-P: the series below the
// mean, the continued fraction above it (Numerical Recipes, section 6.2), so that the smaller of the two keeps its digits.
func incompleteGamma(a, x float64) (lower, upper float64) {
	switch {
	case !(a > 0 && x >= 0):
		return math.NaN(), math.NaN()
	case x == 0:
		return 0, 1
	case math.IsInf(x, 1):
		return 1, 0
	}
	// x^a e^-x / Γ(a), with Stirling's formula taken out.
	factor := math.Exp(a*logRatio(x, a, x-a) - (x - a) + 0.5*math.Log(a) - halfLogTwoPi - stirlingError(a))
	if x < a+1 {
		lower = factor * gammaSeries(a, x)
		return lower, 1 - lower
	}
	upper = factor * gammaFraction(a, x)
	return 1 - upper, upper
}

// gammaSeries returns sum_{i>=0} x^i / (a (a+1) … (a+i)).
func gammaSeries(a, x float64) float64 {
	term := 1 / a
	sum := term
	for i := 1; i <= seriesLimit && term > sum*seriesEps; i++ {
		term *= x / (a + float64(i))
		sum += term
	}
	return sum
}

// gammaFraction returns the continued fraction of Q(a, x) by Lentz's method.
func gammaFraction(a, x float64) float64 {
	b := x + 1 - a
	c, d := 1/seriesTiny, 1/nonzero(b)
	h := d
	for i := 1; i <= seriesLimit; i++ {
		f := float64(i)
		numerator := -f * (f - a)
		b += 2
		d = 1 / nonzero(numerator*d+b)
		c = nonzero(b + numerator/c)
		h *= d * c
		if math.Abs(d*c-1) < seriesEps {
			break
		}
	}
	return h
}

// Homogeneity tests whether several counts share one rate, for example the answers of each pod (Pearson 1900): counts[i]
// is compared with the same part of the total for all i. It returns the statistic sum (k_i-e)²/e and its upper tail with
// len(counts)-1 degrees of freedom, NaN and NaN with fewer than two counts, without any answer, or if a count is negative.
//
// Example: Homogeneity([]int{30, 20, 10}) = 10, p = 0.0067.
func Homogeneity(counts []int) (chiSquare, p float64) {
	total := 0
	for _, k := range counts {
		if k < 0 {
			return math.NaN(), math.NaN()
		}
		total += k
	}
	if len(counts) < 2 || total == 0 {
		return math.NaN(), math.NaN()
	}
	expected := float64(total) / float64(len(counts))
	for _, k := range counts {
		chiSquare += (float64(k) - expected) * (float64(k) - expected) / expected
	}
	return chiSquare, ChiSquareUpperTail(chiSquare, float64(len(counts)-1))
}
