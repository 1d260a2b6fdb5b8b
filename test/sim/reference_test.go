package main

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/stats"
)

// TestStageLooksAfterEveryAnswer plays stages again, on the same chance, with both
// rules themselves after every answer and no table.
func TestStageLooksAfterEveryAnswer(t *testing.T) {
	t.Parallel()
	for _, q := range []*question{prepared(95, 10, 5), prepared(99, 5, 5), prepared(95, 100, 5)} {
		for _, c := range shareCells(q) {
			for stage := range 15 {
				want := looking(c, chanceOf(9, c.name(), stage))
				require.Equal(t, want, c.stage(chanceOf(9, c.name(), stage)), "%s, stage %d", c.name(), stage)
			}
		}
	}
}

// looking is a stage without a table.
func looking(c shareCell, chance *rand.PCG) ending {
	limit, certain := threshold(c.truth)
	naive := peeking(c.test.Band)
	var e ending
	k := 0
	for n := 1; n <= c.test.MaxSize; n++ {
		if chance.Uint64() < limit || certain {
			k++
		}
		if decision := c.test.Decide(k, n); e.verdict == "" && decision != stats.Continue {
			e.verdict, e.reason = verdictOf(decision)
			e.flows = n
		}
		if decision := naive(k, n); e.naive == "" && decision != stats.Continue {
			e.naive = decision
		}
	}
	if e.naive == "" {
		e.naive = stats.Continue
	}
	return e
}

func verdictOf(d stats.Decision) (rollout.Verdict, rollout.Reason) {
	switch d {
	case stats.Pass:
		return rollout.Pass, rollout.ReasonPass
	case stats.Fail:
		return rollout.Fail, rollout.ReasonFailShare
	case stats.Inconclusive, stats.Continue:
	}
	return rollout.Inconclusive, rollout.ReasonInconclusive
}

// TestJudgeLooksAfterEveryFlow: behind a balancer that hides nothing the judge ends
// where the share test of a first window does, unless it calls the stage sticky. Where
// the answers happen to scatter or to move it goes on, which is rare.
func TestJudgeLooksAfterEveryFlow(t *testing.T) {
	t.Parallel()
	held := 0
	for _, share := range []rollout.Percent{10, 50, 80} {
		c := newJudgedCell(kind{title: "fair", spread: independent}, share)
		test := newQuestion(judgedConfidence, share, judgedTolerance).test
		for stage := range 40 {
			got := c.stage(chanceOf(4, "fair", stage))
			if got.reason == rollout.ReasonInvalidSticky {
				continue
			}
			flows := independent(c.endpoints, rand.New(chanceOf(4, "fair", stage)))
			sequence, decision := alone(test, flows)
			if odd(sequence) {
				require.Greater(t, got.flows, len(sequence), "%v, stage %d", share, stage)
				held++
				continue
			}
			require.Equal(t, len(sequence), got.flows, "%v, stage %d", share, stage)
			verdict, _ := verdictOf(decision)
			require.Equal(t, verdict, got.verdict)
		}
	}
	// One in a hundred scatters at one look: Binomial(120, 0.011) exceeds 9 with a probability of 1e-6.
	require.LessOrEqual(t, held, 9)
}

// alone plays flows to a test that knows of nothing else.
func alone(test stats.ShareTest, flows law) (sequence []bool, decision stats.Decision) {
	k := 0
	for decision = stats.Continue; decision == stats.Continue; decision = test.Decide(k, len(sequence)) {
		canary := flows(len(sequence)).Version == probe.Canary
		sequence = append(sequence, canary)
		if canary {
			k++
		}
	}
	return sequence, decision
}

// odd reports whether a decision about a sequence waits.
func odd(sequence []bool) bool {
	hits, sizes := stats.Batches(sequence, 2)
	scatter := stats.NewDispersion(stats.Batches(sequence, min(20, len(sequence)/10)))
	return scatter.Correction() > 1 || !stats.Stationary(hits[0], sizes[0], hits[1], sizes[1])
}

// TestTurnsThroughTheJudge: a round robin behind the judge ends where the shares on
// the way say, within a round.
func TestTurnsThroughTheJudge(t *testing.T) {
	t.Parallel()
	for _, share := range []rollout.Percent{10, 25, 50, 80} {
		q := newQuestion(judgedConfidence, share, judgedTolerance)
		q.prepare()
		c := newJudgedCell(kind{title: "turns", spread: roundRobin}, share)
		for stage := range 20 {
			got := c.stage(chanceOf(1, "turns", stage))
			require.Equal(t, rollout.Pass, got.verdict)
			require.InEpsilon(t, q.ours.takingTurns(q.test.Expected), got.flows, 0.08, "%v", share)
		}
	}
}

// TestThreshold: the chance of each flow is the share, to the last bit that counts.
func TestThreshold(t *testing.T) {
	t.Parallel()
	limit, certain := threshold(0)
	require.Zero(t, limit)
	require.False(t, certain)
	limit, certain = threshold(0.5)
	require.Equal(t, uint64(1)<<63, limit)
	require.False(t, certain)
	_, certain = threshold(1)
	require.True(t, certain)
	source, below := rand.NewPCG(1, 2), 0
	limit, _ = threshold(0.075)
	for range 100000 {
		if source.Uint64() < limit {
			below++
		}
	}
	seen := around(below, 100000)
	require.True(t, seen.Contains(0.075), "%v", seen)
}

// TestChance: stages and cells have chances of their own, and the same ones again.
func TestChance(t *testing.T) {
	t.Parallel()
	seen := map[uint64]bool{}
	for seed := range uint64(5) {
		for _, name := range []string{"a", "b", "c"} {
			for stage := range 5 {
				first := chanceOf(seed, name, stage).Uint64()
				require.False(t, seen[first], "%d, %s, %d", seed, name, stage)
				seen[first] = true
				require.Equal(t, first, chanceOf(seed, name, stage).Uint64())
			}
		}
	}
}
