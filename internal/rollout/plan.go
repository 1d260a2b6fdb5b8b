package rollout

import (
	"fmt"
	"math"
	"strconv"
)

// whole is the denominator of a target weight: millionths, so that 12.5 % and
// even 0.0001 % are exact integers and no comparison below needs a float.
const whole = 1_000_000

// PlanOptions are the bounds that a plan keeps.
type PlanOptions struct {
	Replicas       int       // R: pods that serve before the rollout, at least 1
	MaxSurge       int       // S: pods above R at any instant
	MaxUnavailable int       // U: pods below R at any instant, less than R or R itself
	Steps          []Percent // rising target weights in (0, 100]; nil finds them (auto)
	MaxWeightError Percent   // between a target and what pods can give; only for Steps that were written
}

// Plan is the stage table. With Problems it must not be carried out.
type Plan struct {
	Replicas       int
	MaxSurge       int
	MaxUnavailable int
	Stages         []PlannedStage
	Problems       []string
}

// PlannedStage is one target weight and the pods that come nearest to it.
type PlannedStage struct {
	Target  Percent
	Stable  int
	Canary  int
	Planned Percent // Canary over Stable + Canary
	Error   Percent // |Planned - Target|
}

// autoTargets are the weights that steps: auto looks for, before the 100 that
// ends every rollout.
var autoTargets = [...]Percent{10, 25, 50}

// NewPlan finds the pod counts of every stage.
//
// A stage below 100 % has o stable and n canary pods, both at least 1, and
// T = o + n pods in all with R-U <= T <= R+S. For one T the best n is w·T rounded
// down or up, so trying every T finds the optimum:
//
//	R=10 S=3  10 % → 9+1   T=10, exact
//	R=10 S=1  25 % → 8+3   T=11, 27.3 %: nearer than 3/10 = 30 % and 2/10 = 20 %
//	R=4  S=1  33 % → 3+2   T=5, 40 %: nearer than 1/4 = 25 %; 1/3 would need U=1
//	R=4  S=1  U=1  33 % → 2+1   T=3, 33.3 %
//	R=1  S=4  80 % → 1+4   the seed's last split
//	R=1  S=0  50 % → none: one pod cannot be split
//
// Ties go to the T nearest to R, then to T >= R, then to fewer canaries. 100 %
// is 0+R. A stage never has fewer canaries than the one before it.
func NewPlan(o PlanOptions) Plan {
	plan := Plan{Replicas: o.Replicas, MaxSurge: o.MaxSurge, MaxUnavailable: o.MaxUnavailable}
	if plan.Problems = o.problems(); len(plan.Problems) > 0 {
		return plan
	}
	targets := o.Steps
	if targets == nil {
		targets = o.autoSteps()
	}
	fewest := 1
	for _, target := range targets {
		stage, ok := o.stage(target, fewest)
		if !ok {
			plan.Problems = append(plan.Problems, o.unreachable(target))
			continue
		}
		plan.Problems = append(plan.Problems, o.check(stage, plan.Stages)...)
		plan.Stages = append(plan.Stages, stage)
		fewest = stage.Canary
	}
	return plan
}

// problems are the bounds that no plan can keep.
func (o PlanOptions) problems() []string {
	var problems []string
	if o.Replicas < 1 {
		problems = append(problems, fmt.Sprintf("replicas is %d: a rollout needs at least 1 serving pod", o.Replicas))
	}
	if o.MaxSurge < 0 {
		problems = append(problems, fmt.Sprintf("max-surge is %d: allowed are 0 and more", o.MaxSurge))
	}
	if o.MaxUnavailable < 0 || o.MaxUnavailable > max(o.Replicas, 0) {
		problems = append(problems, fmt.Sprintf("max-unavailable is %d: allowed are 0 to replicas (%d)", o.MaxUnavailable, o.Replicas))
	}
	if o.MaxSurge == 0 && o.MaxUnavailable == 0 {
		problems = append(problems, "max-surge and max-unavailable are both 0: no pod could ever be replaced; allow at least 1 of either")
	} else if o.Replicas == 1 && o.MaxSurge == 0 {
		problems = append(problems, "replicas 1 and max-surge 0 allow one pod at a time: two are needed to split anything; allow a max-surge of at least 1")
	}
	previous := Percent(0)
	for _, target := range o.Steps {
		if target <= 0 || target > 100 {
			problems = append(problems, fmt.Sprintf("steps has %s: allowed are weights above 0 up to 100", target))
		}
		if target <= previous {
			problems = append(problems, fmt.Sprintf("steps has %s after %s: weights must rise", target, previous))
		}
		previous = target
	}
	return problems
}

