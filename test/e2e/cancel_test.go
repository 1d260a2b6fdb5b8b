//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/test/harness"
)

// TestCancel is how a run ends that somebody stops, or that fails and is to stay as
// it is, and what the action's post step makes of it.
func TestCancel(t *testing.T) {
	t.Parallel()
	l := newLab(t, "e2e-cancel")
	for _, m := range moments() {
		t.Run("cancelled: "+m.name, func(t *testing.T) { t.Parallel(); cancelled(t, l, m) })
	}
	t.Run("cancelled: silent API server", func(t *testing.T) { t.Parallel(); cancelledInSilence(t, l) })
	t.Run("cancelled: on the host", func(t *testing.T) { t.Parallel(); cancelledOnHost(t, l) })
	t.Run("killed", func(t *testing.T) { t.Parallel(); killedStep(t, l) })
	t.Run("cancelled while it rolls back", func(t *testing.T) { t.Parallel(); cancelledRollback(t, l) })
	t.Run("cancelled while it rolls back, and run again", func(t *testing.T) { t.Parallel(); rolledBackFirst(t, l) })
	t.Run("held", func(t *testing.T) { t.Parallel(); heldStep(t, l) })
	t.Run("on-failure: hold", func(t *testing.T) { t.Parallel(); stopped(t, l) })
	t.Run("keep-failed-pod", func(t *testing.T) { t.Parallel(); kept(t, l) })
}

// step is what a runner says of one step, in the step itself and in its post step.
var step = []string{
	"GITHUB_RUN_ID=4711", "GITHUB_RUN_ATTEMPT=1", "GITHUB_RUN_NUMBER=12", "GITHUB_JOB=deploy", "GITHUB_ACTION=__org_l4-canary",
	"GITHUB_SERVER_URL=https://github.example", "GITHUB_REPOSITORY=acme/lobby", "GITHUB_WORKFLOW_REF=acme/lobby/.github/workflows/deploy.yml@main",
}

// moment is when a run is cancelled.
type moment struct {
	name  string
	more  []string // arguments
	there func(t *testing.T, l *lab, namespace string, r *running) bool
	pods  int // of the old version's Deployment then; -1: that is chance
}

// moments are one in each part of a rollout of two pods.
func moments() []moment {
	replicas := func(deployment string, n int) func(*testing.T, *lab, string, *running) bool {
		return func(t *testing.T, l *lab, namespace string, _ *running) bool {
			t.Helper()
			return l.replicas(t, namespace, deployment) == n
		}
	}
	reported := func(pattern string) func(*testing.T, *lab, string, *running) bool {
		known := regexp.MustCompile(pattern)
		return func(_ *testing.T, _ *lab, _ string, r *running) bool {
			data, err := os.ReadFile(r.report)
			return err == nil && known.Match(data)
		}
	}
	return []moment{
		{"baseline", []string{"--rate", "20"}, reported(`"name": "baseline"`), 2},
		{"pods start", nil, replicas("lobby-canary", 1), 2},
		{"pods drain", []string{"--drain", "20s"}, func(t *testing.T, l *lab, namespace string, _ *running) bool {
			t.Helper()
			return l.parked(t, namespace, "lobby-") > 0
		}, 2},
		{"sampling", []string{"--rate", "50"}, reported(`(?s)"name": "50".*"samples": [1-9]`), 1},
		{"pause", []string{"--steps", "50:5m,100"}, reported(`(?s)"name": "50".*"verdict": "pass"`), 1},
		{"last stage", nil, replicas("lobby", 0), 0},
		{"adopt", nil, func(t *testing.T, l *lab, namespace string, _ *running) bool {
			t.Helper()
			return l.phase(t, namespace) == "adopting"
		}, -1},
	}
}

// phase is what the Lease remembers, empty if there is nothing.
func (l *lab) phase(t *testing.T, namespace string) string {
	t.Helper()
	lease, err := l.CoordinationV1().Leases(namespace).Get(t.Context(), "l4-canary-lobby", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return ""
	}
	require.NoError(t, err)
	var state struct{ Phase string }
	if text, written := lease.Annotations["l4-canary.io/state"]; written {
		require.NoError(t, json.Unmarshal([]byte(text), &state))
	}
	return state.Phase
}

// parked are the pods with such names that are out of the Service.
func (l *lab) parked(t *testing.T, namespace, prefix string) int {
	t.Helper()
	list, err := l.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	n := 0
	for _, pod := range list.Items {
		if harness.Parked(&pod) && strings.HasPrefix(pod.Name, prefix) {
			n++
		}
	}
	return n
}

