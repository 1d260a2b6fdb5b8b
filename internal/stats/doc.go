// Package stats judges a canary by counting: which version answered, how often it failed, how slow it was.
//
// # The verdict
//
// A stage promises the new version a share of the traffic, the expected share w*, say 10 %. Probes are sent, each is
// answered by the old or the new version, and after n answers k came from the new one. The question is never "is the
// share exactly 10 %?" (no experiment can show that) but "is it inside the band 10 % ± tolerance?". [ShareTest] answers
//
//	pass          the always-valid interval around k/n lies inside the band
//	fail          the interval lies outside the band
//	continue      it straddles an edge: send more probes
//	inconclusive  it still straddles an edge and the budget is spent
//
// The interval is a confidence sequence: with probability 1-alpha it covers the true share at every n at once, so one may
// look after every single answer and stop whenever one likes. An ordinary 95 % interval does not allow that: watched
// after every answer it promotes a share that sits exactly on the edge one time in five; this one does so at most one
// time in twenty, and about one time in a hundred in practice.
//
//	t := stats.NewShareTest(0.10, 0.05, 0.95) // 10 % ± 5 points, 95 %: band 5 %..15 %
//	t.Decide(43, 430)                         // pass: ln M is 6.68 at 5 % and 3.16 at 15 %, both over ln 20 = 3.00
//	t.Decide(11, 100)                         // continue
//	t.Decide(120, 300)                        // fail: 40 % is far above the band
//
// # The other gates
//
// The same statistic asks whether the new version owns more than its share of the failures ([AttributedGate]), or of the
// slow answers ([SlowThreshold]); whether all failures exceed what the baseline showed ([BaselineGate]); and whether a
// version keeps a promised ceiling ([CeilingGate]). The rest describes: runs, dispersion, rank tests and classical
// intervals are printed beside the verdict and warn when the sampling itself is odd; they do not decide. [EquivalenceP],
// [DifferenceInterval] and [DesignEffect] are what one checks a sample by afterwards: no report prints them.
//
// # Conventions
//
// Shares, rates and confidences are fractions from 0 to 1. Everything is a plain value and every function is pure: no
// clock, no randomness, no logging. Arguments that make no sense (more hits than trials, a share of 2) never decide and
// never panic: a number becomes NaN, an interval [0, 1], a decision [Inconclusive].
package stats
