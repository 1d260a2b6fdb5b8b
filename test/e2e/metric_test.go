//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/internal/metric"
	"github.com/org/l4-canary/test/harness"
)

// TestMetric: a real Prometheus asks the pods of a real cluster, and what it knows of them
// decides stages whose flows are all in order.
func TestMetric(t *testing.T) {
	t.Parallel()
	l := newLab(t, "e2e-metric")
	_, url := l.prometheus(t, "9090")
	t.Run("within bounds", func(t *testing.T) { t.Parallel(); metricWithin(t, l, url) })
	t.Run("a canary that takes memory", func(t *testing.T) { t.Parallel(); metricBeyond(t, l, url) })
	t.Run("in the pause", func(t *testing.T) { t.Parallel(); metricLater(t, l, url) })
	t.Run("beyond at the baseline", func(t *testing.T) { t.Parallel(); metricBefore(t, l, url) })
	t.Run("the server goes away", func(t *testing.T) { t.Parallel(); metricSilent(t, l) })
}

// prometheus starts a server in the node's network, where it reaches the pods. It gives the
// server with its address.
func (l *lab) prometheus(t *testing.T, port string) (*harness.Process, string) {
	t.Helper()
	var status struct {
		Nodes     []struct{ Address string }
		Processes []struct {
			Name string
			PID  int
		}
	}
	require.NoError(t, json.Unmarshal([]byte(l.lab(t, "status", "--output", "json")), &status))
	var kubelet int
	for _, process := range status.Processes {
		if process.Name == "kubelet-1" {
			kubelet = process.PID
		}
	}
	require.NotZero(t, kubelet)
	address := net.JoinHostPort(status.Nodes[0].Address, port)
	targets := filepath.Join(t.TempDir(), "targets.json")
	l.discover(t, targets)
	server := harness.Prometheus(t, []string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", kubelet)}, address, `
global: {scrape_interval: 1s}
scrape_configs:
- job_name: pods
  file_sd_configs: [{files: [`+targets+`]}]
`)
	return server, "http://" + address
}

// discover keeps a file of all pods for Prometheus: Debian builds it without what it has
// for Kubernetes.
func (l *lab) discover(t *testing.T, file string) {
	t.Helper()
	type group struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	write := func() {
		pods, err := l.CoreV1().Pods(metav1.NamespaceAll).List(t.Context(), metav1.ListOptions{FieldSelector: "status.phase=Running"})
		if err != nil {
			return // the next one comes
		}
		groups := []group{}
		for _, pod := range pods.Items {
			groups = append(groups, group{[]string{net.JoinHostPort(pod.Status.PodIP, "8081")}, map[string]string{"namespace": pod.Namespace, "pod": pod.Name}})
		}
		data, err := json.Marshal(groups)
		if err == nil && os.WriteFile(file+".new", data, 0o600) == nil {
			_ = os.Rename(file+".new", file) // one that fails is followed by another
		}
	}
	write()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ticker := time.NewTicker(500 * time.Millisecond); ; {
			select {
			case <-t.Context().Done():
				ticker.Stop()
				return
			case <-ticker.C:
				write()
			}
		}
	}()
	t.Cleanup(func() { <-done })
}

// queries are two of those that docs/metrics.md shows, about what the workload exports.
const queries = `
- name: sessions
  expr: min by (pod) (workload_sessions{namespace="{{namespace}}"})
  min: 0
- name: memory against the old version
  expr: |
    avg(process_resident_memory_bytes{namespace="{{namespace}}", pod=~"{{canary}}-[a-z0-9]+-[a-z0-9]+"})
      / avg(process_resident_memory_bytes{namespace="{{namespace}}", pod=~"{{stable}}-[a-z0-9]+-[a-z0-9]+"})
  max: 3
`

// measured is a release whose queries are asked; the first one is live, and Prometheus
// knows its pods.
func measured(t *testing.T, l *lab, url, namespace string, more ...string) ([]string, *harness.Clients) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "queries.yaml")
	require.NoError(t, os.WriteFile(file, []byte(queries), 0o600))
	args, users := release(t, l, namespace, append([]string{"--prometheus-url", url, "--prometheus-queries", file}, more...)...)
	server, err := metric.NewServer(url, "", os.Getenv)
	require.NoError(t, err)
	client, err := metric.NewClient(server)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		readings, err := client.Ask(t.Context(), fmt.Sprintf("count(workload_sessions{namespace=%q})", namespace))
		return err == nil && len(readings) == 1 && readings[0].Value == 2
	}, soon, 200*time.Millisecond, "Prometheus does not know the two pods")
	return args, users
}

// hungry is a canary that answers like any other and takes memory.
func hungry(t *testing.T, manifests string) {
	t.Helper()
	edit(t, manifests, "image: registry.example/lobby:1.0.0",
		"image: registry.example/lobby:1.0.0\n        env: [{name: ALLOCATE_MIB, value: \"100\"}]")
}

// metricWithin: both queries are asked at every stage, have data wherever there are pods
// that they name, and pass.
func metricWithin(t *testing.T, l *lab, url string) {
	t.Helper()
	const namespace = "within"
	args, users := measured(t, l, url, namespace, "--steps", "50:12s,100", "--bake", "6s")
	res := l.run(t, args...)
	require.Equal(t, 0, res.exit)
	require.Equal(t, "promoted", res.report.Outcome, res.report.table())
	require.Len(t, res.report.Stages, 3)
	for i, name := range []string{"baseline", "50", "100"} {
		now := res.report.Stages[i]
		require.Equal(t, name, now.Name)
		require.Len(t, now.Queries, 2)
		sessions, memory := now.Queries[0], now.Queries[1]
		require.Equal(t, "pass", sessions.Verdict)
		require.Positive(t, sessions.Answered)
		require.Contains(t, sessions.Labels, `{pod="lobby-`)
		require.Equal(t, "pass", memory.Verdict)
		switch name {
		case "baseline":
			require.Zero(t, memory.Answered, "the canary has no pods")
		case "50":
			require.Positive(t, memory.Answered)
			require.InDelta(t, 1, *memory.Last, 0.9, "the same program")
		}
	}
	require.Greater(t, res.report.Stages[1].Queries[0].Asked, 2, "in the pause as well")
	require.Greater(t, res.report.Stages[2].Queries[0].Asked, 1, "and while it bakes")
	users.RequireNoneLost(t)
}

// metricBeyond: no flow shows what is wrong with this canary.
func metricBeyond(t *testing.T, l *lab, url string) {
	t.Helper()
	const namespace = "beyond"
	args, users := measured(t, l, url, namespace)
	hungry(t, args[1])
	markdown := filepath.Join(t.TempDir(), "report.md")
	res := l.run(t, append(args, "--report-markdown", markdown)...)
	l.requireTurnedDown(t, res, namespace)
	last := res.report.Stages[len(res.report.Stages)-1]
	require.Equal(t, "50", last.Name)
	require.InDelta(t, 50, *last.Observed, 20, "the flows were in order")
	require.Equal(t, "fail", last.Queries[1].Verdict)
	require.Greater(t, *last.Queries[1].Worst, 3.0)
	text, err := os.ReadFile(markdown)
	require.NoError(t, err)
	require.Contains(t, string(text), "memory against the old version")
	t.Logf("the report:\n%s", text)
	users.RequireNoneLost(t)
}

// metricLater: what the canary is told not to hold comes only after the stage has passed.
func metricLater(t *testing.T, l *lab, url string) {
	t.Helper()
	const namespace = "later"
	args, users := measured(t, l, url, namespace, "--steps", "50:5m,100")
	args = append(args, "--prometheus-queries", `
- name: sessions of the canary
  expr: max(workload_sessions{namespace="{{namespace}}", pod=~"{{canary}}-[a-z0-9]+-[a-z0-9]+"})
  max: 20
  for: 8s
`)
	r := l.start(t, args...)
	require.Eventually(t, func() bool { return r.passed("50") }, soon, 50*time.Millisecond)
	crowd := l.use(t, namespace, 100)
	res := r.wait(t)
	l.requireTurnedDown(t, res, namespace)
	last := res.report.Stages[len(res.report.Stages)-1]
	require.Equal(t, "50", last.Name)
	require.Greater(t, *last.Queries[0].Worst, 20.0)
	require.GreaterOrEqual(t, *last.Queries[0].OutsideSeconds, 8.0)
	require.Contains(t, res.report.Message, "; it has been outside for ")
	_, failed, _ := crowd.Stop()
	require.Empty(t, failed)
	users.RequireNoneLost(t)
}

// metricBefore: a release is not begun where the old version is out of bounds already.
func metricBefore(t *testing.T, l *lab, url string) {
	t.Helper()
	const namespace = "before"
	args, users := measured(t, l, url, namespace)
	pods := l.pods(t, namespace)
	file := filepath.Join(t.TempDir(), "queries.yaml")
	text := strings.Replace(queries, "min: 0", "min: 1000", 1)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	res := l.run(t, append(args, "--prometheus-queries", file)...)
	require.Equal(t, 1, res.exit)
	require.Equal(t, "BASELINE", res.report.Reason)
	require.Contains(t, res.report.Message, `query "sessions" gives `)
	require.Equal(t, pods, l.pods(t, namespace), "the pods are the same")
	require.Equal(t, -1, l.replicas(t, namespace, "lobby-canary"))
	users.RequireNoneLost(t)
}

// metricSilent: a server that is away for longer than a stage may wait for it ends the
// release, whose pods are treated as the healthy ones that they are.
func metricSilent(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "silent-metric"
	server, url := l.prometheus(t, "9091")
	args, users := measured(t, l, url, namespace, "--steps", "50:5m,100", "--stage-timeout", "20s")
	r := l.start(t, args...)
	require.Eventually(t, func() bool { return r.passed("50") }, soon, 50*time.Millisecond)
	server.Stop()
	res := r.wait(t)
	l.requireTurnedDown(t, res, namespace)
	require.Contains(t, res.report.Message, "had no data for ")
	require.Contains(t, res.report.Message, "was not measured: asking "+url)
	users.RequireNoneLost(t)
}

// requireTurnedDown: a query decided, and what was there before is back.
func (l *lab) requireTurnedDown(t *testing.T, res result, namespace string) {
	t.Helper()
	require.Equal(t, 1, res.exit)
	require.Equal(t, "rolled-back", res.report.Outcome)
	require.Equal(t, "FAIL_METRIC", res.report.Reason)
	require.Equal(t, 2, l.replicas(t, namespace, "lobby"))
	require.Contains(t, l.image(t, namespace), "1.0.0")
	l.requireTidy(t, namespace)
	pods, err := l.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, pod := range pods.Items {
		require.True(t, pod.DeletionTimestamp != nil || !strings.Contains(pod.Name, "canary"), "pod %s stays", pod.Name)
	}
}
