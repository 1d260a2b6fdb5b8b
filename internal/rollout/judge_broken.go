package rollout

import "github.com/org/l4-canary/internal/stats"

// brokenLimit is the share of failed flows above which a version does not serve.
const brokenLimit = 0.5

// Broken reports whether it is proven on some port that more than half of the
// canary's flows fail. Flows that say whose they are count as they are; of the
// others the canary's part is what the baseline does not explain: with a share w
// of the flows, a fraction p of all flows failing and p0 before the rollout, its
// own fraction is (p - (1-w)·p0) / w. Example: w = 10 %, p = 9 %, p0 = 0: 90 %.
// The lower bound of p and the upper one of p0 are taken.
func (j *Judge) Broken() bool {
	if j.options.Expected == nil || *j.options.Expected <= 0 {
		return false
	}
	w, confidence := min(j.options.Expected.Fraction(), 1), j.options.Confidence.Fraction()
	for i, p := range j.ports {
		g := p.gates
		if g.probesNew > 0 && stats.RateInterval(g.failedNew, g.probesNew, confidence).Lo > brokenLimit {
			return true
		}
		if j.options.Baseline == nil || i >= len(j.options.Baseline.Ports) || g.flows == 0 {
			continue
		}
		before := j.options.Baseline.Ports[i]
		was := 1.0
		if before.Flows > 0 {
			was = stats.RateInterval(before.Failed, before.Flows, confidence).Hi
		}
		if (stats.RateInterval(g.failed, g.flows, confidence).Lo-(1-w)*was)/w > brokenLimit {
			return true
		}
	}
	return false
}
