//go:build e2e

package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rollbacks are the ways in which processes meet over one Service.
func rollbacks(t *testing.T, l *lab) {
	t.Helper()
	t.Run("two rollbacks of a live run", func(t *testing.T) { t.Parallel(); rivals(t, l) })
	t.Run("a live run locks", func(t *testing.T) { t.Parallel(); locked(t, l) })
	t.Run("unfinished, and another release", func(t *testing.T) { t.Parallel(); otherRelease(t, l) })
	t.Run("unfinished, and reverted", func(t *testing.T) { t.Parallel(); reverted(t, l) })
	t.Run("superseded", func(t *testing.T) { t.Parallel(); superseded(t, l) })
}

// rivals: two rollbacks from two processes want the same live run at the same time.
// Both end well, and nobody stops the other.
func rivals(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "rivals"
	r, users := begun(t, l, namespace)
	rivals := []*running{l.undo(t, namespace), l.undo(t, namespace)}
	said := map[string]int{}
	for _, back := range rivals {
		res := back.wait(t)
		require.Equal(t, 0, res.exit, res.stderr)
		said[res.report.Outcome]++
	}
	require.Equal(t, map[string]int{"rolled-back": 1, "nothing-to-do": 1}, said)
	res := r.wait(t)
	require.Equal(t, 1, res.exit)
	require.Equal(t, "TAKEN_OVER", res.report.Reason)
	require.Equal(t, 3, l.replicas(t, namespace, "lobby"))
	require.Equal(t, -1, l.replicas(t, namespace, "lobby-canary"))
	users.RequireNoneLost(t)
	l.requireTidy(t, namespace)
}

// undo starts a rollback.
func (l *lab) undo(t *testing.T, namespace string) *running {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.json")
	return l.begin(t, report, command(t.Context(), "rollback", "--kubeconfig", l.kubeconfig,
		"--namespace", namespace, "--drain", "2s", "--report-json", report))
}

// locked: whoever comes while a run is alive is turned away and touches nothing,
// whatever it wants; the run does not notice.
func locked(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "locked"
	l.namespace(t, namespace)
	require.Equal(t, "promoted", l.run(t, single(t, namespace, "single", 3, "0.9.0", "1.0.0")...).report.Outcome)
	users := l.use(t, namespace, 5)
	// The pause outlasts both newcomers, and is what they find.
	r := l.start(t, single(t, namespace, "single", 3, "1.0.0", "1.1.0", "--steps", "50:20s,100")...)
	require.Eventually(t, func() bool { return r.passed("50") }, soon, 50*time.Millisecond)
	var late []*running
	for _, version := range []string{"1.1.0", "1.2.0"} {
		late = append(late, l.start(t, single(t, namespace, "single", 3, "1.0.0", version, "--steps", "50,100")...))
	}
	for _, newcomer := range late {
		res := newcomer.wait(t)
		require.Equal(t, 2, res.exit)
		require.Equal(t, "refused", res.report.Outcome)
		require.Equal(t, "LOCKED", res.report.Reason)
	}
	res := r.wait(t)
	require.Equal(t, "promoted", res.report.Outcome)
	users.RequireNoneLost(t)
}

// heldAt50 is a release that ended at 50 %, as one may for days.
func heldAt50(t *testing.T, l *lab, namespace string) {
	t.Helper()
	l.namespace(t, namespace)
	require.Equal(t, "promoted", l.run(t, single(t, namespace, "single", 3, "0.9.0", "1.0.0")...).report.Outcome)
	res := l.run(t, single(t, namespace, "single", 3, "1.0.0", "1.1.0", "--steps", "50,100", "--until", "50")...)
	require.Equal(t, "held", res.report.Outcome)
	require.Equal(t, 2, l.replicas(t, namespace, "lobby-canary"))
}

