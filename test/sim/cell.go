package main

import (
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/stats"
)

// cell is one row of a table: a stage that is simulated many times.
type cell interface {
	// name is unique; with the bench's seed it is what the cell's chance comes from.
	name() string
	// stages is how often it is simulated.
	stages(size) int
	// stage simulates once.
	stage(chance *rand.PCG) ending
}

// size is how often a stage is simulated where a flow is an answer and nothing
// else, and where the judge is shown flows.
type size struct{ shared, judged int }

// ending is how one stage ended.
type ending struct {
	verdict rollout.Verdict
	reason  rollout.Reason
	flows   int
	naive   stats.Decision // of the naive rule on the same answers, if it was asked
}

// sum counts the endings of one cell.
type sum struct {
	total    int // stages
	verdicts map[rollout.Verdict]int
	reasons  map[rollout.Reason]int
	naive    map[stats.Decision]int
	flows    map[int]int // stages by how many flows they took
}

func newSum() sum {
	return sum{
		verdicts: map[rollout.Verdict]int{}, reasons: map[rollout.Reason]int{},
		naive: map[stats.Decision]int{}, flows: map[int]int{},
	}
}

func (s *sum) add(e ending) {
	s.total++
	s.verdicts[e.verdict]++
	s.reasons[e.reason]++
	s.naive[e.naive]++
	s.flows[e.flows]++
}

// merge adds counts, so that the order of merging does not matter.
func (s *sum) merge(other sum) {
	s.total += other.total
	addAll(s.verdicts, other.verdicts)
	addAll(s.reasons, other.reasons)
	addAll(s.naive, other.naive)
	addAll(s.flows, other.flows)
}

func addAll[K comparable](to, from map[K]int) {
	for key, n := range from {
		to[key] += n
	}
}

// mean is how many flows a stage took on average.
func (s sum) mean() float64 {
	total := 0
	for flows, n := range s.flows {
		total += flows * n
	}
	return float64(total) / float64(s.total)
}

// quantile is the number of flows by which a fraction of the stages had ended.
func (s sum) quantile(q float64) int {
	ended := 0
	for _, flows := range slices.Sorted(maps.Keys(s.flows)) {
		if ended += s.flows[flows]; float64(ended) >= q*float64(s.total) {
			return flows
		}
	}
	return 0
}

// endedBy is how many stages had ended by so many flows.
func (s sum) endedBy(flows int) int {
	ended := 0
	for took, n := range s.flows {
		if took <= flows {
			ended += n
		}
	}
	return ended
}

// chanceOf is the source of one stage of a cell. It depends on nothing but the
// seed, the cell's name and the stage's number: not on other cells, and not on
// which core simulates what.
func chanceOf(seed uint64, name string, stage int) *rand.PCG {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return rand.NewPCG(seed^h.Sum64(), uint64(stage))
}
