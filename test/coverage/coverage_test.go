//go:build e2e

// Package coverage samples a real balancer whose share is known, again and again, and
// counts how often the interval has it.
package coverage

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

var update = flag.Bool("update", false, "write the report into docs")

const (
	runs  = 20 // on each balancer
	share = 80 // percent: four canary pods and one stable
)

const about = `# Coverage on a real balancer

Written by ` + "`make coverage COVERAGE_FLAGS=-update`" + `. One stable pod and four of the canary stand behind a Service of type
LoadBalancer, in both modes of kube-proxy that balance at random. ` + "`l4-canary sample`" + ` asks it %d times at the default
confidence of 95 %%, and stops when the verdict is there. The share that the balancer aims at is %d %%. The interval is to
have it in at least 95 of 100 runs, however early a run stops; with %d runs, fewer than %d would happen one time in %d.

| kube-proxy | has %d %% | verdicts | samples, median | observed, least to most | by Wilson's interval |
|:--|--:|:--|--:|--:|--:|
`

// least is how many of the runs have the share at least, if 95 of 100 do: fewer happen one
// time in rare.
const (
	least = 16
	rare  = 388 // P(Binomial(20, 0.95) <= 15) = 0.00257
)

// answer is what the program prints.
type answer struct {
	Samples          int
	Observed         float64
	Interval, Wilson [2]float64
	Verdict, Reason  string
}

// TestCoverage: the interval has the share, in both modes of kube-proxy. A Service that
// sticks to its clients is called so.
func TestCoverage(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, about, runs, share, runs, least, rare, share)
	for _, mode := range []string{"nftables", "iptables"} {
		t.Run(mode, func(t *testing.T) {
			l := harness.NewLab(t, "coverage-"+mode[:3], "coverage", "--proxy-mode", mode)
			at := deploy(t, l, "coverage")
			b.WriteString(row(t, mode, sample(t, at)))
			if mode == "nftables" {
				sticks(t, l, "coverage", at)
			}
		})
	}
	t.Log("\n" + b.String())
	if *update && !t.Failed() {
		require.NoError(t, os.WriteFile(filepath.Join(harness.Root(t), "docs/coverage.md"), []byte(b.String()), 0o600))
	}
}

// deploy makes the pods serve, and returns the balancer's address.
func deploy(t *testing.T, l *harness.Lab, namespace string) string {
	t.Helper()
	kubectl := func(args ...string) { l.Do(t, append([]string{"kubectl", "--", "-n", namespace}, args...)...) }
	kubectl("create", "namespace", namespace)
	kubectl("apply", "-f", filepath.Join(harness.Root(t), "testdata/manifests/lobby"))
	kubectl("scale", "deployment/lobby-blue", "--replicas=1")
	kubectl("scale", "deployment/lobby-green", "--replicas=4")
	for _, name := range []string{"lobby-blue", "lobby-green"} {
		kubectl("rollout", "status", "deployment/"+name, "--timeout=2m")
	}
	return harness.Serve(t, l, namespace)
}

// sample runs the program so often, each time with another seed.
func sample(t *testing.T, at string) (answers []answer) {
	t.Helper()
	for range runs {
		answers = append(answers, ask(t, at))
	}
	return answers
}

// ask runs the program once. Whatever the verdict, it must have measured.
func ask(t *testing.T, at string) answer {
	t.Helper()
	host, port, err := net.SplitHostPort(at)
	require.NoError(t, err)
	cmd := harness.Command(context.WithoutCancel(t.Context()), harness.Root(t), "bin/l4-canary", "sample", "--address", host, "--port", port,
		"--protocol", "TCP", "--stable-pattern", `^1\.8\.2 `, "--canary-pattern", `^1\.9\.0 `, "--expected-weight", fmt.Sprint(share),
		"--rate", "200", "--output", "json")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, _ := cmd.Output() // a verdict other than pass is an exit status
	var a answer
	require.NoError(t, json.Unmarshal(out, &a), stderr.String())
	return a
}

// row is the table's for one mode. It requires what the page promises.
func row(t *testing.T, mode string, answers []answer) string {
	t.Helper()
	covers := func(interval [2]float64) int { return inside(interval, share) }
	covered, wilson, verdicts := 0, 0, map[string]int{}
	var samples []int
	var observed []float64
	for _, a := range answers {
		covered += covers(a.Interval)
		wilson += covers(a.Wilson)
		verdicts[a.Verdict]++
		samples, observed = append(samples, a.Samples), append(observed, a.Observed)
	}
	slices.Sort(samples)
	require.GreaterOrEqual(t, covered, least, "%v", answers)
	require.Zero(t, verdicts["fail"], "a balancer with the expected share never fails")
	require.Zero(t, verdicts["invalid"])
	return fmt.Sprintf("| %s | %d of %d | %s | %d | %.1f to %.1f %% | %d of %d |\n", mode, covered, len(answers), counts(verdicts),
		samples[len(samples)/2], slices.Min(observed), slices.Max(observed), wilson, len(answers))
}

// inside is 1 if the interval, in percent, has a value.
func inside(interval [2]float64, value float64) int {
	if interval[0] <= value && value <= interval[1] {
		return 1
	}
	return 0
}

// counts are how often each verdict came.
func counts(verdicts map[string]int) string {
	var parts []string
	for _, verdict := range []string{"pass", "inconclusive", "fail", "invalid"} {
		if n := verdicts[verdict]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, verdict))
		}
	}
	return strings.Join(parts, ", ")
}

// sticks: with sessionAffinity the runner always reaches one pod, and no verdict is made of that.
func sticks(t *testing.T, l *harness.Lab, namespace, at string) {
	t.Helper()
	l.Do(t, "kubectl", "--", "-n", namespace, "patch", "service/lobby", "-p", `{"spec":{"sessionAffinity":"ClientIP"}}`)
	require.Eventually(t, func() bool { return constant(t, at) }, time.Minute, 100*time.Millisecond, "kube-proxy does not stick")
	a := ask(t, at)
	require.Equal(t, "invalid", a.Verdict)
	require.Equal(t, "INVALID_STICKY", a.Reason)
	t.Logf("sticky Service: %s (%s) after %d samples", a.Verdict, a.Reason, a.Samples)
}

// constant reports whether one pod answers forty connections.
func constant(t *testing.T, at string) bool {
	t.Helper()
	heard := map[string]bool{}
	for range 40 {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", at)
		require.NoError(t, err)
		line, err := bufio.NewReader(conn).ReadString('\n')
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		heard[line] = true
	}
	return len(heard) == 1
}
