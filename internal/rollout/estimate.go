package rollout

import (
	"math"
	"slices"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/stats"
)

// Estimate is what a stage is likely to take, and what it takes at most if its pods
// start as they usually do.
type Estimate struct {
	Probes, MaxProbes int // over all ports
	Time, MaxTime     time.Duration
}

// plus is the sum of two estimates.
func (e Estimate) plus(other Estimate) Estimate {
	return Estimate{e.Probes + other.Probes, e.MaxProbes + other.MaxProbes, e.Time + other.Time, e.MaxTime + other.MaxTime}
}

// Forecast are the estimates of a plan.
type Forecast struct {
	Baseline Estimate
	Stages   []Estimate // as the plan's
	Finish   Estimate   // bake, and the second move of adopt
}

// Total is the whole run.
func (f Forecast) Total() Estimate {
	total := f.Baseline.plus(f.Finish)
	for _, stage := range f.Stages {
		total = total.plus(stage)
	}
	return total
}

// Forecast estimates a plan. start is how long a pod usually takes until it is ready;
// with 0 the times hold without that. Every batch of a move waits for its pods to
// start, or to drain.
//
// Example: the stage 9+1 of ten pods, at 50 flows a second on one port, with pods that
// start in 4 s, a settle time of 5 s and a drain of 30 s: 390 probes in 8 s, one pod
// to come and one to leave, 47 s in all.
func (o Options) Forecast(plan Plan, start time.Duration) Forecast {
	var f Forecast
	ports := max(len(o.Ports), 1)
	f.Baseline = o.sampling(baselineFlows*ports, baselineFlows*ports)
	now := counts{stable: plan.Replicas}
	for _, stage := range plan.Stages {
		test := o.shareTest(stage)
		goal := counts{stage.Stable, stage.Canary}
		estimate := o.sampling(min(test.PlannedSize, test.MaxSize)*ports, test.MaxSize*ports).
			plus(both(o.moving(now, goal, start) + o.Settle)).plus(o.resting(o.Pauses[stage.Target]))
		estimate.MaxTime += o.Propagation
		f.Stages = append(f.Stages, estimate)
		now = goal
	}
	f.Finish = o.resting(o.Bake)
	if o.Mode == Single && o.Finish == Adopt {
		f.Finish = f.Finish.plus(both(o.moving(now, counts{stable: plan.Replicas}, start)))
	}
	return f
}

// shareTest is the test of a stage's share on one port.
func (o Options) shareTest(stage PlannedStage) stats.ShareTest {
	return stats.NewShareTest(stage.Planned.Fraction(), o.Tolerance.Fraction(), o.Confidence.Fraction()).WithBudget(o.MaxProbes)
}

// LongestSampling is how long the stage that needs the most flows is likely to be
// sampled, were it not for StageTimeout: longer than that, and it ends inconclusive.
func (o Options) LongestSampling(plan Plan) time.Duration {
	unlimited := o
	unlimited.StageTimeout = 0
	longest := time.Duration(0)
	for _, stage := range plan.Stages {
		test := o.shareTest(stage)
		flows := min(test.PlannedSize, test.MaxSize) * max(len(o.Ports), 1)
		longest = max(longest, unlimited.sampling(flows, flows).Time)
	}
	return longest
}

// both is a time that is the same at best and at most.
func both(d time.Duration) Estimate { return Estimate{Time: d, MaxTime: d} }

// resting is a pause or bake, in which a tenth of the flows go on.
func (o Options) resting(d time.Duration) Estimate {
	rate := o.Rate / QuietPart
	if len(o.Ports) > 0 {
		rate = sum(probe.PortRates(rate, o.Ports))
	}
	probes := int(rate * d.Seconds())
	return Estimate{Probes: probes, MaxProbes: probes, Time: d, MaxTime: d}
}

// QuietPart is of what the rate in pauses and bake is one part.
const QuietPart = 10

// sampling is how long so many flows take at the rate, as many on each port. A port
// that allows fewer a second has the others go on until it has had its own.
func (o Options) sampling(likely, most int) Estimate {
	if o.Rate <= 0 {
		return Estimate{Probes: likely, MaxProbes: most}
	}
	rate, slower := o.Rate, 1.0
	if len(o.Ports) > 0 {
		rates := probe.PortRates(o.Rate, o.Ports)
		rate = slices.Min(rates) * float64(len(rates))
		slower = sum(rates) / rate
	}
	seconds := func(flows int) time.Duration { return time.Duration(float64(flows) / rate * float64(time.Second)) }
	probes := func(flows int) int { return int(math.Round(slower * float64(flows))) }
	e := Estimate{Probes: probes(likely), MaxProbes: probes(most), Time: seconds(likely), MaxTime: seconds(most)}
	if o.StageTimeout > 0 {
		e.MaxTime = min(e.MaxTime, o.StageTimeout)
	}
	return e
}

func sum(numbers []float64) float64 {
	total := 0.0
	for _, n := range numbers {
		total += n
	}
	return total
}

// moving is how long the batches of a move take.
func (o Options) moving(now, goal counts, start time.Duration) time.Duration {
	var took time.Duration
	for now != goal {
		next, err := o.Plan.next(now, goal, now.total())
		if err != nil {
			return took // the plan says so itself
		}
		switch leaving := o.leaving(now, next); {
		case next.total() > now.total():
			took += start
		case leaving == Terminate:
			took += o.Drain
		default:
			took += o.parkedFor()
		}
		now = next
	}
	return took
}

// leaving is how the pods of the side that shrinks leave.
func (o Options) leaving(now, next counts) Removal {
	if next.canary < now.canary {
		return o.Removals.Canary
	}
	return o.Removals.Stable
}