// otherRelease: it is refused if that is wished, else it begins after the unfinished
// one was rolled back.
func otherRelease(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "other"
	heldAt50(t, l, namespace)
	users := l.use(t, namespace, 5)
	began := time.Now()
	refused := l.run(t, single(t, namespace, "single", 3, "1.0.0", "1.2.0", "--on-existing", "refuse")...)
	require.Equal(t, 2, refused.exit)
	require.Equal(t, "refused", refused.report.Outcome)
	require.Contains(t, refused.stderr, "on-existing")
	refused = l.run(t, single(t, namespace, "single", 3, "1.0.0", "1.1.0", "--on-existing", "refuse")...)
	require.Equal(t, 2, refused.exit, "also the same release")
	l.requireUntouchedIn(t, namespace, began)

	res := l.run(t, single(t, namespace, "single", 3, "1.0.0", "1.2.0", "--steps", "50,100")...)
	require.Equal(t, 0, res.exit)
	require.Equal(t, "promoted", res.report.Outcome)
	require.Contains(t, strings.Join(res.report.Notices, "\n"), "rolled back first")
	require.Contains(t, l.image(t, namespace), "1.2.0")
	require.Equal(t, 3, l.replicas(t, namespace, "lobby"))
	l.undone(t, namespace, "lobby", 3, "1.0.0")
	users.RequireNoneLost(t)
}

// reverted: the manifests say again what stable is, so the unfinished rollout is
// rolled back, and that is all.
func reverted(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "reverted"
	heldAt50(t, l, namespace)
	users := l.use(t, namespace, 5)
	before := l.pods(t, namespace)
	res := l.run(t, single(t, namespace, "single", 3, "0.9.0", "1.0.0")...)
	require.Equal(t, 0, res.exit)
	require.Equal(t, "nothing-to-do", res.report.Outcome)
	require.Contains(t, strings.Join(res.report.Notices, "\n"), "rolled back first")
	require.Equal(t, 3, l.replicas(t, namespace, "lobby"))
	require.Equal(t, -1, l.replicas(t, namespace, "lobby-canary"))
	require.Contains(t, l.image(t, namespace), "1.0.0")
	kept := 0
	for name := range l.pods(t, namespace) {
		if _, old := before[name]; old {
			kept++
		}
	}
	require.Equal(t, 2, kept, "the stable pods that were left serve on")
	users.RequireNoneLost(t)
	l.requireTidy(t, namespace)
}

// superseded: run 41 of a workflow comes late, after 42 has been there.
func superseded(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "superseded"
	l.namespace(t, namespace)
	run := func(number, from, to string, more ...string) result {
		report := filepath.Join(t.TempDir(), "report.json")
		args := append([]string{"run", "--kubeconfig", l.kubeconfig, "--report-json", report}, single(t, namespace, "single", 1, from, to, more...)...)
		cmd := command(t.Context(), args...)
		asWorkflow(cmd, number)
		return l.begin(t, report, cmd).wait(t)
	}
	require.Equal(t, "promoted", run("40", "0.9.0", "1.0.0").report.Outcome)
	require.Equal(t, "held", run("42", "1.0.0", "1.2.0", "--steps", "50", "--until", "50").report.Outcome)
	began := time.Now()
	late := run("41", "1.0.0", "1.1.0", "--steps", "50,100")
	require.Equal(t, 2, late.exit)
	require.Equal(t, "refused", late.report.Outcome)
	require.Equal(t, "SUPERSEDED", late.report.Reason)
	l.requireUntouchedIn(t, namespace, began)
	require.Equal(t, "promoted", run("43", "1.0.0", "1.3.0", "--steps", "100").report.Outcome)
	late = run("42", "1.0.0", "1.2.0", "--steps", "100")
	require.Equal(t, "SUPERSEDED", late.report.Reason, "nor after the newer one has ended")
}

// asWorkflow gives a run the environment of a run of a workflow.
func asWorkflow(cmd *exec.Cmd, number string) {
	cmd.Env = append(cmd.Environ(), "GITHUB_RUN_ID=9"+number, "GITHUB_RUN_ATTEMPT=1", "GITHUB_JOB=release", "GITHUB_RUN_NUMBER="+number,
		"GITHUB_WORKFLOW_REF=acme/lobby/.github/workflows/release.yml@refs/heads/main", "GITHUB_SERVER_URL=https://github.com", "GITHUB_REPOSITORY=acme/lobby")
}