// release is a rollout of the single Deployment with two pods from 1.0.0, which
// serves users, as a step of a CI run.
func release(t *testing.T, l *lab, namespace string, more ...string) ([]string, *harness.Clients) {
	t.Helper()
	l.namespace(t, namespace)
	first := l.run(t, single(t, namespace, "single", 2, "0.9.0", "1.0.0")...)
	require.Equal(t, "promoted", first.report.Outcome)
	users := l.use(t, namespace, 2)
	arguments := single(t, namespace, "single", 2, "1.0.0", "1.1.0", "--steps", "50,100", "--drain", "3s", "--outputs-file", filepath.Join(t.TempDir(), "outputs"))
	return append(arguments, more...), users
}

// step starts a rollout as the step.
func (l *lab) step(t *testing.T, arguments []string) *running {
	t.Helper()
	return l.stepBy(t, l.kubeconfig, arguments)
}

// stepBy starts it with another kubeconfig.
func (l *lab) stepBy(t *testing.T, kubeconfig string, arguments []string) *running {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.json")
	cmd := command(t.Context(), append([]string{"run", "--kubeconfig", kubeconfig, "--report-json", report}, arguments...)...)
	cmd.Env = append(os.Environ(), step...)
	return l.begin(t, report, cmd)
}

// post runs the post step as a runner does: by its name, with the step's own inputs,
// arguments and environment, some of it otherwise.
func (l *lab) post(t *testing.T, namespace string, otherwise ...string) result {
	t.Helper()
	name := filepath.Join(t.TempDir(), "l4-canary-post")
	require.NoError(t, os.Symlink(filepath.Join(root, "bin/l4-canary"), name))
	cmd := exec.CommandContext(t.Context(), name, "run", "--manifests", "k8s")
	cmd.Env = append(os.Environ(), "INPUT_KUBECONFIG="+l.kubeconfig, "INPUT_NAMESPACE="+namespace, "INPUT_DRAIN=3s", "INPUT_COMMAND=run")
	cmd.Env = append(append(cmd.Env, step...), otherwise...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	began := time.Now()
	if err := cmd.Run(); err != nil {
		_, exited := errors.AsType[*exec.ExitError](err)
		require.True(t, exited, err)
	}
	res := result{exit: cmd.ProcessState.ExitCode(), stdout: output.String(), took: time.Since(began)}
	t.Logf("post %v: exit %d after %s\n%s", otherwise, res.exit, res.took.Round(time.Millisecond), res.stdout)
	return res
}

// interrupt sends SIGINT: the run ends with 130 in less than five seconds, and says so.
func interrupt(t *testing.T, r *running) result {
	t.Helper()
	sent := time.Now()
	require.NoError(t, r.cmd.Process.Signal(syscall.SIGINT))
	res := r.wait(t)
	took := time.Since(sent)
	t.Logf("%.2fs from SIGINT to the end", took.Seconds())
	require.Less(t, took, 5*time.Second)
	require.Equal(t, 130, res.exit)
	require.Equal(t, "interrupted", res.report.Outcome)
	require.Equal(t, "CANCELLED", res.report.Reason)
	return res
}

// requireBack: everything is as it was before the rollout, and nobody lost anything.
func requireBack(t *testing.T, l *lab, namespace string, users *harness.Clients) {
	t.Helper()
	require.Equal(t, 2, l.replicas(t, namespace, "lobby"))
	require.Equal(t, -1, l.replicas(t, namespace, "lobby-canary"))
	require.Contains(t, l.image(t, namespace), "1.0.0")
	l.requireTidy(t, namespace)
	users.RequireNoneLost(t)
}

// cancelled: the run stops at once and the pods stay; the post step goes back.
func cancelled(t *testing.T, l *lab, m moment) {
	t.Helper()
	namespace := "cancelled-" + strings.ReplaceAll(m.name, " ", "-")
	arguments, users := release(t, l, namespace, m.more...)
	r := l.step(t, arguments)
	require.Eventually(t, func() bool { return m.there(t, l, namespace, r) }, 2*time.Minute, 20*time.Millisecond)
	interrupt(t, r)
	stable, canary := l.replicas(t, namespace, "lobby"), l.replicas(t, namespace, "lobby-canary")
	if m.pods >= 0 {
		require.Equal(t, m.pods, stable)
	}
	outputs, err := os.ReadFile(arguments[len(arguments)-len(m.more)-1])
	require.NoError(t, err)
	require.Contains(t, string(outputs), "outcome=interrupted\n")

	for _, other := range []string{"GITHUB_RUN_ATTEMPT=2", "GITHUB_ACTION=__org_l4-canary_2"} {
		res := l.post(t, namespace, other)
		require.Equal(t, 0, res.exit)
		require.Contains(t, res.stdout, "nothing to finish")
	}
	require.Equal(t, stable, l.replicas(t, namespace, "lobby"))
	require.Equal(t, canary, l.replicas(t, namespace, "lobby-canary"))

	res := l.post(t, namespace)
	require.Equal(t, 0, res.exit)
	requireBack(t, l, namespace, users)
	res = l.post(t, namespace)
	require.Equal(t, 0, res.exit)
	require.Contains(t, res.stdout, "nothing to finish")
}

// killedStep: a runner that loses its patience kills, and nothing is said any more.
func killedStep(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "killed-step"
	arguments, users := release(t, l, namespace)
	r := l.step(t, arguments)
	require.Eventually(t, func() bool { return l.replicas(t, namespace, "lobby") == 1 }, time.Minute, 20*time.Millisecond)
	r.kill(t)
	require.Equal(t, 0, l.post(t, namespace).exit)
	requireBack(t, l, namespace, users)
}

// heldStep: what until holds is no unfinished business of the step.
func heldStep(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "held-step"
	arguments, users := release(t, l, namespace, "--until", "50")
	res := l.step(t, arguments).wait(t)
	require.Equal(t, "held", res.report.Outcome)
	post := l.post(t, namespace)
	require.Equal(t, 0, post.exit)
	require.Contains(t, post.stdout, "nothing to finish")
	require.Equal(t, 1, l.replicas(t, namespace, "lobby-canary"))
	require.Equal(t, 0, l.command(t, "rollback", "--namespace", namespace, "--drain", "3s").exit)
	requireBack(t, l, namespace, users)
}

// stopped: a failure that is to be looked at leaves the pods as they are.
func stopped(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "stopped"
	markdown := filepath.Join(t.TempDir(), "report.md")
	arguments, users := release(t, l, namespace, "--on-failure", "hold", "--propagation", "2s", "--report-markdown", markdown)
	liar(t, arguments[1])
	res := l.step(t, arguments).wait(t)
	require.Equal(t, 1, res.exit)
	require.Equal(t, "stopped", res.report.Outcome)
	require.Equal(t, "FAIL_SHARE", res.report.Reason)
	require.Nil(t, res.report.Rollback)
	require.Equal(t, 1, l.replicas(t, namespace, "lobby"))
	require.Equal(t, 1, l.replicas(t, namespace, "lobby-canary"))
	text, err := os.ReadFile(markdown)
	require.NoError(t, err)
	require.Contains(t, string(text), "\nl4-canary rollback --namespace stopped --service lobby\n")

	post := l.post(t, namespace)
	require.Equal(t, 0, post.exit)
	require.Contains(t, post.stdout, "ended by itself")
	require.Equal(t, 1, l.replicas(t, namespace, "lobby-canary"))
	require.Equal(t, 0, l.command(t, "rollback", "--namespace", namespace, "--drain", "3s").exit)
	requireBack(t, l, namespace, users)
}

// kept: one failing pod stays, and is in nobody's way.
func kept(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "kept"
	arguments, users := release(t, l, namespace, "--keep-failed-pod", "true", "--move-timeout", "10s")
	edit(t, arguments[1], "image: registry.example/lobby:1.0.0", "image: registry.example/lobby:1.0.0\n        env: [{name: NEVER_READY, value: \"true\"}]")
	r := l.step(t, arguments)
	res := r.wait(t)
	require.Equal(t, 1, res.exit)
	require.Equal(t, "rolled-back", res.report.Outcome)
	require.Equal(t, "DEADLINE", res.report.Reason)
	var report struct{ KeptPod string }
	data, err := os.ReadFile(r.report)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &report))
	removal := "kubectl -n kept delete pod " + report.KeptPod
	require.Contains(t, res.stdout, removal)
	alone := func() {
		t.Helper()
		pod, err := l.CoreV1().Pods(namespace).Get(t.Context(), report.KeptPod, metav1.GetOptions{})
		require.NoError(t, err)
		require.Nil(t, pod.DeletionTimestamp)
		require.Equal(t, corev1.PodRunning, pod.Status.Phase)
		require.Empty(t, pod.Labels)
		require.Empty(t, pod.OwnerReferences)
		require.Contains(t, pod.Annotations["l4-canary.io/kept"], "DEADLINE: no progress")
	}
	alone()
	require.Equal(t, 2, l.replicas(t, namespace, "lobby"))
	require.Equal(t, -1, l.replicas(t, namespace, "lobby-canary"))
	l.requireTidy(t, namespace)

	next := l.run(t, single(t, namespace, "single", 2, "1.0.0", "1.2.0", "--steps", "100", "--drain", "3s")...)
	require.Equal(t, "promoted", next.report.Outcome)
	alone()
	require.Equal(t, 0, l.command(t, "rollback", "--namespace", namespace, "--drain", "3s").exit)
	alone()
	l.kubectl(t, strings.Fields(removal)[1:]...)
	requireBack(t, l, namespace, users)
}
