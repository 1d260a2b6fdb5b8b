//go:build e2e

package cost

import (
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
	"github.com/org/l4-canary/test/page"
)

var (
	update = flag.Bool("update", false, "write the tables into docs/cost.md")
	rounds = flag.Int("rounds", 3, "rounds, an odd number: figures are medians over them")
	only   = flag.String("only", "", "measure only what matches, seed or lobby")
)

// TestCost measures every rollout on one cluster, in rounds: the program and the script
// take turns, and who begins changes from round to round.
func TestCost(t *testing.T) {
	require.True(t, *rounds%2 == 1 && *rounds > 0, "-rounds is an odd number")
	wanted, err := regexp.Compile(*only)
	require.NoError(t, err)
	l := harness.NewLab(t, "cost", "cost")
	pull(t, l)
	parts := map[string]string{}
	for _, s := range scenarios() {
		if !wanted.MatchString(s.mark) {
			continue
		}
		tables := measure(t, l, s).Tables()
		t.Log("\n" + tables)
		parts[s.mark] = fmt.Sprintf("%s\n%d cores, %s.\n", tables, runtime.NumCPU(), runtime.Version())
	}
	require.NotEmpty(t, parts, "-only matches nothing")
	if *update {
		require.NoError(t, page.Update(filepath.Join(harness.Root(t), "docs/cost.md"), parts))
	}
}

// measure plays all rounds of one rollout, after a run of either way whose calls are
// counted, and which nobody times.
func measure(t *testing.T, l *harness.Lab, s scenario) Result {
	t.Helper()
	result := Result{Title: s.title, Asked: s.asked}
	var last Run // the program's
	place(t, l, s, s.mark+"-counted", func() {
		result.Counts.Ours = counted(t, l, func(kubeconfig string) { last = byProgram(t, l, s, kubeconfig, s.mark+"-counted") })
	})
	result.Counts.Parts = last.Parts
	place(t, l, s, s.mark+"-counted-hand", func() {
		result.Counts.Hand = counted(t, l, func(kubeconfig string) {
			byScript(t, s, kubeconfig, s.mark+"-counted-hand", ones(s.stages)) // flows are no calls
		})
	})
	for round := range *rounds {
		ours := func() {
			namespace := fmt.Sprintf("%s-%d", s.mark, round)
			place(t, l, s, namespace, func() { last = byProgram(t, l, s, l.Kubeconfig, namespace) })
			result.Ours = append(result.Ours, last)
		}
		hand := func() {
			namespace := fmt.Sprintf("%s-%d-hand", s.mark, round)
			place(t, l, s, namespace, func() { result.Hand = append(result.Hand, byScript(t, s, l.Kubeconfig, namespace, last.Report.Each())) })
		}
		turns := []func(){ours, hand}
		for i := range turns {
			turns[(i+round)%len(turns)]()
		}
	}
	return result
}

// ones are so many.
func ones(n int) []int {
	flows := make([]int, n)
	for i := range flows {
		flows[i] = 1
	}
	return flows
}
