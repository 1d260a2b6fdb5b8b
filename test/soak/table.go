package soak

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/org/l4-canary/test/page"
)

// Result is what came of one rollout.
type Result struct {
	Rollout
	End      End
	Flows    int // new ones of its users, while it lasted
	Lost     int // of them, that nothing but the rollout can have lost
	Own      int // that the new version failed, or whatever happened
	Astray   int // that a node lost
	Cut      int // conversations that ended before their pod had had its drain
	Events   int // of ours
	Files    int // most file descriptors of the program
	Took     time.Duration
	Problems []string
}

// Table is a row a fault.
func Table(results []Result) string {
	var t page.Table
	t.Head(3, "what happens", "", "rollouts ended", "right", "flows", "lost", "failed by it", "conversations cut", "Events at most", "seconds")
	for _, fault := range Faults() {
		of := slices.DeleteFunc(slices.Clone(results), func(r Result) bool { return r.Fault.Name != fault.Name })
		if len(of) > 0 {
			row(&t, fault, of)
		}
	}
	return t.String()
}

func row(t *page.Table, fault Fault, of []Result) {
	ends := map[string]int{}
	var sum Result
	right := 0
	var took []time.Duration
	for _, r := range of {
		ends[r.End.String()]++
		if fault.Is(r.End) && len(r.Problems) == 0 {
			right++
		}
		sum.Flows, sum.Lost, sum.Own, sum.Cut = sum.Flows+r.Flows, sum.Lost+r.Lost, sum.Own+r.Own, sum.Cut+r.Cut
		sum.Events = max(sum.Events, r.Events)
		took = append(took, r.Took)
	}
	var ended []string
	for _, end := range slices.Sorted(maps.Keys(ends)) {
		ended = append(ended, fmt.Sprintf("%d %s", ends[end], end))
	}
	slices.Sort(took)
	t.Row(fault.Name, fault.What, strings.Join(ended, ", "), fmt.Sprintf("%d of %d", right, len(of)), fmt.Sprint(sum.Flows),
		fmt.Sprint(sum.Lost), fmt.Sprint(sum.Own), fmt.Sprint(sum.Cut), fmt.Sprint(sum.Events),
		fmt.Sprintf("%.0f", took[len(took)/2].Seconds()))
}

// Summary is a sentence or two on all of them.
func Summary(results []Result, seed uint64, took time.Duration) string {
	var sum Result
	wrong := 0
	for _, r := range results {
		if len(r.Problems) > 0 {
			wrong++
		}
		sum.Flows, sum.Lost, sum.Astray, sum.Files = sum.Flows+r.Flows, sum.Lost+r.Lost, sum.Astray+r.Astray, max(sum.Files, r.Files)
	}
	return fmt.Sprintf("%d rollouts in %s with seed %d, %d of them not as they should be. Of %d new flows %d were lost, and %d went astray in a node.\n"+
		"The program never had more than %d files open.\n", len(results), took.Round(time.Second), seed, wrong, sum.Flows, sum.Lost, sum.Astray, sum.Files)
}

// Right is the table of what is right, a row a fault.
func Right() string {
	var t page.Table
	t.Head(3, "what happens", "", "right is")
	for _, fault := range Faults() {
		var ends []string
		for _, end := range fault.Right {
			ends = append(ends, fmt.Sprintf("%s, exit %d", end, end.Exit))
		}
		t.Row(fault.Name, fault.What, strings.Join(ends, "; or "))
	}
	return t.String()
}

// Count is something that the cluster or the machine keeps, before and after.
type Count struct {
	Name          string
	Before, After int
}

// slack is by how much a count may differ that changes by itself: a connection that is
// being made, a watch that is begun anew.
func (c Count) slack() int { return 10 + c.Before/5 }

// Problems are the counts that have grown.
func Problems(counts []Count) []string {
	var problems []string
	for _, c := range counts {
		if c.After > c.Before+c.slack() {
			problems = append(problems, fmt.Sprintf("%s: %d before, %d after", c.Name, c.Before, c.After))
		}
	}
	return problems
}

// Kept is the table of the counts.
func Kept(counts []Count) string {
	var t page.Table
	t.Head(1, "what is kept", "before", "after")
	for _, c := range counts {
		t.Row(c.Name, fmt.Sprint(c.Before), fmt.Sprint(c.After))
	}
	return t.String()
}
