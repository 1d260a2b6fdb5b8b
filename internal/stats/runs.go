package stats

import "math"

// Pattern says how a sequence of versions departs from independent draws.
type Pattern string

const (
	// Independent is a sequence without a conspicuous number of runs.
	Independent Pattern = "independent"
	// Alternating has too many runs, as round-robin gives; the intervals are then wider than they need to be.
	Alternating Pattern = "alternating"
	// Clustered has too few runs, as stickiness or hashing gives.
	Clustered Pattern = "clustered"
)

const (
	// runsLimit is the |z| from which a sequence is conspicuous, 1 in 370 of independent ones.
	runsLimit = 3
	// overdispersionLevel is the p-value below which Dispersion.Correction divides the counts.
	overdispersionLevel = 0.01
)

// Runs is the runs test of Wald and Wolfowitz (Annals of Mathematical Statistics 11, 1940) on the sequence of versions in
// scheduled order.
type Runs struct {
	New  int     // answers of the new version, a
	Old  int     // answers of the old version, b
	Runs int     // maximal stretches of equal answers, R
	Mean float64 // 1 + 2ab/n if the order is random
	SD   float64 // sqrt(2ab(2ab-n) / (n²(n-1)))
	Z    float64 // (R-Mean)/SD; NaN if the sequence has no freedom, as a constant one
}

// NewRuns counts the runs of a sequence, true for an answer of the new version.
//
// Example: true, true, false, true has 3 runs, mean 2.5 and z = 1.
func NewRuns(sequence []bool) Runs {
	hits, runs := 0, 0
	for i, isNew := range sequence {
		if isNew {
			hits++
		}
		if i == 0 || isNew != sequence[i-1] {
			runs++
		}
	}
	return RunsFromCounts(hits, len(sequence)-hits, runs)
}

// RunsFromCounts returns the test for a answers of the new and b of the old version in r runs.
//
// Ranges: a, b >= 0, else Mean, SD and Z are NaN. Example: RunsFromCounts(100, 100, 120) has mean 101, SD 7.0533 and
// z = 2.6938.
func RunsFromCounts(a, b, r int) Runs {
	if a < 0 || b < 0 || a+b == 0 {
		return Runs{New: a, Old: b, Runs: r, Mean: math.NaN(), SD: math.NaN(), Z: math.NaN()}
	}
	n, twice := float64(a)+float64(b), 2*float64(a)*float64(b)
	t := Runs{New: a, Old: b, Runs: r, Mean: 1 + twice/n, Z: math.NaN()}
	if a > 0 && b > 0 && a+b > 2 {
		t.SD = math.Sqrt(twice * (twice - n) / (n * n * (n - 1)))
		t.Z = (float64(r) - t.Mean) / t.SD
	}
	return t
}

// Pattern reads the test: z > 3 is Alternating, z < -3 Clustered, all else Independent.
func (t Runs) Pattern() Pattern {
	switch {
	case t.Z > runsLimit:
		return Alternating
	case t.Z < -runsLimit:
		return Clustered
	default:
		return Independent
	}
}

// Dispersion compares the scatter of the share over consecutive batches with that of independent draws.
type Dispersion struct {
	Phi       float64 // ChiSquare/DF: 1 for independent draws, larger if they cluster, smaller if they take turns
	ChiSquare float64 // sum (k_j - n_j p)² / (n_j p (1-p))
	DF        int     // batches less one
	PHigh     float64 // probability of as much scatter or more by chance
	PLow      float64 // probability of as little scatter or less by chance
}

// NewDispersion tests hits[j] answers of the new version among sizes[j] in batch j against the pooled share. Empty batches
// are left out. With fewer than two batches, slices of unequal length, impossible counts or a constant sequence every
// number is NaN and DF is 0.
//
// Example: batches of 100 with 9, 12, 8, 11, 10, 7, 13, 10, 9, 11 have a chi-square of 3.33, phi 0.37, PHigh 0.95.
func NewDispersion(hits, sizes []int) Dispersion {
	none := Dispersion{Phi: math.NaN(), ChiSquare: math.NaN(), PHigh: math.NaN(), PLow: math.NaN()}
	if len(hits) != len(sizes) {
		return none
	}
	k, n, batches := 0, 0, 0
	for j, size := range sizes {
		if !validCounts(hits[j], size) {
			return none
		}
		k, n = k+hits[j], n+size
		if size > 0 {
			batches++
		}
	}
	if batches < 2 || k == 0 || k == n {
		return none
	}
	d := Dispersion{DF: batches - 1}
	p := float64(k) / float64(n)
	for j, size := range sizes {
		if size > 0 {
			excess := float64(hits[j]) - float64(size)*p
			d.ChiSquare += excess * excess / (float64(size) * p * (1 - p))
		}
	}
	d.Phi = d.ChiSquare / float64(d.DF)
	d.PHigh = ChiSquareUpperTail(d.ChiSquare, float64(d.DF))
	d.PLow = ChiSquareLowerTail(d.ChiSquare, float64(d.DF))
	return d
}

// Correction returns the number to pass to [ShareTest.WithDispersion]: phi if the scatter is too large for chance at 1 %,
// otherwise 1. It is never below 1, for regular sampling must not narrow an interval.
func (d Dispersion) Correction() float64 {
	if d.PHigh < overdispersionLevel {
		return max(1, d.Phi)
	}
	return 1
}

// Batches cuts a sequence into count consecutive batches of sizes that differ by at most one, and returns the answers of
// the new version (true) and the size of each: both slices have length count, which is at least 1.
//
// Example: five answers in two batches have sizes 2 and 3.
func Batches(sequence []bool, count int) (hits, sizes []int) {
	count = max(1, count)
	hits, sizes = make([]int, count), make([]int, count)
	for j := range count {
		batch := sequence[j*len(sequence)/count : (j+1)*len(sequence)/count]
		sizes[j] = len(batch)
		for _, isNew := range batch {
			if isNew {
				hits[j]++
			}
		}
	}
	return hits, sizes
}
