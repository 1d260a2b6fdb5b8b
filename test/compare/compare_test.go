//go:build e2e

// Package compare measures a rollout beside the same moves made by hand, on one
// cluster in one run: what clients lose, and how long the moves take.
package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

// stages are the weights 10, 25, 50 and 100 % of ten pods.
var stages = []string{"9+1", "9+3", "5+5", "0+10"}

// surge is how many pods above ten there are at most when the script moves: from 5+5
// it goes to 0+10 by way of 5+10. The rollout gets the same room.
const surge = "5"

// outcome is what one way of moving did.
type outcome struct {
	moves  []time.Duration // a stage each, without sampling and drain
	opened int
	failed []string // with the time and the error
}

func (o outcome) total() time.Duration {
	var sum time.Duration
	for _, move := range o.moves {
		sum += move
	}
	return sum
}

// TestCompare makes the rollout and the moves by hand in turns.
func TestCompare(t *testing.T) {
	rounds := 3
	if text := os.Getenv("ROUNDS"); text != "" {
		var err error
		rounds, err = strconv.Atoi(text)
		require.NoError(t, err)
		require.Positive(t, rounds, "ROUNDS")
	}
	l := harness.NewLab(t, "compare", "compare")
	var ours, hand []outcome
	for round := range rounds {
		hand = append(hand, byHand(t, l, fmt.Sprintf("hand-%d", round)))
		ours = append(ours, byRollout(t, l, fmt.Sprintf("rollout-%d", round)))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| ten pods, 10, 25, 50, 100 %% | %s | sum | new connections | lost |\n|---|---|---|---|---|\n", strings.Join(stages, " | "))
	for _, way := range []struct {
		name     string
		outcomes []outcome
	}{{"l4-canary", ours}, {"kubectl, by hand", hand}} {
		for round, o := range way.outcomes {
			row := make([]string, len(o.moves))
			for i, move := range o.moves {
				row[i] = seconds(move)
			}
			fmt.Fprintf(&b, "| %s, round %d | %s | %s | %d | %d (%.2f %%) |\n", way.name, round+1, strings.Join(row, " | "), seconds(o.total()),
				o.opened, len(o.failed), 100*float64(len(o.failed))/float64(o.opened))
		}
	}
	ratio := median(ours).Seconds() / median(hand).Seconds()
	fmt.Fprintf(&b, "\nmedian of %d rounds: the rollout's moves took %.2f times as long as those by hand (%s and %s)\n", rounds, ratio, seconds(median(ours)), seconds(median(hand)))
	t.Log("\n" + b.String())
	for _, o := range ours {
		require.Empty(t, o.failed, "connections that the rollout lost")
	}
	require.Less(t, ratio, 1.0, "the rollout's moves are to be faster")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func median(outcomes []outcome) time.Duration {
	var totals []time.Duration
	for _, o := range outcomes {
		totals = append(totals, o.total())
	}
	slices.Sort(totals)
	return totals[len(totals)/2]
}

// settle makes the namespace with ten old pods that serve, and applies more files.
func settle(t *testing.T, l *harness.Lab, namespace string, more ...string) string {
	t.Helper()
	kubectl := func(args ...string) { l.Do(t, append([]string{"kubectl", "--"}, args...)...) }
	kubectl("create", "namespace", namespace)
	for _, name := range append([]string{"lobby-blue.yaml", "service.yaml"}, more...) {
		kubectl("-n", namespace, "apply", "-f", filepath.Join(harness.Root(t), "test/compare/testdata", name))
	}
	kubectl("-n", namespace, "rollout", "status", "deployment/lobby-blue", "--timeout", "2m")
	return harness.Serve(t, l, namespace)
}

// byHand moves with the script.
func byHand(t *testing.T, l *harness.Lab, namespace string) outcome {
	t.Helper()
	clients := harness.Use(t, settle(t, l, namespace, "lobby-green.yaml"), 5*time.Millisecond, 0)
	cmd := exec.CommandContext(t.Context(), filepath.Join(harness.Root(t), "test/compare/by-hand.sh"), append([]string{"lobby-blue", "lobby-green"}, stages...)...)
	cmd.Env = append(os.Environ(), "NAMESPACE="+namespace, "KUBECTL="+filepath.Join(harness.Root(t), "bin/lab")+" kubectl --name "+l.Name+" --")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), stderr.String())
	var o outcome
	for line := range strings.Lines(stdout.String()) {
		took, err := time.ParseDuration(strings.Fields(line)[1] + "s")
		require.NoError(t, err)
		o.moves = append(o.moves, took)
	}
	return o.lost(clients)
}

// byRollout moves with the program.
func byRollout(t *testing.T, l *harness.Lab, namespace string) outcome {
	t.Helper()
	clients := harness.Use(t, settle(t, l, namespace), 5*time.Millisecond, 0)
	name := filepath.Join(t.TempDir(), "report.json")
	cmd := harness.Command(t.Context(), harness.Root(t), "bin/l4-canary", "run", "--kubeconfig", l.Kubeconfig, "--namespace", namespace,
		"--manifests", "test/compare/testdata", "--report-json", name, "--stable-pattern", `^1\.8\.2 `, "--canary-pattern", `^1\.9\.0 `,
		"--steps", "10,25,50,100", "--max-surge", surge, "--rate", "100", "--settle", "1s", "--drain", "3s", "--max-probes", "20000")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	var report struct {
		Removal string
		Stages  []struct{ MoveSeconds, DrainSeconds float64 }
	}
	require.NoError(t, json.Unmarshal(data, &report))
	require.Equal(t, "park", report.Removal)
	var o outcome
	for _, stage := range report.Stages[1:] { // the first is the baseline
		o.moves = append(o.moves, time.Duration((stage.MoveSeconds-stage.DrainSeconds)*float64(time.Second)))
	}
	return o.lost(clients)
}

// lost ends the clients and takes note of what they lost.
func (o outcome) lost(clients *harness.Clients) outcome {
	o.opened, o.failed, _ = clients.Stop()
	return o
}
