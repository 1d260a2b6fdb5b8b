//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// prober is the program as an image of the lab, which newLab has to be told to serve.
var prober = []string{"--probe-from", "cluster", "--probe-image", "registry.example/l4-canary:e2e"}

// TestInside: flows are made by pods of the cluster, and whichever way a run ends none of
// them is left.
func TestInside(t *testing.T) {
	t.Parallel()
	l := newLab(t, "e2e-inside", "--program", filepath.Join(root, "bin/l4-canary"))
	t.Run("promoted with the Role of doctor", func(t *testing.T) { t.Parallel(); insidePromoted(t, l) })
	t.Run("rolled back", func(t *testing.T) { t.Parallel(); insideBack(t, l) })
	t.Run("killed in a window", func(t *testing.T) { t.Parallel(); insideKilled(t, l) })
	t.Run("its prober deleted", func(t *testing.T) { t.Parallel(); insideDeleted(t, l) })
	t.Run("no image", func(t *testing.T) { t.Parallel(); insideImageless(t, l) })
	t.Run("no room", func(t *testing.T) { t.Parallel(); insideQuota(t, l) })
}

// inside is a release whose flows the cluster makes; the first one is live.
func inside(t *testing.T, l *lab, namespace string, more ...string) []string {
	t.Helper()
	l.namespace(t, namespace)
	first := l.run(t, single(t, namespace, "single", 2, "0.9.0", "1.0.0")...)
	require.Equal(t, "promoted", first.report.Outcome)
	require.Equal(t, "runner", first.report.ProbeFrom)
	require.False(t, first.report.Inside, "the lab's runner is no part of the cluster")
	return single(t, namespace, "single", 2, "1.0.0", "1.1.0", append(append([]string{"--steps", "50,100"}, prober...), more...)...)
}

// probers are the names of everything that makes flows in a namespace, or goes with it.
func (l *lab) probers(t *testing.T, namespace string) []string {
	t.Helper()
	var names []string
	ours := metav1.ListOptions{LabelSelector: "l4-canary.io/prober"}
	jobs, err := l.BatchV1().Jobs(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, job := range jobs.Items {
		names = append(names, "job "+job.Name)
	}
	secrets, err := l.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, secret := range secrets.Items {
		names = append(names, "secret "+secret.Name)
	}
	pods, err := l.CoreV1().Pods(namespace).List(t.Context(), ours)
	require.NoError(t, err)
	for _, pod := range pods.Items {
		names = append(names, "pod "+pod.Name)
	}
	maps, err := l.CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, config := range maps.Items {
		if config.Name != "kube-root-ca.crt" {
			names = append(names, "configmap "+config.Name)
		}
	}
	return names
}

// requireNoProber: the garbage collector has taken what was left to it.
func (l *lab) requireNoProber(t *testing.T, namespace string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(l.probers(t, namespace)) == 0 }, 30*time.Second, 200*time.Millisecond, "something makes flows still")
}

// sampling waits until a pod makes flows for a stage.
func (r *running) sampling(t *testing.T, l *lab, namespace, name string) {
	t.Helper()
	require.Eventually(t, func() bool {
		pods, err := l.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "l4-canary.io/prober", FieldSelector: "status.phase=Running"})
		return err == nil && len(pods.Items) == 1 && pods.Items[0].DeletionTimestamp == nil && r.passed(name)
	}, soon, 50*time.Millisecond)
}

// insidePromoted: what doctor says is enough, and the report says what was measured.
func insidePromoted(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "inside"
	args := inside(t, l, namespace)
	restricted := l.withDoctorsRole(t, namespace, "--probe-from", "cluster")
	users := l.use(t, namespace, 5)

	markdown := filepath.Join(t.TempDir(), "report.md")
	res := restricted.run(t, append(args, "--steps", "50:5s,100", "--report-markdown", markdown)...)
	require.Equal(t, 0, res.exit)
	require.Equal(t, "promoted", res.report.Outcome, res.report.table())
	require.Equal(t, "cluster", res.report.ProbeFrom)
	require.True(t, res.report.Inside)
	require.InDelta(t, 50, *res.report.Stages[1].Observed, 10)
	text, err := os.ReadFile(markdown)
	require.NoError(t, err)
	require.Contains(t, string(text), "**Measured from inside (kube-proxy only).**")
	users.RequireNoneLost(t)
	l.requireNoProber(t, namespace)
	_, forbidden := l.answered(t, "system:serviceaccount:"+namespace+":l4-canary")
	for _, request := range forbidden {
		require.Contains(t, request, "/namespaces/kube-system/configmaps/cilium-config")
	}
}

