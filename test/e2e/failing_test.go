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

// TestFailing is every way in which a canary does not get its pods: each ends with its
// own reason, as soon as it is certain, and stable as it was.
func TestFailing(t *testing.T) {
	t.Parallel()
	l := newLab(t, "e2e-failing")
	container := "image: registry.example/lobby:1.0.0"
	for name, row := range map[string]struct {
		reason   string
		soonest  time.Duration
		latest   time.Duration
		edit     string // beside the container's image
		template string // beside the template's containers
		more     []string
		meddle   func(t *testing.T, namespace string)
	}{
		"config": {reason: "CONFIG", latest: 30 * time.Second, edit: "envFrom: [{configMapRef: {name: missing}}]"},
		"never-ready": {reason: "DEADLINE", soonest: 18 * time.Second, latest: time.Minute, edit: "env: [{name: NEVER_READY, value: \"true\"}]",
			more: []string{"--move-timeout", "20s"}},
		"no-node": {reason: "UNSCHEDULABLE", soonest: 170 * time.Second, latest: 4 * time.Minute, template: "nodeSelector: {disk: ssd}"},
		"node-comes": {reason: "DEADLINE", soonest: 220 * time.Second, latest: 270 * time.Second, template: "nodeSelector: {disk: ssd}",
			more: []string{"--move-timeout", "230s"}, meddle: func(t *testing.T, namespace string) {
				t.Helper()
				announceNode(t, l, namespace)
			}},
		"quota": {reason: "QUOTA", soonest: 170 * time.Second, latest: 4 * time.Minute, meddle: func(t *testing.T, namespace string) {
			t.Helper()
			l.kubectl(t, "-n", namespace, "create", "quota", "team", "--hard", "pods=2")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l.namespace(t, name)
			first := l.run(t, single(t, name, "single", 2, "0.9.0", "1.0.0")...)
			require.Equal(t, "promoted", first.report.Outcome)
			users := l.use(t, name, 2)
			release := single(t, name, "single", 2, "1.0.0", "1.1.0", append([]string{"--steps", "50,100"}, row.more...)...)
			if row.edit != "" {
				edit(t, release[1], container, container+"\n        "+row.edit)
			}
			if row.template != "" {
				edit(t, release[1], "      containers:", "      "+row.template+"\n      containers:")
			}
			r := l.start(t, release...)
			if row.meddle != nil {
				require.Eventually(t, func() bool { return baselined(r) }, time.Minute, 20*time.Millisecond)
				row.meddle(t, name)
			}
			require.Eventually(t, func() bool { return l.replicas(t, name, "lobby-canary") > 0 }, time.Minute, 20*time.Millisecond)
			asked := time.Now()
			res := r.wait(t)
			took := time.Since(asked)
			t.Logf("%s: %.1fs from the scale-up to the end of the rollback: %s", res.report.Reason, took.Seconds(), res.report.Message)
			require.Equal(t, "rolled-back", res.report.Outcome)
			require.Equal(t, row.reason, res.report.Reason)
			require.Greater(t, took, row.soonest)
			require.Less(t, took, row.latest)
			require.Equal(t, 2, l.replicas(t, name, "lobby"))
			require.Equal(t, -1, l.replicas(t, name, "lobby-canary"))
			users.RequireNoneLost(t)
			l.requireTidy(t, name)
		})
	}
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
