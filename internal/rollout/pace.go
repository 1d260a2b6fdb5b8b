package rollout

import (
	"time"

	"github.com/org/l4-canary/internal/stats"
)

// LongestSampling is how long the stage that needs the most flows is likely to be
// sampled, were it not for StageTimeout: longer than that, and it ends inconclusive.
func (o Options) LongestSampling(plan Plan) time.Duration {
	unlimited := o
	unlimited.StageTimeout = 0
	longest := time.Duration(0)
	for _, stage := range plan.Stages {
		test := stats.NewShareTest(stage.Planned.Fraction(), o.Tolerance.Fraction(), o.Confidence.Fraction()).WithBudget(o.MaxProbes)
		flows := min(test.PlannedSize, test.MaxSize) * max(len(o.Ports), 1)
		longest = max(longest, unlimited.sampling(flows, flows).Time)
	}
	return longest
}
