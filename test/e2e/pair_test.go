//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pair is testdata's pair with two versions, on TCP alone.
func pair(t *testing.T, blue, green string) string {
	t.Helper()
	return lobby(t,
		"image: registry.example/lobby-blue:1.8.2", "image: registry.example/lobby:"+blue,
		"image: registry.example/lobby-green:1.9.0", "image: registry.example/lobby:"+green,
		"        - name: state\n          containerPort: 7000\n          protocol: UDP\n", "",
		"  - name: state\n    port: 7000\n    protocol: UDP\n    targetPort: state\n", "",
		"        readinessProbe:\n", "        readinessProbe:\n          periodSeconds: 1\n",
	)
}

// alternating: two Deployments take turns, whatever their names; the old one is kept
// at zero twice, and deleted at last.
func alternating(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "alternating"
	l.namespace(t, namespace)
	release := func(manifests, from, to string, more ...string) result {
		return l.run(t, append(append([]string{
			"--manifests", manifests, "--namespace", namespace, "--stable-pattern", "^" + from + " ", "--canary-pattern", "^" + to + " ",
		}, fast...), append([]string{"--drain", "2s"}, more...)...)...)
	}
	require := requireSides(t, l, namespace)

	first := pair(t, "1.0.0", "1.1.0")
	l.kubectl(t, "-n", namespace, "apply", "-f", filepath.Join(first, "lobby-blue.yaml"), "-f", filepath.Join(first, "service.yaml"))
	l.serve(t, namespace, "lobby-blue")
	users := l.use(t, namespace, 5)
	require(release(first, "1.0.0", "1.1.0", "--finish", "keep"), "blue 0, green 3")
	require(release(pair(t, "1.2.0", "1.1.0"), "1.1.0", "1.2.0"), "blue 3, green 0")
	// Hours later, from another machine: the old pods are at zero, and come back.
	l.undone(t, namespace, "lobby-green", 3, "1.1.0")
	require(release(pair(t, "1.2.0", "1.1.0"), "1.1.0", "1.2.0"), "blue 3, green 0")
	require(release(pair(t, "1.2.0", "1.3.0"), "1.2.0", "1.3.0", "--finish", "delete"), "blue -1, green 3")
	l.requireTidy(t, namespace)
	users.RequireNoneLost(t)
}

// requireSides: a release of the pair has passed every stage and left these pods.
func requireSides(t *testing.T, l *lab, namespace string) func(res result, pods string) {
	t.Helper()
	return func(res result, pods string) {
		t.Helper()
		t.Log(res.report.table())
		require.Equal(t, "promoted", res.report.Outcome)
		require.Equal(t, "pair", res.report.Mode)
		require.Equal(t, pods, fmt.Sprintf("blue %d, green %d", l.replicas(t, namespace, "lobby-blue"), l.replicas(t, namespace, "lobby-green")))
		var stages []string
		for _, s := range res.report.Stages {
			stages = append(stages, fmt.Sprintf("%s %d+%d", s.Name, s.Stable, s.Canary))
		}
		require.Equal(t, strings.Join(weights[3], ", "), strings.Join(stages, ", "))
	}
}
