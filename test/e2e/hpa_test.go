//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestHPA is a rollout of what an autoscaler scales. Without metrics the autoscaler
// still holds its bounds: a count outside of them is gone within 15 seconds, so every
// split of these rollouts is one that it would undo.
func TestHPA(t *testing.T) {
	t.Parallel()
	l := newLab(t, "e2e-hpa")
	t.Run("pair", func(t *testing.T) { t.Parallel(); scaledPair(t, l) })
	for _, finish := range []string{"adopt", "handover"} {
		t.Run(finish, func(t *testing.T) { t.Parallel(); scaledPromoted(t, l, finish) })
	}
	t.Run("turned down", func(t *testing.T) { t.Parallel(); scaledTurnedDown(t, l) })
	t.Run("killed", func(t *testing.T) { t.Parallel(); scaledKilled(t, l) })
	t.Run("refused", func(t *testing.T) { t.Parallel(); scaledRefused(t, l) })
}

// scalerText is an autoscaler of a Deployment with its name, of between 3 and most pods.
func scalerText(name string, most int) string {
	return fmt.Sprintf(`apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: %[1]s}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %[1]s}, minReplicas: 3, maxReplicas: %[2]d}
`, name, most)
}

// scaled is the first version of a single Deployment of three pods, in a namespace of
// its own, and an autoscaler that holds them at three.
func scaled(t *testing.T, l *lab, namespace string) *autoscalingv2.HorizontalPodAutoscaler {
	t.Helper()
	l.namespace(t, namespace)
	first := l.run(t, single(t, namespace, "single", 3, "0.9.0", "1.0.0")...)
	require.Equal(t, "promoted", first.report.Outcome)
	l.applyText(t, namespace, scalerText("lobby", 3))
	return l.scaler(t, namespace, "lobby")
}

// applyText applies a manifest with kubectl.
func (l *lab) applyText(t *testing.T, namespace, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "manifest.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	l.kubectl(t, "-n", namespace, "apply", "-f", file)
}

func (l *lab) scaler(t *testing.T, namespace, name string) *autoscalingv2.HorizontalPodAutoscaler {
	t.Helper()
	s, err := l.AutoscalingV2().HorizontalPodAutoscalers(namespace).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	return s
}

// requireScaler: an autoscaler says what it said before, and nothing of a pause.
func (l *lab) requireScaler(t *testing.T, namespace string, was *autoscalingv2.HorizontalPodAutoscaler) {
	t.Helper()
	is := l.scaler(t, namespace, was.Name)
	require.Equal(t, was.Spec, is.Spec)
	require.NotContains(t, is.Annotations, "l4-canary.io/paused")
}

// requireFights: the autoscaler is at work. It takes a count that is not its own back.
func (l *lab) requireFights(t *testing.T, namespace, deployment string) {
	t.Helper()
	l.watched(t, namespace).meddle(meddling{ready: 1})
	l.kubectl(t, "-n", namespace, "scale", "deployment/"+deployment, "--replicas=2")
	require.Eventually(t, func() bool { return l.replicas(t, namespace, deployment) == 3 }, time.Minute, 200*time.Millisecond)
}

// slow is a release that stands at half for longer than it takes an autoscaler to act.
func slow(t *testing.T, namespace string, more ...string) []string {
	t.Helper()
	return single(t, namespace, "single", 3, "1.0.0", "1.1.0", append([]string{"--steps", "50:15s,100", "--tolerance", "10", "--drain", "2s"}, more...)...)
}

