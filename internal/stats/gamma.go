package stats

import "math"

// halfLogTwoPi is ln(2π)/2.
const halfLogTwoPi = 0.91893853320467274178032973640562

// stirlingError returns lnΓ(x) - [(x-1/2) ln x - x + ln(2π)/2] for x > 0, the error of Stirling's formula.
//
// Differences of lnΓ at large arguments lose every digit the arguments have in common; written with this correction the
// large terms cancel on paper instead (C. Loader, Fast and Accurate Computation of Binomial Probabilities, 2000).
// For x >= 10 the series of Abramowitz & Stegun 6.1.41 is exact to double precision.
//
// Example: stirlingError(1) = 1 - ln(2π)/2 = 0.0810614668.
func stirlingError(x float64) float64 {
	if x < 10 {
		lg, _ := math.Lgamma(x)
		return lg - ((x-0.5)*math.Log(x) - x + halfLogTwoPi)
	}
	r := 1 / (x * x)
	series := 1.0 / 156
	for _, c := range [...]float64{-691.0 / 360360, 1.0 / 1188, -1.0 / 1680, 1.0 / 1260, -1.0 / 360, 1.0 / 12} {
		series = series*r + c
	}
	return series / x
}

// logRatio returns ln(num/den) given diff = num-den, without losing digits when num and den are close.
func logRatio(num, den, diff float64) float64 {
	if r := diff / den; math.Abs(r) < 0.5 {
		return math.Log1p(r)
	}
	return math.Log(num / den)
}
