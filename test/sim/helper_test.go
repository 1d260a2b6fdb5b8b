package main

import (
	"math/rand/v2"

	"github.com/org/l4-canary/internal/rollout"
)

// prepared is a question with its tables.
func prepared(confidence, expected, tolerance int) *question {
	q := newQuestion(rollout.Percent(confidence), rollout.Percent(expected), rollout.Percent(tolerance))
	q.prepare()
	return q
}

// dice is reproducible chance.
func dice(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }
