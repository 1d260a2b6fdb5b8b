package stats

import "math"

// NormalQuantile returns z with P(Z <= z) = q for a standard normal Z: sqrt(2) erfinv(2q-1).
//
// Range: 0 < q < 1; 0 and 1 give -Inf and +Inf, anything else NaN. Example: NormalQuantile(0.975) = 1.959963984540054.
func NormalQuantile(q float64) float64 {
	return math.Sqrt2 * math.Erfinv(2*q-1)
}

// NormalUpperTail returns P(Z > z) for a standard normal Z, accurate far into the tail.
//
// Example: NormalUpperTail(3) = 0.001349898.
func NormalUpperTail(z float64) float64 {
	return math.Erfc(z/math.Sqrt2) / 2
}

// alphaOf returns 1-confidence without the binary dust of the subtraction, so that 0.95 gives 0.05 exactly; NaN unless
// the confidence lies strictly between 0 and 1.
func alphaOf(confidence float64) float64 {
	if !(confidence > 0 && confidence < 1) {
		return math.NaN()
	}
	alpha := 1 - confidence
	if rounded := math.Round(alpha*1e12) / 1e12; rounded > 0 && rounded < 1 {
		return rounded
	}
	return alpha
}
