//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// mishap is a way in which a canary does not get its pods.
type mishap struct {
	reason          string
	soonest, latest time.Duration // from the scale-up to the end of the rollback
	edit            string        // beside the container's image
	template        string        // beside the template's containers
	more            []string      // arguments
	meddle          func(t *testing.T, l *lab, namespace string)
}

// mishaps are all of them, by the name of their namespace.
func mishaps() map[string]mishap {
	const noNode = "nodeSelector: {disk: ssd}"
	return map[string]mishap{
		"config": {reason: "CONFIG", latest: 30 * time.Second, edit: "envFrom: [{configMapRef: {name: missing}}]"},
		"never-ready": {
			reason: "DEADLINE", soonest: 18 * time.Second, latest: time.Minute, edit: "env: [{name: NEVER_READY, value: \"true\"}]",
			more: []string{"--move-timeout", "20s"},
		},
		"no-node": {reason: "UNSCHEDULABLE", soonest: 170 * time.Second, latest: 4 * time.Minute, template: noNode},
		"node-comes": {
			reason: "DEADLINE", soonest: 220 * time.Second, latest: 270 * time.Second, template: noNode,
			more: []string{"--move-timeout", "230s"}, meddle: announceNode,
		},
		"quota": {reason: "QUOTA", soonest: 170 * time.Second, latest: 4 * time.Minute, meddle: func(t *testing.T, l *lab, namespace string) {
			t.Helper()
			l.kubectl(t, "-n", namespace, "create", "quota", "team", "--hard", "pods=2")
		}},
	}
}

// TestFailing: each of them ends with its own reason, as soon as it is certain, and stable
// as it was.
func TestFailing(t *testing.T) {
	t.Parallel()
	l := newLab(t, "e2e-failing")
	for name, m := range mishaps() {
		t.Run(name, func(t *testing.T) { t.Parallel(); m.befall(t, l, name) })
	}
}

// befall lets it happen to a rollout.
func (m mishap) befall(t *testing.T, l *lab, namespace string) {
	t.Helper()
	l.namespace(t, namespace)
	first := l.run(t, single(t, namespace, "single", 2, "0.9.0", "1.0.0")...)
	require.Equal(t, "promoted", first.report.Outcome)
	users := l.use(t, namespace, 2)
	release := single(t, namespace, "single", 2, "1.0.0", "1.1.0", append([]string{"--steps", "50,100"}, m.more...)...)
	if m.edit != "" {
		container := "image: registry.example/lobby:1.0.0"
		edit(t, release[1], container, container+"\n        "+m.edit)
	}
	if m.template != "" {
		edit(t, release[1], "      containers:", "      "+m.template+"\n      containers:")
	}
	r := l.start(t, release...)
	if m.meddle != nil {
		require.Eventually(t, func() bool { return baselined(r) }, time.Minute, 20*time.Millisecond)
		m.meddle(t, l, namespace)
	}
	require.Eventually(t, func() bool { return l.replicas(t, namespace, "lobby-canary") > 0 }, time.Minute, 20*time.Millisecond)
	asked := time.Now()
	res := r.wait(t)
	took := time.Since(asked)
	t.Logf("%s: %.1fs from the scale-up to the end of the rollback: %s", res.report.Reason, took.Seconds(), res.report.Message)
	require.Equal(t, "rolled-back", res.report.Outcome)
	require.Equal(t, m.reason, res.report.Reason)
	require.Greater(t, took, m.soonest)
	require.Less(t, took, m.latest)
	require.Equal(t, 2, l.replicas(t, namespace, "lobby"))
	require.Equal(t, -1, l.replicas(t, namespace, "lobby-canary"))
	users.RequireNoneLost(t)
	l.requireTidy(t, namespace)
}

// baselined reports whether a run has begun to sample: its preflight is over.
func baselined(r *running) bool {
	data, err := os.ReadFile(filepath.Clean(r.report))
	return err == nil && strings.Contains(string(data), `"name": "baseline"`)
}

// announceNode says of every pod that finds no node what an autoscaler would say.
func announceNode(t *testing.T, l *lab, namespace string) {
	t.Helper()
	var pod corev1.Pod
	require.Eventually(t, func() bool {
		pods, err := l.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "status.phase=Pending"})
		require.NoError(t, err)
		if len(pods.Items) == 0 {
			return false
		}
		pod = pods.Items[0]
		return true
	}, time.Minute, 50*time.Millisecond)
	_, err := l.CoreV1().Events(namespace).Create(t.Context(), &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "scale-up-"}, Type: corev1.EventTypeNormal, Reason: "TriggeredScaleUp",
		Message: "pod triggered scale-up", InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: pod.Name, UID: pod.UID},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
}
