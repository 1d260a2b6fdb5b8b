package main

import (
	"math"

	"github.com/org/l4-canary/internal/stats"
)

// rule decides after k answers of the canary among n.
type rule func(k, n int) stats.Decision

// ruling is a rule as a table, for every n up to where it ends.
//
// A rule that looks after every answer costs two mixtures a look. But at one n its
// decisions lie in order along k (fail, open, pass, open, fail: ln M is convex, so
// an interval of shares is what it leaves), and from n to n+1 the borders move by
// an answer or so. So the rule itself is asked along the borders once, and a look
// becomes four comparisons. Nothing is rounded: [ruling.says] is the rule, and
// every simulated stage asks the rule again where it ended.
type ruling []look

// look is what a rule says at one n: fail up to failLow and from failHigh on, pass
// from passLow to passHigh (none if passLow > passHigh), open elsewhere.
type look struct{ failLow, passLow, passHigh, failHigh int32 }

// newRuling asks a rule up to limit answers; it passes only within the band.
func newRuling(ask rule, band stats.Interval, limit int) ruling {
	table := make(ruling, limit+1)
	table[0] = look{failLow: -1, passLow: 1, passHigh: 0, failHigh: 1}
	for n := 1; n <= limit; n++ {
		table[n] = table[n-1].next(ask, band, int32(n))
	}
	return table
}

// says is the decision after k of n answers; where the rule ends is not its concern.
func (r ruling) says(k, n int) stats.Decision {
	switch l, k := r[n], int32(k); {
	case k <= l.failLow, k >= l.failHigh:
		return stats.Fail
	case l.passLow <= k && k <= l.passHigh:
		return stats.Pass
	}
	return stats.Continue
}

// open reports whether the rule goes on.
func (l look) open(k int32) bool {
	return k > l.failLow && k < l.failHigh && (k < l.passLow || k > l.passHigh)
}

// next moves the borders to n answers.
func (l look) next(ask rule, band stats.Interval, n int32) look {
	fails := func(k int32) bool { return ask(int(k), int(n)) == stats.Fail }
	for l.failLow >= 0 && !fails(l.failLow) {
		l.failLow--
	}
	for l.failLow < n && fails(l.failLow+1) {
		l.failLow++
	}
	for l.failHigh++; l.failHigh <= n && !fails(l.failHigh); {
		l.failHigh++
	}
	for l.failHigh > l.failLow+1 && fails(l.failHigh-1) {
		l.failHigh--
	}
	passes := func(k int32) bool { return ask(int(k), int(n)) == stats.Pass }
	return l.passing(passes, band, n)
}

// passing moves the inner borders, from where they were, or from any k in the band.
func (l look) passing(passes func(int32) bool, band stats.Interval, n int32) look {
	middle := (l.passLow + l.passHigh + 1) / 2
	if l.passLow > l.passHigh || !passes(middle) {
		middle, l.passHigh = int32(math.Floor(band.Lo*float64(n))), int32(math.Ceil(band.Hi*float64(n)))
		for middle <= l.passHigh && !passes(middle) {
			middle++
		}
		if middle > l.passHigh {
			l.passLow, l.passHigh = 1, 0
			return l
		}
		l.passLow, l.passHigh = middle, middle
	}
	for !passes(l.passLow) {
		l.passLow++
	}
	for l.passLow > 0 && passes(l.passLow-1) {
		l.passLow--
	}
	for l.passHigh++; !passes(l.passHigh); {
		l.passHigh--
	}
	for l.passHigh < n && passes(l.passHigh+1) {
		l.passHigh++
	}
	return l
}