// insideBack: a version that answers for the other is found out from inside as well.
func insideBack(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "inside-back"
	args := inside(t, l, namespace)
	liar(t, args[1])
	res := l.run(t, args...)
	require.Equal(t, 1, res.exit)
	require.Equal(t, "rolled-back", res.report.Outcome)
	require.Equal(t, "FAIL_SHARE", res.report.Reason)
	require.Equal(t, 2, l.replicas(t, namespace, "lobby"))
	l.requireNoProber(t, namespace)
	l.requireTidy(t, namespace)
}

// insideKilled: the process is gone in the middle of a window. Its pod goes on, until
// whoever comes next takes it away.
func insideKilled(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "inside-killed"
	args := inside(t, l, namespace, "--steps", "50:10m,100")
	r := l.start(t, args...)
	r.sampling(t, l, namespace, "50")
	r.kill(t)
	require.NotEmpty(t, l.probers(t, namespace))
	jobs, err := l.BatchV1().Jobs(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, jobs.Items, 1)
	require.Equal(t, "Lease", jobs.Items[0].OwnerReferences[0].Kind)
	require.LessOrEqual(t, *jobs.Items[0].Spec.ActiveDeadlineSeconds, int64(660), "and no longer than the pause, and a minute")

	// One that goes on begins by taking it away, and ends with none of its own.
	res := l.run(t, append(args, "--steps", "50:2s,100", "--until", "50")...)
	require.Equal(t, 0, res.exit)
	require.Equal(t, "held", res.report.Outcome)
	l.requireNoProber(t, namespace)

	r = l.start(t, args...)
	require.Eventually(t, func() bool { return len(l.probers(t, namespace)) == 3 }, soon, 50*time.Millisecond)
	r.kill(t)
	back := l.command(t, "rollback", "--namespace", namespace, "--drain", "2s")
	require.Equal(t, 0, back.exit, back.stderr)
	l.requireNoProber(t, namespace)
	l.requireTidy(t, namespace)
}

// insideDeleted: somebody removes the pod that measures. No version is blamed for it,
// and nothing goes on by what was not measured.
func insideDeleted(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "inside-deleted"
	args := inside(t, l, namespace, "--rate", "1", "--until", "50")
	r := l.start(t, args...)
	require.Eventually(t, func() bool { return len(l.probers(t, namespace)) == 3 }, soon, 50*time.Millisecond)
	require.NoError(t, l.BatchV1().Jobs(namespace).DeleteCollection(t.Context(),
		metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}, metav1.ListOptions{}))
	res := r.wait(t)
	require.Equal(t, 1, res.exit)
	require.Equal(t, "aborted", res.report.Outcome)
	require.Equal(t, "INVALID_LOCAL_ERRORS", res.report.Reason)
	require.Contains(t, res.report.Message, "the prober in the cluster")
	require.Equal(t, "invalid", res.report.Stages[0].Verdict)
	l.requireNoProber(t, namespace)
}

// insideImageless fails at once, and names the prober's image.
func insideImageless(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "inside-imageless"
	args := inside(t, l, namespace)
	res := l.run(t, append(args, "--probe-image", "registry.example/missing/l4-canary:e2e")...)
	require.Equal(t, 1, res.exit)
	require.Equal(t, "aborted", res.report.Outcome)
	require.Equal(t, "IMAGE", res.report.Reason)
	require.Contains(t, res.report.Message, "the prober in the cluster cannot run, and nothing was measured: image registry.example/missing/l4-canary:e2e")
	require.Less(t, res.took, time.Minute)
	l.requireNoProber(t, namespace)

	res = l.run(t, append(args, "--probe-image", "registry.example/web:v1")...)
	require.Equal(t, 1, res.exit)
	require.Equal(t, "aborted", res.report.Outcome)
	require.Contains(t, res.report.Message, "its image knows nothing of probing from inside a cluster")
	l.requireNoProber(t, namespace)
}

// insideQuota: the namespace has no room for the prober, and that is what is said.
func insideQuota(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "inside-quota"
	args := inside(t, l, namespace)
	l.kubectl(t, "-n", namespace, "create", "quota", "team", "--hard", "count/jobs.batch=0")
	res := l.run(t, args...)
	require.Equal(t, 1, res.exit)
	require.Equal(t, "aborted", res.report.Outcome)
	require.Equal(t, "QUOTA", res.report.Reason)
	require.Contains(t, res.report.Message, "no prober can be made")
	l.kubectl(t, "-n", namespace, "delete", "quota", "team")
	l.kubectl(t, "-n", namespace, "create", "quota", "team", "--hard", "pods=4")
	res = l.run(t, args...)
	require.Equal(t, 2, res.exit)
	require.Contains(t, res.report.Message, "more pods beside the prober's")
	l.requireNoProber(t, namespace)
}
