package rollout_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
)

// anyError lets every split pass, however far it is from its target.
const anyError = rollout.Percent(100)

func TestPlanFindsNearestSplit(t *testing.T) {
	t.Parallel()
	rows := []struct {
		replicas       int
		weight         rollout.Percent
		surge, unavail int
		want           string
	}{
		{2, 10, 1, 0, "2+1"}, {3, 10, 7, 0, "9+1"}, {4, 33, 1, 0, "3+2"}, {4, 33, 1, 1, "2+1"},
		{5, 25, 5, 0, "6+2"}, {10, 5, 1, 0, "10+1"}, {10, 10, 1, 0, "9+1"}, {10, 25, 1, 0, "8+3"},
		{10, 33, 3, 2, "6+3"}, {10, 90, 1, 0, "1+9"}, {1, 50, 1, 0, "1+1"}, {8, 10, 8, 0, "9+1"},
		{10, 5, 10, 0, "19+1"}, {10, 25, 3, 2, "9+3"}, {10, 33, 1, 0, "7+3"}, {20, 33, 1, 0, "14+7"},
		{1, 80, 4, 0, "1+4"}, {10, 12.5, 6, 2, "7+1"}, {10, 100, 3, 0, "0+10"}, {3, 100, 0, 1, "0+3"},
	}
	for _, row := range rows {
		name := fmt.Sprintf("R=%d/S=%d/U=%d/%s", row.replicas, row.surge, row.unavail, row.weight)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := rollout.NewPlan(rollout.PlanOptions{
				Replicas: row.replicas, MaxSurge: row.surge, MaxUnavailable: row.unavail,
				Steps: []rollout.Percent{row.weight}, MaxWeightError: anyError,
			})
			require.Empty(t, plan.Problems)
			require.Len(t, plan.Stages, 1)
			require.Equal(t, row.want, fmt.Sprintf("%d+%d", plan.Stages[0].Stable, plan.Stages[0].Canary))
		})
	}
}

func TestPlanSteps(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name     string
		options  rollout.PlanOptions
		stages   string
		problems []string
	}{
		{
			name:    "the seed",
			options: rollout.PlanOptions{Replicas: 1, MaxSurge: 4, Steps: []rollout.Percent{50, 80, 100}, MaxWeightError: 5},
			stages:  "50:1+1 80:1+4 100:0+1",
		},
		{
			name:    "ten pods",
			options: rollout.PlanOptions{Replicas: 10, MaxSurge: 3, Steps: []rollout.Percent{10, 25, 50, 100}, MaxWeightError: 5},
			stages:  "10:9+1 25:9+3 50:5+5 100:0+10",
		},
		{name: "auto for one pod", options: rollout.PlanOptions{Replicas: 1, MaxSurge: 1}, stages: "50:1+1 100:0+1"},
		{name: "auto for three pods", options: rollout.PlanOptions{Replicas: 3, MaxSurge: 1}, stages: "25:3+1 50:2+2 100:0+3"},
		{name: "auto for ten pods", options: rollout.PlanOptions{Replicas: 10, MaxSurge: 3}, stages: "10:9+1 25:9+3 50:5+5 100:0+10"},
		{name: "auto names what it gives", options: rollout.PlanOptions{Replicas: 2, MaxSurge: 1}, stages: "33.3333:2+1 50:1+1 100:0+2"},
		{
			name:     "too few pods",
			options:  rollout.PlanOptions{Replicas: 4, MaxSurge: 1, Steps: []rollout.Percent{10, 100}, MaxWeightError: 5},
			stages:   "10:4+1 100:0+4",
			problems: []string{"step 10 % comes to 20 % with 4+1 pods, an error of 10 points where max-weight-error allows 5; 7 pods in all would do: max-surge 3, or replicas 6"},
		},
		{
			name:     "twice the same",
			options:  rollout.PlanOptions{Replicas: 2, MaxSurge: 1, Steps: []rollout.Percent{32, 34, 100}, MaxWeightError: 5},
			stages:   "32:2+1 34:2+1 100:0+2",
			problems: []string{"steps 32 % and 34 % both come to 2+1 pods: leave one out, or allow more pods"},
		},
		{
			name:     "one pod and nothing to spare",
			options:  rollout.PlanOptions{Replicas: 1, MaxUnavailable: 1, Steps: []rollout.Percent{50, 100}, MaxWeightError: 5},
			problems: []string{"replicas 1 and max-surge 0 allow one pod at a time: two are needed to split anything; allow a max-surge of at least 1"},
		},
		{
			name:     "falling steps",
			options:  rollout.PlanOptions{Replicas: 3, MaxSurge: 1, Steps: []rollout.Percent{50, 25, 101}, MaxWeightError: 5},
			problems: []string{"steps has 25 % after 50 %: weights must rise", "steps has 101 %: allowed are weights above 0 up to 100"},
		},
		{
			name:    "no bounds at all",
			options: rollout.PlanOptions{Steps: []rollout.Percent{100}},
			problems: []string{
				"replicas is 0: a rollout needs at least 1 serving pod",
				"max-surge and max-unavailable are both 0: no pod could ever be replaced; allow at least 1 of either",
			},
		},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			plan := rollout.NewPlan(row.options)
			require.Equal(t, row.problems, plan.Problems)
			require.Equal(t, row.stages, stagesOf(plan))
		})
	}
}

