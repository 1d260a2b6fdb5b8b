package cost

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/tally"
)

// aRun takes so many seconds, of which the pods start 3, and 2 lie between the end of
// sampling and the end.
func aRun(wall float64) Run {
	return Run{
		Wall: at(wall).Sub(noon), CPU: 1500 * time.Millisecond, Memory: 40 << 20,
		Parts: []Part{
			{Preparation, noon, at(1)}, {"baseline", at(1), at(7)}, {"stage 12.5 %", at(7), at(wall)},
		},
		Report: aReport(),
		Pods:   []Pod{{Created: at(-9), Ready: at(-8)}, {Created: at(8), Ready: at(11)}},
	}
}

// aResult is of three rounds. The bound is 18.5 s each time: 3 of pods, 3 and 8.5 of
// sampling, twice 2 to settle.
func aResult() Result {
	const s = time.Second
	return Result{
		Asked: Asked{Settle: 2 * s, Drain: 5 * s},
		Ours:  []Run{aRun(20), aRun(24), aRun(19)},
		Hand:  []Run{{Wall: 40 * s, Memory: 60 << 20}, {Wall: 20 * s, Memory: 60 << 20}, {Wall: 38 * s, Memory: 60 << 20}},
	}
}

// someCounts are of five calls by the program, and two by hand.
func someCounts() Counts {
	call := func(seconds float64, verb, resource string, sent int, chunks ...tally.Chunk) tally.Call {
		return tally.Call{Began: at(seconds), Verb: verb, Resource: resource, Sent: sent, Received: chunks}
	}
	came := func(seconds float64, bytes int) tally.Chunk { return tally.Chunk{At: at(seconds), Bytes: bytes} }
	trial := call(0.7, "patch", "services", 100, came(0.7, 512))
	trial.DryRun = true
	return Counts{
		Parts: aRun(20).Parts,
		Ours: []tally.Call{
			call(0.5, "get", "/apis", 0, came(0.5, 1024)),
			call(0.6, "watch", "pods", 0, came(0.7, 512), came(8, 2048)),
			trial,
			call(9, "patch", "deployments/scale", 2048, came(9, 1024)),
			call(12, "patch", "deployments/scale", 2048, came(12, 1024)),
		},
		Hand: []tally.Call{call(100, "get", "/apis", 0, came(100, 3072)), call(101, "get", "deployments", 0)},
	}
}