// autoSteps are the distinct weights nearest to 10, 25 and 50 that the bounds
// can give, then 100.
func (o PlanOptions) autoSteps() []Percent {
	var steps []Percent
	fewest, last := 1, Percent(0)
	for _, target := range autoTargets {
		stage, ok := o.stage(target, fewest)
		// Named by what it gives: 33.3333, not the 25 it is nearest to.
		weight := Percent(math.Round(float64(stage.Planned)*1e4) / 1e4)
		if !ok || weight <= last {
			continue
		}
		steps = append(steps, weight)
		last, fewest = weight, stage.Canary
	}
	return append(steps, 100)
}

// stage finds the counts for one target with at least fewest canaries.
func (o PlanOptions) stage(target Percent, fewest int) (PlannedStage, bool) {
	if target == 100 {
		return newStage(target, split{canary: o.Replicas, total: o.Replicas}), true
	}
	weight := millionths(target)
	var best split
	for total := max(2, o.Replicas-o.MaxUnavailable); total <= o.Replicas+o.MaxSurge; total++ {
		for _, canary := range candidates(weight, total) {
			s := split{canary: canary, total: total}
			if canary >= fewest && (best.total == 0 || o.better(s, best, weight)) {
				best = s
			}
		}
	}
	return newStage(target, best), best.total > 0
}

// better reports whether a beats b for a weight, ties broken as NewPlan says.
func (o PlanOptions) better(a, b split, weight int) bool {
	if d := compareErrors(a, b, weight); d != 0 {
		return d < 0
	}
	if da, db := abs(a.total-o.Replicas), abs(b.total-o.Replicas); da != db {
		return da < db
	}
	if (a.total >= o.Replicas) != (b.total >= o.Replicas) {
		return a.total >= o.Replicas
	}
	return a.canary < b.canary
}

// check judges a stage against max-weight-error and the stage before it.
func (o PlanOptions) check(stage PlannedStage, before []PlannedStage) []string {
	if n := len(before); n > 0 && before[n-1].Stable == stage.Stable && before[n-1].Canary == stage.Canary {
		return []string{fmt.Sprintf("steps %s and %s both come to %d+%d pods: leave one out, or allow more pods",
			before[n-1].Target, stage.Target, stage.Stable, stage.Canary)}
	}
	if o.Steps != nil && stage.Error > o.MaxWeightError {
		return []string{fmt.Sprintf("step %s comes to %s with %d+%d pods, an error of %s points where max-weight-error allows %s%s",
			stage.Target, stage.Planned, stage.Stable, stage.Canary, number(stage.Error), number(o.MaxWeightError), o.remedy(stage.Target))}
	}
	return nil
}

// unreachable explains a target for which no split exists at all.
func (o PlanOptions) unreachable(target Percent) string {
	return fmt.Sprintf("step %s cannot be had: replicas %d, max-surge %d and max-unavailable %d allow %d to %d pods%s",
		target, o.Replicas, o.MaxSurge, o.MaxUnavailable, max(o.Replicas-o.MaxUnavailable, 0), o.Replicas+o.MaxSurge, o.remedy(target))
}

// remedy names the smallest number of pods that would do.
func (o PlanOptions) remedy(target Percent) string {
	total, ok := smallestTotal(target, o.MaxWeightError, o.Replicas+o.MaxSurge+1)
	if !ok {
		return ""
	}
	return fmt.Sprintf("; %d pods in all would do: max-surge %d, or replicas %d", total, total-o.Replicas, total-o.MaxSurge)
}

// newStage is the stage that a split makes.
func newStage(target Percent, s split) PlannedStage {
	if s.total == 0 {
		return PlannedStage{Target: target}
	}
	planned := Percent(100 * float64(s.canary) / float64(s.total))
	return PlannedStage{
		Target: target, Stable: s.total - s.canary, Canary: s.canary,
		Planned: planned, Error: Percent(math.Abs(float64(planned - target))),
	}
}

// String is a weight as users write it, such as "12.5 %".
func (p Percent) String() string { return number(p) + " %" }

// number is a weight without its unit, to four decimals at most.
func number(p Percent) string {
	return strconv.FormatFloat(math.Round(float64(p)*1e4)/1e4, 'f', -1, 64)
}
