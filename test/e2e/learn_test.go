//go:build e2e

package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLearn is what runs without patterns, and what a smoke pod is good for.
func TestLearn(t *testing.T) {
	t.Parallel()
	l := newLab(t, "e2e-learn")
	t.Run("seed", func(t *testing.T) { t.Parallel(); learnedSeed(t, l) })
	t.Run("lobby", func(t *testing.T) { t.Parallel(); learnedLobby(t, l) })
	t.Run("single", func(t *testing.T) { t.Parallel(); learnedSingle(t, l) })
	t.Run("alike under enforce", func(t *testing.T) { t.Parallel(); alikeEnforced(t, l) })
	t.Run("alike under report", func(t *testing.T) { t.Parallel(); alikeReported(t, l) })
	t.Run("smoke", func(t *testing.T) { t.Parallel(); smoked(t, l) })
	t.Run("smoke alike", func(t *testing.T) {
		t.Parallel()
		requireSmokeFails(t, l, "smoke-alike", "env: [{name: VERSION, value: old}]", "INVALID_CLASSIFIER")
	})
	t.Run("smoke errors", func(t *testing.T) {
		t.Parallel()
		requireSmokeFails(t, l, "smoke-errors", "env: [{name: ERROR_SHARE, value: \"1\"}]", "FAIL_ERRORS")
	})
	t.Run("smoke crashes", func(t *testing.T) {
		t.Parallel()
		requireSmokeFails(t, l, "smoke-crashes", "command: [/nowhere]", "CONFIG", "CRASH_LOOP")
	})
	t.Run("smoke image", func(t *testing.T) { t.Parallel(); smokeImage(t, l) })
	t.Run("smoke killed", func(t *testing.T) { t.Parallel(); smokeKilled(t, l) })
}

// unpatterned are a run's inputs without its patterns.
func unpatterned(args []string) []string {
	var left []string
	for i := 0; i < len(args); i++ {
		if strings.HasSuffix(args[i], "-pattern") {
			i++
			continue
		}
		left = append(left, args[i])
	}
	return left
}

// learnedSeed has one pod of each version when it has to learn, and three more that
// nobody has asked.
func learnedSeed(t *testing.T, l *lab) {
	t.Helper()
	l.namespace(t, "learned-seed")
	res := l.run(t, unpatterned(seedArgs("learned-seed", "testdata/manifests/seed"))...)
	requirePromoted(t, res, [2]int{1, 0}, [2]int{1, 1}, [2]int{1, 4}, [2]int{0, 1})
	l.watched(t, "learned-seed").requireMoves(t, "old-nginx", "new-nginx", seedMoves...)
	require.Len(t, res.report.Learned, 1)
	require.Equal(t, `stable answers contain "old", canary's "new", in the header "X-Version"`, res.report.Learned[0].By)
	require.Contains(t, res.stdout, "learned to tell the versions apart")
}

// learnedLobby is ten pods on TCP, and on UDP, whose pods can be asked only where their
// addresses can be reached.
func learnedLobby(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "learned-lobby"
	l.namespace(t, namespace)
	l.kubectl(t, "-n", namespace, "apply", "-f", filepath.Join(root, "testdata/manifests/lobby/lobby-blue.yaml"),
		"-f", filepath.Join(root, "testdata/manifests/lobby/service.yaml"))
	l.wait(t, namespace, "lobby-blue")
	res := l.run(t, append([]string{"--manifests", "testdata/manifests/lobby", "--namespace", namespace, "--steps", "10,25,50,100"}, fast...)...)
	requirePromoted(t, res, [2]int{10, 0}, [2]int{9, 1}, [2]int{9, 3}, [2]int{5, 5}, [2]int{0, 10})
	told := 0
	for _, port := range res.report.Learned {
		t.Logf("%s: %s%s", port.Port, port.By, port.Why)
		if port.By != "" {
			told++
			require.Equal(t, `stable answers contain "1.8.2", canary's "1.9.0", in the banner`, port.By)
			continue
		}
		require.Contains(t, port.Port, "UDP", port.Why)
	}
	require.Len(t, res.report.Learned, 2)
	require.Positive(t, told)
}

// learnedSingle is a release that is held, gone on with by another process, and undone.
func learnedSingle(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "learned-single"
	l.namespace(t, namespace)
	first := l.run(t, unpatterned(single(t, namespace, "single", 3, "0.9.0", "1.0.0"))...)
	require.Equal(t, "promoted", first.report.Outcome)
	users := l.use(t, namespace, 5)
	release := unpatterned(single(t, namespace, "single", 3, "1.0.0", "1.1.0", "--steps", "25,50,100"))
	held := l.run(t, append(slices.Clone(release), "--until", "25")...)
	require.Equal(t, "held", held.report.Outcome, held.report.Message)
	again := l.run(t, release...)
	require.Equal(t, "promoted", again.report.Outcome, again.report.Message)
	require.Equal(t, held.report.Learned, again.report.Learned)
	require.NotContains(t, again.stdout, "asking pods directly")
	require.Contains(t, l.image(t, namespace), "1.1.0")
	users.RequireNoneLost(t)
}

// sameVersion is a canary that answers as stable does, except for its pod's name.
func sameVersion(t *testing.T) string {
	t.Helper()
	return seedWith(t, func(canary string) string {
		return strings.Replace(canary, "imagePullPolicy: Always", "imagePullPolicy: Always\n        env: [{name: VERSION, value: old}]", 1)
	})
}