// lines are those of the tables that hold a text.
func lines(tables, text string) []string {
	var found []string
	for line := range strings.Lines(tables) {
		if strings.Contains(line, text) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

func TestTimes(t *testing.T) {
	t.Parallel()
	tables := aResult().Tables()
	require.Equal(t, []string{
		"| l4-canary | 20.0 s | 19.0 s | 24.0 s |  |  |",
		"| its lower bound | 18.5 s | 18.5 s | 18.5 s |  |  |",
		"| by hand, which drains nothing | 38.0 s | 20.0 s | 40.0 s |  |  |",
		"| l4-canary ÷ lower bound | 1.08 | 1.03 | 1.30 | at most 1.10 | yes |",
		"| l4-canary ÷ by hand | 0.50 | 0.50 | 1.20 | less than 1.00 | yes |",
		"| l4-canary ÷ by hand, if neither settled nor drained | 0.44 | 0.44 | 1.25 |  |  |",
	}, strings.Split(strings.TrimSpace(between(t, tables, "|:--|--:|--:|--:|--:|--:|\n", "\n\n")), "\n"))
}

// between is what stands between two texts.
func between(t *testing.T, text, begin, end string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, begin)
	require.True(t, found, text)
	inner, _, found := strings.Cut(rest, end)
	require.True(t, found, text)
	return inner
}

// TestDrainByHand: a drain that the program was asked for counts against it, beside a
// script that does without; the last line leaves it out.
func TestDrainByHand(t *testing.T) {
	t.Parallel()
	r := aResult()
	for i := range r.Ours {
		r.Ours[i].Pods = append(r.Ours[i].Pods, Pod{Created: at(-9), Ready: at(-8), Parked: at(12), Leaving: at(17.1)})
		r.Hand[i].Wall = 15 * time.Second
	}
	tables := r.Tables()
	require.Equal(t, "| its lower bound | 23.5 s | 23.5 s | 23.5 s |  |  |", lines(tables, "lower bound")[0])
	require.Equal(t, "| l4-canary ÷ by hand | 1.33 | 1.27 | 1.60 | less than 1.00 | no |", lines(tables, "÷ by hand")[0])
	require.Equal(t, "| l4-canary ÷ by hand, if neither settled nor drained | 1.00 | 0.91 | 1.36 |  |  |", lines(tables, "nor drained")[0])
}

func TestGoalsThatAreMissed(t *testing.T) {
	t.Parallel()
	r := aResult()
	r.Ours = []Run{aRun(40), aRun(24), aRun(39)}
	tables := r.Tables()
	require.Equal(t, []string{"| l4-canary ÷ lower bound | 2.11 | 1.30 | 2.16 | at most 1.10 | no |"}, lines(tables, "÷ lower bound"))
	require.Equal(t, "| l4-canary ÷ by hand | 1.03 | 1.00 | 1.20 | less than 1.00 | no |", lines(tables, "÷ by hand")[0])
}

func TestPartsOfTheBound(t *testing.T) {
	t.Parallel()
	tables := aResult().Tables()
	require.Equal(t, "| preparation | 1.0 s | 0.0 s | 0.0 s | 0.0 s | 0.0 s | 1.0 s | 0 |", lines(tables, "| preparation")[0])
	require.Equal(t, "| baseline | 6.0 s | 0.0 s | 3.0 s | 2.0 s | 0.0 s | 1.0 s | 300 |", lines(tables, "| baseline")[0])
	require.Equal(t, "| stage 12.5 % | 13.0 s | 3.0 s | 8.5 s | 2.0 s | 0.0 s | -0.5 s | 850 |", lines(tables, "| stage 12.5 %")[0])
	require.Equal(t, "| in all | 20.0 s | 3.0 s | 11.5 s | 4.0 s | 0.0 s | 1.5 s | 1150 |", lines(tables, "| in all")[0])
}

func TestResources(t *testing.T) {
	t.Parallel()
	tables := aResult().Tables()
	require.Contains(t, tables, "| l4-canary | 40 MiB | 40 MiB | 40 MiB | 1.5 s | 1.5 s | 1.5 s |\n")
	require.Contains(t, tables, "| by hand | 60 MiB | 60 MiB | 60 MiB | 0.0 s | 0.0 s | 0.0 s |\n")
}

func TestTrafficByPart(t *testing.T) {
	t.Parallel()
	tables := someCounts().Tables()
	require.Equal(t, "| preparation | 3 | 1 | 1 | 0 | 1 | 0.1 KiB | 2.0 KiB |", lines(tables, "| preparation")[0])
	require.Equal(t, "| baseline | 0 | 0 | 0 | 0 | 0 | 0.0 KiB | 0.0 KiB |", lines(tables, "| baseline")[0])
	require.Equal(t, "| stage 12.5 % | 2 | 0 | 0 | 2 | 0 | 4.0 KiB | 4.0 KiB |", lines(tables, "| stage 12.5 %")[0], "with what the watch brought")
	require.Equal(t, "| in all | 5 | 1 | 1 | 2 | 1 | 4.1 KiB | 6.0 KiB |", lines(tables, "| in all")[0])
}

func TestTrafficByKind(t *testing.T) {
	t.Parallel()
	_, table, found := strings.Cut(someCounts().Tables(), "| call | l4-canary | bytes | by hand | bytes |\n|:--|--:|--:|--:|--:|\n")
	require.True(t, found)
	require.Equal(t, `| get /apis | 1 | 1.0 KiB | 1 | 3.0 KiB |
| get deployments | 0 | 0.0 KiB | 1 | 0.0 KiB |
| patch deployments/scale | 2 | 6.0 KiB | 0 | 0.0 KiB |
| watch pods | 1 | 2.5 KiB | 0 | 0.0 KiB |
| dry run of patch services | 1 | 0.6 KiB | 0 | 0.0 KiB |
| in all | 5 | 10.1 KiB | 2 | 3.0 KiB |
`, table)
}

func TestSortsOfCallsAreAllShown(t *testing.T) {
	t.Parallel()
	sum := TrafficIn(Part{Began: noon, Ended: at(100)}, someCounts().Ours)
	shown := sum.Calls[Read] + sum.Calls[Trial] + sum.Calls[Write] + sum.Calls[Watch]
	require.Equal(t, sum.Total(), shown)
	require.Equal(t, 5, shown)
}
