package stats

import "math"

const (
	seriesLimit = 100_000 // terms of a continued fraction; about the square root of the largest argument is enough
	seriesTiny  = 1e-300  // replaces a zero denominator in Lentz's method
	seriesEps   = 1e-15   // relative change at which a fraction has converged
)

// RegularizedBeta returns I_x(a, b), the distribution function of Beta(a, b) at x, by the continued fraction of DLMF
// 8.17.22 evaluated with Lentz's method (Numerical Recipes, section 6.4).
//
// Ranges: a > 0, b > 0, 0 <= x <= 1, else NaN. The relative error stays below 1e-10 up to a+b = 1e6.
//
// Example: I_0.1(2, 3) = 0.0523, the probability of two or more hits in four trials at 10 %.
func RegularizedBeta(x, a, b float64) float64 {
	switch {
	case !(a > 0 && b > 0 && x >= 0 && x <= 1):
		return math.NaN()
	case x == 0 || x == 1:
		return x
	case x > (a+1)/(a+b+2): // converges quickly only on the other side of the mean
		return 1 - betaFraction(1-x, x, b, a)
	}
	return betaFraction(x, 1-x, a, b)
}

// betaFraction returns I_x(a, b) for x below the mean, y = 1-x: the factor x^a y^b / (a B(a, b)), with Stirling's formula
// taken out as in logMixture, times the fraction.
func betaFraction(x, y, a, b float64) float64 {
	total := a + b
	diff := math.FMA(-total, x, a) / total
	logFactor := -a*logRatio(a/total, x, diff) - b*logRatio(b/total, y, -diff) +
		0.5*math.Log(a*b/total) - halfLogTwoPi +
		stirlingError(total) - stirlingError(a) - stirlingError(b)
	c, d := 1.0, 1/nonzero(1-total*x/(a+1))
	h := d
	for i := 1; i <= seriesLimit; i++ {
		f := float64(i)
		even := f * (b - f) * x / ((a + 2*f - 1) * (a + 2*f))
		d = 1 / nonzero(1+even*d)
		c = nonzero(1 + even/c)
		h *= d * c
		odd := -(a + f) * (total + f) * x / ((a + 2*f) * (a + 2*f + 1))
		d = 1 / nonzero(1+odd*d)
		c = nonzero(1 + odd/c)
		h *= d * c
		if math.Abs(d*c-1) < seriesEps {
			break
		}
	}
	return math.Exp(logFactor) * h / a
}

// nonzero keeps Lentz's method from dividing by zero.
func nonzero(v float64) float64 {
	if math.Abs(v) < seriesTiny {
		return seriesTiny
	}
	return v
}

// BinomialAtLeast returns P(X >= k) of n trials with probability p each: I_p(k, n-k+1).
//
// Ranges: n >= 0, 0 <= p <= 1, else NaN; any k. Example: BinomialAtLeast(2, 4, 0.1) = 0.0523.
func BinomialAtLeast(k, n int, p float64) float64 {
	switch {
	case n < 0 || !(p >= 0 && p <= 1):
		return math.NaN()
	case k <= 0:
		return 1
	case k > n:
		return 0
	}
	return RegularizedBeta(p, float64(k), float64(n-k)+1)
}

// BinomialAtMost returns P(X <= k) of n trials with probability p each, without the loss of digits of a subtraction.
//
// Ranges: n >= 0, 0 <= p <= 1, else NaN; any k. Example: BinomialAtMost(1, 4, 0.1) = 0.9477.
func BinomialAtMost(k, n int, p float64) float64 {
	return BinomialAtLeast(n-k, n, 1-p)
}
