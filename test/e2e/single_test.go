//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/test/harness"
)

// TestSingle is one Deployment whose template changes, release after release.
func TestSingle(t *testing.T) {
	t.Parallel()
	l := newLab(t, "e2e-single")
	releases(t, l)
	t.Run("with doctor's Role", func(t *testing.T) { t.Parallel(); rightsOfDoctor(t, l) })
	t.Run("kustomization", func(t *testing.T) { t.Parallel(); kustomized(t, l) })
	t.Run("killed and gone on with", func(t *testing.T) { t.Parallel(); killed(t, l) })
	t.Run("taken over", func(t *testing.T) { t.Parallel(); takenOver(t, l) })
	t.Run("200 connections, parked", func(t *testing.T) { t.Parallel(); conversations(t, l, "single", `(?P<pod>\S+)`) })
	t.Run("200 connections, parked by release", func(t *testing.T) { t.Parallel(); conversations(t, l, "single-equal", "") })
	t.Run("connections of a pod that was killed", func(t *testing.T) { t.Parallel(); cut(t, l) })
	t.Run("UDP sessions", func(t *testing.T) { t.Parallel(); sessions(t, l) })
	t.Run("baked", func(t *testing.T) { t.Parallel(); baked(t, l) })
	t.Run("crashed", func(t *testing.T) { t.Parallel(); crashed(t, l) })
	t.Run("suspended", func(t *testing.T) { t.Parallel(); suspended(t, l) })
	rollbacks(t, l)
	t.Run("stable scaled", func(t *testing.T) { t.Parallel(); drift(t, l, "lobby", 4, meddling{pods: 2}, "4+2") })
	t.Run("canary scaled", func(t *testing.T) {
		t.Parallel()
		drift(t, l, "lobby-canary", 3, meddling{pods: 1, share: 10}, "2+3")
	})
	t.Run("a pod breaks while another is parked", func(t *testing.T) { t.Parallel(); brokenMeanwhile(t, l) })
	t.Run("a parked pod is deleted", func(t *testing.T) { t.Parallel(); deletedMeanwhile(t, l, "single") })
	t.Run("a released pod is deleted", func(t *testing.T) { t.Parallel(); deletedMeanwhile(t, l, "single-equal") })
	t.Run("applied by kubectl", func(t *testing.T) { t.Parallel(); applied(t, l) })
}

// single are the inputs of one release of testdata's single Deployment.
func single(t *testing.T, namespace, dir string, replicas int, from, to string, more ...string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "testdata/manifests", dir, "lobby.yaml"))
	require.NoError(t, err)
	text := strings.Replace(string(data), "replicas: 3", fmt.Sprintf("replicas: %d", replicas), 1)
	manifests := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(manifests, "lobby.yaml"), []byte(text), 0o600))
	return append(append([]string{
		"--manifests", manifests, "--images", "registry.example/lobby:" + to, "--namespace", namespace,
		"--stable-pattern", "^" + regexp.QuoteMeta(from) + " ", "--canary-pattern", "^" + regexp.QuoteMeta(to) + " ",
	}, fast...), more...)
}

// edit changes the manifest of a release.
func edit(t *testing.T, dir, old, new string) {
	t.Helper()
	name := filepath.Join(dir, "lobby.yaml")
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	text := strings.Replace(string(data), old, new, 1)
	require.NotEqual(t, string(data), text)
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
}

// pods are the UIDs of the serving pods, by name.
func (l *lab) pods(t *testing.T, namespace string) map[string]string {
	t.Helper()
	list, err := l.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	found := map[string]string{}
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning {
			found[pod.Name] = string(pod.UID)
		}
	}
	return found
}

// image is what the template of the single Deployment says.
func (l *lab) image(t *testing.T, namespace string) string {
	t.Helper()
	return l.imageOf(t, namespace, "lobby")
}

func (l *lab) imageOf(t *testing.T, namespace, deployment string) string {
	t.Helper()
	d, err := l.AppsV1().Deployments(namespace).Get(t.Context(), deployment, metav1.GetOptions{})
	require.NoError(t, err)
	return d.Spec.Template.Spec.Containers[0].Image
}

// requireOlder: every pod was there at that time, so what was judged serves on.
func (l *lab) requireOlder(t *testing.T, namespace string, than time.Time) {
	t.Helper()
	list, err := l.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, pod := range list.Items {
		require.WithinRange(t, pod.CreationTimestamp.Time, time.Time{}, than, pod.Name)
	}
}

// kustomized: an overlay is rendered, and what it says is what runs.
func kustomized(t *testing.T, l *lab) {
	t.Helper()
	l.namespace(t, "kustomized")
	res := l.run(t, append([]string{
		"--manifests", "testdata/manifests/kustomize/overlay", "--namespace", "kustomized", "--stable-pattern", "^1.1.0 ", "--canary-pattern", "^1.2.0 ",
	}, fast...)...)
	require.Equal(t, "promoted", res.report.Outcome)
	require.Equal(t, 2, l.replicas(t, "kustomized", "lobby"))
	require.Contains(t, l.image(t, "kustomized"), "lobby:1.1.0")
}

