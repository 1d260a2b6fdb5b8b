//go:build e2e

package cost

import (
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
	"github.com/org/l4-canary/test/page"
)

var (
	update = flag.Bool("update", false, "write the tables into docs/cost.md")
	rounds = flag.Int("rounds", 3, "rounds, an odd number: figures are medians over them")
	only   = flag.String("only", "", "measure only what matches: seed, lobby, seed-calls or lobby-calls")
)

// callsMark is behind the mark of a rollout where its calls stand in the page.
const callsMark = "-calls"

// TestCost counts and times every rollout on one cluster.
func TestCost(t *testing.T) {
	require.True(t, *rounds%2 == 1 && *rounds > 0, "-rounds is an odd number")
	wanted, err := regexp.Compile(*only)
	require.NoError(t, err)
	l := harness.NewLab(t, "cost", "cost")
	pull(t, l)
	measured := 0
	put := func(mark string, tables func() string) {
		if !wanted.MatchString(mark) {
			return
		}
		measured++
		text := tables()
		t.Log("\n" + text)
		if *update {
			require.NoError(t, page.Update(filepath.Join(harness.Root(t), "docs/cost.md"), map[string]string{mark: text}))
		}
	}
	for _, s := range scenarios() {
		put(s.mark+callsMark, func() string { return count(t, l, s).Tables() })
		put(s.mark, func() string { return measure(t, l, s).Tables() })
	}
	require.Positive(t, measured, "-only matches nothing")
}

// count has the program and the script roll out once, and counts their calls. Nobody
// times them.
func count(t *testing.T, l *harness.Lab, s scenario) (c Counts) {
	t.Helper()
	namespace := s.mark + callsMark
	place(t, l, s, namespace, func() {
		counted, kubeconfig := harness.NewTally(t, l.Config)
		c.Parts = byProgram(t, l, s, kubeconfig, namespace).Parts
		c.Ours = counted.Calls()
	})
	namespace += "-hand"
	place(t, l, s, namespace, func() {
		counted, kubeconfig := harness.NewTally(t, l.Config)
		byScript(t, s, kubeconfig, namespace, ones(s.stages)) // flows are no calls
		c.Hand = counted.Calls()
	})
	return c
}

// measure plays all rounds of one rollout.
func measure(t *testing.T, l *harness.Lab, s scenario) Result {
	t.Helper()
	result := Result{Asked: s.asked}
	for round := range *rounds {
		result.play(t, l, s, fmt.Sprintf("%s-%d", s.mark, round))
	}
	return result
}

// play has the program roll out, and then the script, with as many flows as the program took.
func (r *Result) play(t *testing.T, l *harness.Lab, s scenario, namespace string) {
	t.Helper()
	place(t, l, s, namespace, func() { r.Ours = append(r.Ours, byProgram(t, l, s, l.Kubeconfig, namespace)) })
	flows := r.Ours[len(r.Ours)-1].Report.Each()
	namespace += "-hand"
	place(t, l, s, namespace, func() { r.Hand = append(r.Hand, byScript(t, s, l.Kubeconfig, namespace, flows)) })
}

// ones are so many.
func ones(n int) []int {
	flows := make([]int, n)
	for i := range flows {
		flows[i] = 1
	}
	return flows
}
