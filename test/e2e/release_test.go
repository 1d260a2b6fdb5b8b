//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
)

// releases are three in a row of each size and both kinds of selectors, by the five
// lines of the contract. Every way to finish follows on every other.
func releases(t *testing.T, l *lab) {
	t.Helper()
	const adopt, handover = "", "handover" // adopt is what is done unless asked
	for _, row := range []struct {
		dir      string
		replicas int
		finishes [3]string
	}{
		{"single", 10, [3]string{handover, adopt, handover}},
		{"single-equal", 10, [3]string{adopt, handover, handover}},
		{"single", 3, [3]string{handover, handover, adopt}},
		{"single-equal", 3, [3]string{adopt, adopt, handover}},
		{"single", 1, [3]string{adopt, handover, adopt}},
		{"single-equal", 1, [3]string{handover, adopt, adopt}},
	} {
		t.Run(fmt.Sprintf("%s, R=%d", row.dir, row.replicas), func(t *testing.T) {
			t.Parallel()
			threeReleases(t, l, row.dir, row.replicas, row.finishes)
		})
	}
}

// weights are the stages that steps: auto finds, as targets with their pods.
var weights = map[int][]string{
	1:  {"baseline 1+0", "50 1+1", "100 0+1"},
	3:  {"baseline 3+0", "25 3+1", "50 2+2", "100 0+3"},
	10: {"baseline 10+0", "10 9+1", "25 9+3", "50 5+5", "100 0+10"},
}

// threeReleases is a first version and three more under the same name, one that is
// the same, and the way back, with clients who must notice nothing.
func threeReleases(t *testing.T, l *lab, dir string, replicas int, finishes [3]string) {
	t.Helper()
	namespace := fmt.Sprintf("%s-%d", dir, replicas)
	l.namespace(t, namespace)
	manifests := filepath.Join(t.TempDir(), "k8s") + "/"
	require.NoError(t, os.CopyFS(manifests, os.DirFS(filepath.Join(root, "testdata/manifests", dir))))
	if replicas != 3 {
		edit(t, manifests, "replicas: 3", fmt.Sprintf("replicas: %d", replicas))
	}
	first := l.fiveLines(t, namespace, manifests, "0.9.0", "1.0.0").wait(t)
	require.Equal(t, "promoted", first.report.Outcome)
	require.Equal(t, "bootstrap", first.report.Mode)
	require.Equal(t, replicas, l.replicas(t, namespace, "lobby"))

	versions := [...]string{"1.0.0", "1.1.0", "1.2.0", "1.3.0"}
	for i, finish := range finishes {
		before, users := l.pods(t, namespace), l.use(t, namespace, 5)
		res := l.fiveLines(t, namespace, manifests, versions[i], versions[i+1], "FINISH="+finish).wait(t)
		users.RequireNoneLost(t)
		l.requireReleased(t, namespace, res, replicas, versions[i+1])
		requireReplaced(t, before, l.pods(t, namespace), finish)
		if finish == "handover" {
			l.wait(t, namespace, "lobby")
			l.requireOlder(t, namespace, res.report.FinishedAt.Add(-2*time.Second))
		}
	}
	again := l.fiveLines(t, namespace, manifests, "1.2.0", "1.3.0", "FINISH="+finishes[2]).wait(t)
	require.Equal(t, 0, again.exit)
	require.Equal(t, "nothing-to-do", again.report.Outcome)
	if replicas < 10 { // the way back of ten pods is the same, and longer
		users := l.use(t, namespace, 5)
		l.undone(t, namespace, "lobby", replicas, "1.2.0")
		require.Equal(t, -1, l.replicas(t, namespace, "lobby-canary"))
		users.RequireNoneLost(t)
	}
}

// fiveLines starts what the workflow of the contract starts: inputs as the runner
// passes them, among them the text of a kubeconfig as a secret has it. The others only
// save time, and say how the versions answer.
func (l *lab) fiveLines(t *testing.T, namespace, manifests, from, to string, more ...string) *running {
	t.Helper()
	config, err := clientcmd.LoadFromFile(l.kubeconfig)
	require.NoError(t, err)
	config.Contexts[config.CurrentContext].Namespace = namespace
	secret, err := clientcmd.Write(*config)
	require.NoError(t, err)
	report := filepath.Join(t.TempDir(), "report.json")
	cmd := command(t.Context())
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	for _, input := range append([]string{
		"KUBECONFIG=" + string(secret),
		"MANIFESTS=" + manifests,
		"IMAGES=registry.example/lobby:" + to,

		"STABLE-PATTERN=^" + regexp.QuoteMeta(from) + " ", "CANARY-PATTERN=^" + regexp.QuoteMeta(to) + " ",
		"RATE=200", "MAX-PROBES=20000", "SETTLE=2s", "DRAIN=2s", "REPORT-JSON=" + report,
	}, more...) {
		cmd.Env = append(cmd.Env, "INPUT_"+input)
	}
	return l.begin(t, report, cmd)
}

// requireReleased: every stage that steps: auto finds has passed, and what is left is
// one Deployment of the same name with the new version.
func (l *lab) requireReleased(t *testing.T, namespace string, res result, replicas int, version string) {
	t.Helper()
	t.Log(res.report.table())
	require.Equal(t, 0, res.exit)
	require.Equal(t, "promoted", res.report.Outcome)
	require.Equal(t, "single", res.report.Mode)
	var stages []string
	for _, s := range res.report.Stages {
		require.Equal(t, "pass", s.Verdict, s.Name)
		stages = append(stages, fmt.Sprintf("%s %d+%d", s.Name, s.Stable, s.Canary))
	}
	require.Equal(t, weights[replicas], stages)
	require.Equal(t, replicas, l.replicas(t, namespace, "lobby"))
	require.Equal(t, -1, l.replicas(t, namespace, "lobby-canary"), "no copy is left")
	require.Contains(t, l.image(t, namespace), version)
}

// requireReplaced: no old pod is left, and after a handover those that were judged
// serve on.
func requireReplaced(t *testing.T, before, after map[string]string, finish string) {
	t.Helper()
	require.Len(t, after, len(before))
	for name := range before {
		require.NotContains(t, after, name)
	}
	for name := range after {
		if finish == "handover" {
			require.Contains(t, name, "lobby-canary-", "the pods that were judged serve on")
		}
	}
}

// undone: a rollback from another process brings a Deployment's version and count
// back, and a second one has nothing left to do.
func (l *lab) undone(t *testing.T, namespace, deployment string, replicas int, version string) {
	t.Helper()
	back := l.command(t, "rollback", "--namespace", namespace, "--service", "lobby", "--drain", "2s")
	require.Equal(t, 0, back.exit, back.stderr)
	require.Contains(t, l.imageOf(t, namespace, deployment), version)
	require.Equal(t, replicas, l.replicas(t, namespace, deployment))
	l.requireTidy(t, namespace)
	began, pods := time.Now(), slices.Sorted(maps.Values(l.pods(t, namespace)))
	again := l.command(t, "rollback", "--namespace", namespace, "--service", "lobby")
	require.Equal(t, 0, again.exit)
	require.Contains(t, again.stdout, "nothing-to-do")
	require.Equal(t, pods, slices.Sorted(maps.Values(l.pods(t, namespace))))
	l.requireUntouchedIn(t, namespace, began)
}