// command runs another command of the program with the lab's kubeconfig.
func (l *lab) command(t *testing.T, args ...string) result {
	t.Helper()
	cmd := command(t.Context(), append([]string{args[0], "--kubeconfig", l.kubeconfig}, args[1:]...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		_, exited := errors.AsType[*exec.ExitError](err)
		require.True(t, exited, err)
	}
	res := result{exit: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(), took: time.Since(began)}
	t.Logf("%v: exit %d after %s\n%s%s", args, res.exit, res.took.Round(time.Millisecond), res.stdout, res.stderr)
	return res
}

// requireTidy: no Lease and nothing parked is left.
func (l *lab) requireTidy(t *testing.T, namespace string) {
	t.Helper()
	leases, err := l.CoordinationV1().Leases(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, leases.Items)
	list, err := l.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			require.NotContains(t, slices.Collect(maps.Keys(pod.Annotations)), "l4-canary.io/parked", pod.Name)
		}
	}
}

// begun is a release of three pods under way, in its stage of 50 %.
func begun(t *testing.T, l *lab, namespace string) (*running, *harness.Clients) {
	t.Helper()
	l.namespace(t, namespace)
	first := l.run(t, single(t, namespace, "single", 3, "0.9.0", "1.0.0")...)
	require.Equal(t, "promoted", first.report.Outcome)
	users := l.use(t, namespace, 5)
	r := l.start(t, single(t, namespace, "single", 3, "1.0.0", "1.1.0", "--steps", "50,100")...)
	require.Eventually(t, func() bool { return l.replicas(t, namespace, "lobby") == 2 }, soon, 50*time.Millisecond)
	return r, users
}

// killed: the process is gone without a word. What it left is safe; the same
// release goes on; the way back is open.
func killed(t *testing.T, l *lab) {
	t.Helper()
	r, users := begun(t, l, "killed")
	r.kill(t)
	status := l.command(t, "status", "--namespace", "killed")
	require.Contains(t, status.stdout, "stages, passed 0 %")

	res := l.run(t, single(t, "killed", "single", 3, "1.0.0", "1.1.0", "--steps", "50,100", "--until", "50")...)
	require.Equal(t, 0, res.exit)
	require.Equal(t, "held", res.report.Outcome)
	res = l.run(t, single(t, "killed", "single", 3, "1.0.0", "1.1.0", "--steps", "50,100")...)
	require.Equal(t, 0, res.exit)
	require.Equal(t, "promoted", res.report.Outcome)
	require.Len(t, res.report.Stages, 1, "what had passed is not done again")
	require.Contains(t, l.image(t, "killed"), "1.1.0")
	users.RequireNoneLost(t)
}

// takenOver: a rollback from elsewhere wins over a live run, which says so.
func takenOver(t *testing.T, l *lab) {
	t.Helper()
	r, users := begun(t, l, "taken")
	back := l.command(t, "rollback", "--namespace", "taken", "--drain", "2s")
	require.Equal(t, 0, back.exit, back.stderr)
	res := r.wait(t)
	require.Equal(t, 1, res.exit)
	require.Equal(t, "stopped", res.report.Outcome)
	require.Equal(t, "TAKEN_OVER", res.report.Reason)
	require.Equal(t, 3, l.replicas(t, "taken", "lobby"))
	require.Equal(t, -1, l.replicas(t, "taken", "lobby-canary"))
	users.RequireNoneLost(t)
	l.requireTidy(t, "taken")
}

// suspended: a holder that sleeps through its Lease wakes up and writes nothing.
func suspended(t *testing.T, l *lab) {
	t.Helper()
	r, users := begun(t, l, "suspended")
	require.NoError(t, r.cmd.Process.Signal(syscall.SIGSTOP))
	back := l.command(t, "rollback", "--namespace", "suspended", "--drain", "2s")
	require.NoError(t, r.cmd.Process.Signal(syscall.SIGCONT))
	require.Equal(t, 0, back.exit, back.stderr)
	woke := time.Now()
	res := r.wait(t)
	require.Equal(t, 1, res.exit)
	require.Equal(t, "TAKEN_OVER", res.report.Reason)
	require.Equal(t, 3, l.replicas(t, "suspended", "lobby"))
	require.Equal(t, -1, l.replicas(t, "suspended", "lobby-canary"))
	writes := slices.DeleteFunc(l.audited(t, woke).writes, func(w string) bool {
		return strings.Contains(w, "/leases") || !strings.Contains(w, "/namespaces/suspended/")
	})
	require.Empty(t, writes, "written after it woke")
	users.RequireNoneLost(t)
}
