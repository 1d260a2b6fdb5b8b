//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// locally: under externalTrafficPolicy Local a node's flows stay on it. The canary's pods
// are all on the first node, stable's on both, so the share that the balancer shows is not
// that of the pods, and it is the first that a stage is held against.
func locally(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "local"
	l.namespace(t, namespace)
	manifests := t.TempDir()
	place := func(file string, edits ...string) string {
		data, err := os.ReadFile(filepath.Join(root, "testdata/manifests/lobby", file))
		require.NoError(t, err)
		text := strings.NewReplacer(edits...).Replace(string(data))
		require.NotEqual(t, string(data), text)
		path := filepath.Join(manifests, file)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	const three, template = "replicas: 10", "    spec:\n      containers:"
	service := place("service.yaml", "type: LoadBalancer", "type: LoadBalancer\n  externalTrafficPolicy: Local")
	stable := place("lobby-blue.yaml", three, "replicas: 3", template, `    spec:
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {track: blue}}}
      containers:`)
	place("lobby-green.yaml", three, "replicas: 3", template, "    spec:\n      nodeSelector: {kubernetes.io/hostname: e2e-two-1}\n      containers:")
	l.kubectl(t, "-n", namespace, "apply", "-f", stable, "-f", service)
	l.serve(t, namespace, "lobby-blue")

	args := append([]string{
		"--manifests", manifests, "--namespace", namespace, "--steps", "50", "--max-surge", "1",
		"--stable-pattern", `^1\.8\.2 (?P<pod>\S+)`, "--canary-pattern", `^1\.9\.0 (?P<pod>\S+)`,
	}, fast...)
	res := l.run(t, args...)
	require.Equal(t, "held", res.report.Outcome, res.report.table())
	half := res.report.Stages[1]
	require.InDelta(t, 50, half.Planned, 0.001)
	placed := l.byNode(t, namespace)
	require.Len(t, placed, 2, "both nodes have pods: %v", placed)
	var mean float64
	for _, pods := range placed {
		mean += 50 * pods["green"] / (pods["blue"] + pods["green"])
	}
	require.NotContains(t, placed["e2e-two-2"], "green")
	require.InDelta(t, mean, *half.Expected, 0.01, "the mean over the nodes of %v", placed)
	require.Greater(t, 50-mean, 10.0, "which is far from the pods' share")
	require.Equal(t, "pass", half.Verdict)
	t.Logf("pods %v: planned %.2f, expected %.2f, observed %.2f of %d", placed, half.Planned, *half.Expected, *half.Observed, half.Samples)
}

// byNode counts the pods of each track on each node.
func (l *lab) byNode(t *testing.T, namespace string) map[string]map[string]float64 {
	t.Helper()
	pods, err := l.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=lobby"})
	require.NoError(t, err)
	placed := map[string]map[string]float64{}
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp != nil {
			continue
		}
		if placed[pod.Spec.NodeName] == nil {
			placed[pod.Spec.NodeName] = map[string]float64{}
		}
		placed[pod.Spec.NodeName][pod.Labels["track"]]++
	}
	return placed
}