// scaledRefused: without being told, the program leaves autoscalers alone, and the
// namespace too.
func scaledRefused(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "hpa-refused"
	was := scaled(t, l, namespace)
	l.requireFights(t, namespace, "lobby")
	l.wait(t, namespace, "lobby")
	began := time.Now()
	res := l.run(t, slow(t, namespace)...)
	require.Equal(t, 2, res.exit)
	require.Equal(t, "refused", res.report.Outcome)
	require.Equal(t, "PREFLIGHT", res.report.Reason)
	require.Contains(t, res.stderr, `HorizontalPodAutoscaler lobby scales Deployment "lobby"`)
	require.Contains(t, res.stderr, `set input "hpa" to pause`)
	writes := slices.DeleteFunc(l.audited(t, began).writes, func(w string) bool { return !strings.Contains(w, "/namespaces/"+namespace+"/") })
	require.Empty(t, writes)
	l.requireScaler(t, namespace, was)
}

// scaledPromoted: the counts are the plan's all the time, and afterwards the
// autoscaler is what it was.
func scaledPromoted(t *testing.T, l *lab, finish string) {
	t.Helper()
	namespace := "hpa-" + finish
	was := scaled(t, l, namespace)
	users := l.use(t, namespace, 3)
	res := l.run(t, slow(t, namespace, "--hpa", "pause", "--finish", finish)...)
	t.Log(res.report.table())
	require.Equal(t, 0, res.exit)
	require.Equal(t, "promoted", res.report.Outcome)
	require.Equal(t, 2, res.report.Stages[1].Stable, "fewer than the autoscaler wants")
	require.Contains(t, res.stdout, "autoscaling is paused autoscalers=[lobby]")
	require.Empty(t, res.report.PausedAutoscalers)
	l.requireScaler(t, namespace, was)
	require.Equal(t, 3, l.replicas(t, namespace, "lobby"))
	require.Equal(t, -1, l.replicas(t, namespace, "lobby-canary"))
	require.Contains(t, l.image(t, namespace), "1.1.0")
	users.RequireNoneLost(t)
	if finish == "handover" { // its Deployment is another of the same name
		l.requireFights(t, namespace, "lobby")
	}
}

// scaledTurnedDown: a release that is held keeps the autoscaler paused. Another one
// takes its place, fails its flows and goes, and the autoscaler is back.
func scaledTurnedDown(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "hpa-down"
	was := scaled(t, l, namespace)
	held := l.run(t, slow(t, namespace, "--hpa", "pause", "--until", "50")...)
	require.Equal(t, 0, held.exit)
	require.Equal(t, "held", held.report.Outcome)
	require.Equal(t, []string{"lobby"}, held.report.PausedAutoscalers)
	release := single(t, namespace, "single", 3, "1.0.0", "1.2.0", "--steps", "50,100", "--drain", "2s", "--hpa", "pause")
	container := "image: registry.example/lobby:1.0.0"
	edit(t, release[1], container, container+"\n        env: [{name: ERROR_SHARE, value: \"1\"}]")
	res := l.run(t, release...)
	require.Equal(t, 1, res.exit)
	require.Equal(t, "rolled-back", res.report.Outcome)
	require.Equal(t, "FAIL_ERRORS", res.report.Reason)
	require.Contains(t, strings.Join(res.report.Notices, "\n"), "was rolled back first")
	require.Empty(t, res.report.PausedAutoscalers)
	l.requireScaler(t, namespace, was)
	require.Equal(t, 3, l.replicas(t, namespace, "lobby"))
	l.requireTidy(t, namespace)
}

