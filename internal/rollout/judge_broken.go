package rollout

import "github.com/org/l4-canary/internal/stats"

// brokenLimit is the share of failed flows above which a version does not serve.
const brokenLimit = 0.5

// Broken reports whether most flows of the canary fail: whether the lower bound of
// the share that fails is above a half on some port. Flows that say whose they are
// count as they are; of the others the canary's part is what the baseline does not
// explain: with a share w of the flows, a fraction p of all flows failing and p0
// before the rollout, its own fraction is (p - (1-w)·p0) / w. Example: w = 10 %,
// p = 9 %, p0 = 0: 90 %. The lower bound of p and the upper one of p0 are taken.
//
// The bounds are Wilson's: a stage ends with the first few failures that prove
// anything, and this only decides whether such a canary is worth keeping.
func (j *Judge) Broken() bool {
	if j.options.Expected == nil || *j.options.Expected <= 0 {
		return false
	}
	w, confidence := min(j.options.Expected.Fraction(), 1), j.options.Confidence.Fraction()
	for i, p := range j.ports {
		g := p.gates
		if stats.Wilson(g.failedNew, g.probesNew, confidence).Lo > brokenLimit {
			return true
		}
		if j.options.Baseline == nil || i >= len(j.options.Baseline.Ports) {
			continue
		}
		before := j.options.Baseline.Ports[i]
		now, was := stats.Wilson(g.failed, g.flows, confidence), stats.Wilson(before.Failed, before.Flows, confidence)
		if (now.Lo-(1-w)*was.Hi)/w > brokenLimit {
			return true
		}
	}
	return false
}