func alikeEnforced(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "alike-enforced"
	l.namespace(t, namespace)
	res := l.run(t, unpatterned(seedArgs(namespace, sameVersion(t)))...)
	require.Equal(t, 1, res.exit)
	require.Equal(t, "rolled-back", res.report.Outcome)
	require.Equal(t, "INVALID_CLASSIFIER", res.report.Reason, res.report.Message)
	require.Contains(t, res.report.Message, "share-gate: report")
	require.Contains(t, res.stdout, `stable answers`, "both answers, in the log")
	require.Contains(t, res.stdout, `X-Version: old`)
	require.NotContains(t, res.report.Message, "X-Version")
	l.watched(t, namespace).requireMoves(t, "old-nginx", "new-nginx", "0+0", "1+0", "1+1", "1+0")
}

func alikeReported(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "alike-reported"
	l.namespace(t, namespace)
	res := l.run(t, append(unpatterned(seedArgs(namespace, sameVersion(t))), "--share-gate", "report", "--propagation", "10s")...)
	t.Log(res.report.table())
	require.Equal(t, 0, res.exit)
	require.Equal(t, "promoted", res.report.Outcome, res.report.Message)
	require.Equal(t, "report", res.report.ShareGate)
	for _, s := range res.report.Stages[1:] {
		require.Equal(t, "pass", s.Verdict, s.Name)
		require.Nil(t, s.Observed, s.Name)
		require.NotEmpty(t, s.NotMeasured, s.Name)
		require.GreaterOrEqual(t, s.Samples, 2000, "ten seconds of propagation at 200/s")
	}
	l.watched(t, namespace).requireMoves(t, "old-nginx", "new-nginx", seedMoves...)
}

// smokePods are the smoke pods of a namespace that are not being deleted.
func (l *lab) smokePods(t *testing.T, namespace string) []string {
	t.Helper()
	list, err := l.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "l4-canary.io/smoke"})
	require.NoError(t, err)
	var names []string
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			names = append(names, pod.Name)
		}
	}
	return names
}

// smoked is the seed with a smoke pod that is in order.
func smoked(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "smoked"
	l.namespace(t, namespace)
	res := l.run(t, append(unpatterned(seedArgs(namespace, "testdata/manifests/seed")), "--smoke", "true")...)
	requirePromoted(t, res, [2]int{1, 0}, [2]int{1, 1}, [2]int{1, 4}, [2]int{0, 1})
	l.watched(t, namespace).requireMoves(t, "old-nginx", "new-nginx", seedMoves...)
	require.Contains(t, strings.Join(res.report.Notices, "\n"), "asked one pod of the new version first")
	require.Equal(t, `stable answers contain "old", canary's "new", in the header "X-Version"`, res.report.Learned[0].By)
	require.Empty(t, l.smokePods(t, namespace))
}

// requireSmokeFails: a spoilt canary reaches nobody, and its Deployment is never made.
func requireSmokeFails(t *testing.T, l *lab, namespace, spoilt string, reasons ...string) {
	t.Helper()
	l.requireSmokeRefuses(t, namespace, seedWith(t, func(canary string) string {
		return strings.Replace(canary, "imagePullPolicy: Always", "imagePullPolicy: Always\n        "+spoilt, 1)
	}), reasons...)
}

func smokeImage(t *testing.T, l *lab) {
	t.Helper()
	l.requireSmokeRefuses(t, "smoke-image", seedWith(t, func(canary string) string {
		return strings.Replace(canary, "registry.cn-hangzhou.aliyuncs.com/xianlu/new-nginx", "registry.example/missing/new-nginx", 1)
	}), "IMAGE")
}

func (l *lab) requireSmokeRefuses(t *testing.T, namespace, manifests string, reasons ...string) {
	t.Helper()
	l.namespace(t, namespace)
	res := l.run(t, append(unpatterned(seedArgs(namespace, manifests)), "--smoke", "true")...)
	require.Equal(t, 1, res.exit)
	require.Equal(t, "aborted", res.report.Outcome)
	require.Contains(t, reasons, res.report.Reason, res.report.Message)
	require.Equal(t, 1, l.replicas(t, namespace, "old-nginx"))
	require.Equal(t, -1, l.replicas(t, namespace, "new-nginx"))
	require.Empty(t, l.smokePods(t, namespace))
	l.watched(t, namespace).requireMoves(t, "old-nginx", "new-nginx", "0+0", "1+0")
}

// smokeKilled: the pod of a run that was killed goes with the next one, which knows
// nothing of it.
func smokeKilled(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "smoke-killed"
	l.namespace(t, namespace)
	never := seedWith(t, func(canary string) string {
		return strings.Replace(canary, "imagePullPolicy: Always",
			"imagePullPolicy: Always\n        readinessProbe: {httpGet: {path: /healthz, port: 80}}\n        env: [{name: NEVER_READY, value: \"true\"}]", 1)
	})
	r := l.start(t, append(unpatterned(seedArgs(namespace, never)), "--smoke", "true")...)
	require.Eventually(t, func() bool { return len(l.smokePods(t, namespace)) == 1 }, soon, 50*time.Millisecond)
	r.kill(t)
	pods, err := l.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "l4-canary.io/smoke"})
	require.NoError(t, err)
	require.Equal(t, "Lease", pods.Items[0].OwnerReferences[0].Kind)
	res := l.run(t, unpatterned(seedArgs(namespace, "testdata/manifests/seed"))...)
	require.Equal(t, "promoted", res.report.Outcome, res.report.Message)
	require.Empty(t, l.smokePods(t, namespace))
}