// TestPlanIsOptimal holds the planner against every split there is.
func TestPlanIsOptimal(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		o := rollout.PlanOptions{
			Replicas: 1 + random.IntN(30), MaxSurge: 1 + random.IntN(10), MaxWeightError: anyError,
			Steps: []rollout.Percent{rollout.Percent(1+random.IntN(9999)) / 100},
		}
		o.MaxUnavailable = random.IntN(o.Replicas)
		plan := rollout.NewPlan(o)
		require.Empty(t, plan.Problems, "%+v", o)
		stage := plan.Stages[0]
		best := math.Inf(1)
		for total := max(2, o.Replicas-o.MaxUnavailable); total <= o.Replicas+o.MaxSurge; total++ {
			for canary := 1; canary < total; canary++ {
				best = min(best, math.Abs(float64(canary)/float64(total)*100-float64(o.Steps[0])))
			}
		}
		require.InDelta(t, best, float64(stage.Error), 1e-9, "%+v", o)
		total := stage.Stable + stage.Canary
		require.True(t, total >= o.Replicas-o.MaxUnavailable && total <= o.Replicas+o.MaxSurge, "%+v: %+v", o, stage)
	}
}

// TestPlanRemedyIsSmallest holds the number of pods that a problem names against
// a search from below.
func TestPlanRemedyIsSmallest(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	checked := 0
	for range 500 {
		o := rollout.PlanOptions{
			Replicas: 1 + random.IntN(6), MaxSurge: 1, MaxWeightError: rollout.Percent(random.IntN(4)) + 0.5,
			Steps: []rollout.Percent{rollout.Percent(1 + random.IntN(99))},
		}
		if len(rollout.NewPlan(o).Problems) == 0 {
			continue
		}
		checked++
		surge := o.MaxSurge
		for len(rollout.NewPlan(o).Problems) > 0 {
			o.MaxSurge++
		}
		smallest := o.MaxSurge
		o.MaxSurge = surge
		require.Contains(t, rollout.NewPlan(o).Problems[0], fmt.Sprintf("; %d pods in all would do: max-surge %d,", o.Replicas+smallest, smallest), "%+v", o)
	}
	require.Greater(t, checked, 100)
}

func TestFrontier(t *testing.T) {
	t.Parallel()
	var got []string
	for _, p := range rollout.Frontier(10, 12) {
		got = append(got, fmt.Sprintf("%d/%d", p.Canary, p.Stable+p.Canary))
	}
	require.Equal(t, []string{"1/2", "1/3", "1/4", "1/5", "1/6", "1/7", "1/8", "1/9", "1/10"}, got)
}

func stagesOf(plan rollout.Plan) string {
	text := ""
	for i, s := range plan.Stages {
		if i > 0 {
			text += " "
		}
		text += fmt.Sprintf("%s:%d+%d", fmt.Sprint(float64(s.Target)), s.Stable, s.Canary)
	}
	return text
}
