package soak

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// results are two rollouts of one fault, the second of them wrong, and one of another.
func results() []Result {
	crash, scaled := Faults()[2], Faults()[10]
	return []Result{
		{Rollout: Rollout{Fault: crash}, End: crash.Right[0], Flows: 100, Own: 7, Events: 3, Files: 20, Took: 4 * time.Second},
		{Rollout: Rollout{Fault: crash}, End: End{"promoted", 0, "PASS"}, Flows: 50, Lost: 1, Astray: 2, Events: 5, Files: 30,
			Took: 8 * time.Second, Problems: []string{"x"}},
		{Rollout: Rollout{Fault: scaled}, End: scaled.Right[0], Flows: 10, Cut: 1, Took: time.Second, Problems: []string{"y"}},
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	rows := strings.Split(strings.TrimSpace(Table(results())), "\n")
	require.Len(t, rows, 4, "no row for what did not happen")
	require.Equal(t, "| crash while it serves | it ends after 4 s | 1 promoted, 1 rolled-back (FAIL_RESTARTS) | 1 of 2 | 150 | 1 | 7 | 0 | 5 | 8 |", rows[2])
	require.Equal(t, "| old version scaled | somebody adds a pod | 1 rolled-back (DRIFT) | 0 of 1 | 10 | 0 | 0 | 1 | 0 | 1 |", rows[3],
		"the right end alone does not make it right")
	columns := strings.Count(rows[0], "|")
	for _, row := range rows {
		require.Equal(t, columns, strings.Count(row, "|"), row)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	require.Equal(t, "3 rollouts in 1m31s with seed 5, 2 of them not as they should be. Of 160 new flows 1 were lost, and 2 went astray in a node.\n"+
		"The program never had more than 30 files open.\n", Summary(results(), 5, 91*time.Second))
}

func TestRight(t *testing.T) {
	t.Parallel()
	text := Right()
	require.Equal(t, len(Faults())+2, strings.Count(text, "\n"))
	require.Contains(t, text, "| nothing | a release that is in order | promoted, exit 0 |\n")
	require.Contains(t, text, "rolled-back (FAIL_RESTARTS), exit 1; or rolled-back (FAIL_ERRORS), exit 1")
}

func TestCounts(t *testing.T) {
	t.Parallel()
	counts := []Count{{"files", 100, 130}, {"pods", 15, 15}}
	require.Empty(t, Problems(counts), "some come and go by themselves")
	counts[0].After = 131
	require.Equal(t, []string{"files: 100 before, 131 after"}, Problems(counts))
	require.Equal(t, "| what is kept | before | after |\n|:--|--:|--:|\n| files | 100 | 131 |\n| pods | 15 | 15 |\n", Kept(counts))
}