// scaledKilled: what a killed run leaves stays as it is, says so, and goes back.
func scaledKilled(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "hpa-killed"
	was := scaled(t, l, namespace)
	r := l.start(t, slow(t, namespace, "--hpa", "pause")...)
	require.Eventually(t, func() bool { return l.replicas(t, namespace, "lobby") == 2 }, time.Minute, 50*time.Millisecond)
	r.kill(t)
	status := l.command(t, "status", "--namespace", namespace)
	require.True(t, strings.HasPrefix(status.stdout, "autoscaling of HorizontalPodAutoscaler lobby is paused\n"), status.stdout)
	require.Never(t, func() bool { return l.replicas(t, namespace, "lobby") != 2 }, 20*time.Second, 200*time.Millisecond)
	paused := l.scaler(t, namespace, "lobby")
	require.NotEqual(t, was.Spec, paused.Spec)

	back := l.command(t, "rollback", "--namespace", namespace, "--drain", "2s")
	require.Equal(t, 0, back.exit, back.stderr)
	l.requireScaler(t, namespace, was)
	require.Equal(t, 3, l.replicas(t, namespace, "lobby"))
	require.Equal(t, -1, l.replicas(t, namespace, "lobby-canary"))
	l.requireTidy(t, namespace)

	// The annotation is the patch that ends the pause, for whoever has only kubectl.
	patch := paused.Annotations["l4-canary.io/paused"]
	l.kubectl(t, "-n", namespace, "annotate", "hpa/lobby", "l4-canary.io/paused="+patch)
	l.kubectl(t, "-n", namespace, "patch", "hpa/lobby", "--type", "merge", "-p", `{"spec":{"minReplicas":1,"maxReplicas":9,"behavior":{"scaleUp":{"selectPolicy":"Disabled"},"scaleDown":{"selectPolicy":"Disabled"}}}}`)
	l.kubectl(t, "-n", namespace, "patch", "hpa/lobby", "--type", "merge", "-p", patch)
	l.requireScaler(t, namespace, was)
}

// scaledPair: the new version's autoscaler comes with the manifests, when the rollout
// has ended; the old one's is off by itself, and both are back after a rollback.
func scaledPair(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "hpa-pair"
	l.namespace(t, namespace)
	manifests := lobby(t)
	for _, name := range []string{"lobby-blue.yaml", "service.yaml"} {
		l.kubectl(t, "-n", namespace, "apply", "-f", filepath.Join(manifests, name))
	}
	l.serve(t, namespace, "lobby-blue")
	l.applyText(t, namespace, scalerText("lobby-blue", 3))
	was := l.scaler(t, namespace, "lobby-blue")
	release := append([]string{
		"--manifests", manifests, "--namespace", namespace, "--stable-pattern", `^1\.8\.2 `, "--canary-pattern", `^1\.9\.0 `,
		"--steps", "50:15s,100", "--tolerance", "10", "--hpa", "pause",
	}, fast...)
	res := l.run(t, release...)
	require.Equal(t, 2, res.exit)
	require.Contains(t, res.stderr, `Deployment "lobby-blue" has an autoscaler and Deployment "lobby-green" has none`)

	require.NoError(t, os.WriteFile(filepath.Join(manifests, "scaler.yaml"), []byte(scalerText("lobby-green", 8)), 0o600))
	res = l.run(t, release...)
	require.Equal(t, 0, res.exit)
	require.Equal(t, "promoted", res.report.Outcome)
	l.requireScaler(t, namespace, was)
	green := l.scaler(t, namespace, "lobby-green")
	require.Equal(t, int32(8), green.Spec.MaxReplicas)
	require.Nil(t, green.Spec.Behavior)
	l.requireFights(t, namespace, "lobby-green")
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(l.scaler(t, namespace, "lobby-blue").Status.Conditions, func(c autoscalingv2.HorizontalPodAutoscalerCondition) bool {
			return c.Type == autoscalingv2.ScalingActive && c.Reason == "ScalingDisabled"
		})
	}, time.Minute, 200*time.Millisecond)
	require.Equal(t, 0, l.replicas(t, namespace, "lobby-blue"))

	back := l.command(t, "rollback", "--namespace", namespace, "--drain", "2s")
	require.Equal(t, 0, back.exit, back.stderr)
	require.Equal(t, 3, l.replicas(t, namespace, "lobby-blue"))
	require.Equal(t, 0, l.replicas(t, namespace, "lobby-green"))
	l.requireScaler(t, namespace, was)
	l.requireScaler(t, namespace, green)
	l.requireTidy(t, namespace)
}
