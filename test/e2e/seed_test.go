//go:build e2e

package e2e

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fast are the inputs that only save time, and a budget with which a sound split
// is never inconclusive: with the default, one stage in some thousands is.
var fast = []string{"--rate", "200", "--settle", "2s", "--drain", "5s", "--max-probes", "20000"}

// seedArgs are the demo's inputs for one namespace.
func seedArgs(namespace, manifests string) []string {
	return append([]string{
		"--manifests", manifests, "--namespace", namespace, "--stable", "old-nginx",
		"--stable-pattern", `(?m)^old\b`, "--canary-pattern", `(?m)^new\b`,
		"--max-surge", "4", "--steps", "50,80,100",
	}, fast...)
}

// seedMoves are the pods of the seed: old, 1:1, 4:1, new.
var seedMoves = []string{"0+0", "1+0", "1+1", "1+4", "0+4", "0+1"}

// requirePromoted checks that every stage passed near the weight that its pods
// should give. The interval of 95 % may miss it now and then; six standard errors
// are missed once in 10⁸ stages.
func requirePromoted(t *testing.T, res result, counts ...[2]int) {
	t.Helper()
	t.Log(res.report.table())
	require.Equal(t, 0, res.exit)
	require.Equal(t, "promoted", res.report.Outcome)
	require.Len(t, res.report.Stages, len(counts))
	for i, s := range res.report.Stages {
		require.Equal(t, counts[i], [2]int{s.Stable, s.Canary}, s.Name)
		require.Equal(t, "pass", s.Verdict, s.Name)
		share := *s.Expected / 100
		require.InDelta(t, *s.Expected, *s.Observed, 600*math.Sqrt(share*(1-share)/float64(s.Samples)), s.Name)
		for _, port := range s.Ports {
			require.Equal(t, "pass", port.Verdict, "%s, port %s", s.Name, port.Port)
		}
	}
}

func (l *lab) seed(t *testing.T, namespace, manifests string) {
	t.Helper()
	l.namespace(t, namespace)
	res := l.run(t, seedArgs(namespace, manifests)...)
	requirePromoted(t, res, [2]int{1, 0}, [2]int{1, 1}, [2]int{1, 4}, [2]int{0, 1})
	l.watched(t, namespace).requireMoves(t, "old-nginx", "new-nginx", seedMoves...)
}

// TestOneNode is everything that one nftables node can show.
func TestOneNode(t *testing.T) {
	l := newLab(t, "e2e-one")
	t.Run("rollouts", func(t *testing.T) { rollouts(t, l) })
	// These hold the audit log of the whole cluster against what they did.
	t.Run("applied in order", func(t *testing.T) { inOrder(t, l) })
	t.Run("refused without a write", func(t *testing.T) { refused(t, l) })
	t.Run("preflight", func(t *testing.T) { preflight(t, l) })
	t.Run("plan and sample", func(t *testing.T) { planAndSample(t, l) })
	t.Run("container action", func(t *testing.T) { containerAction(t, l) })
}

// rollouts are those of pairs.
func rollouts(t *testing.T, l *lab) {
	t.Helper()
	t.Run("seed", func(t *testing.T) { t.Parallel(); l.seed(t, "seed", "testdata/manifests/seed") })
	t.Run("seed over UDP", func(t *testing.T) { t.Parallel(); l.seed(t, "seed-udp", "testdata/manifests/seed-udp") })
	t.Run("ten pods", func(t *testing.T) { t.Parallel(); tenPods(t, l, "ten") })
	t.Run("held", func(t *testing.T) { t.Parallel(); held(t, l) })
	t.Run("crash", func(t *testing.T) {
		t.Parallel()
		requireTurnedDown(t, l, "crash", "CRASH_AFTER", "1s", "CRASH_LOOP", "FAIL_RESTARTS")
	})
	t.Run("half answers as old", func(t *testing.T) {
		t.Parallel()
		requireTurnedDown(t, l, "share", "OTHER_SHARE", "0.5", "FAIL_SHARE")
	})
	t.Run("errors", func(t *testing.T) {
		t.Parallel()
		requireTurnedDown(t, l, "errors", "ERROR_SHARE", "0.5", "FAIL_ERRORS")
	})
	t.Run("out of memory", func(t *testing.T) {
		t.Parallel()
		requireTurnedDown(t, l, "memory", "ALLOCATE_MIB", "200", "OOM", "CRASH_LOOP", "FAIL_RESTARTS")
	})
	for _, kind := range []string{"missing", "denied", "private"} {
		t.Run("image "+kind, func(t *testing.T) { t.Parallel(); badImage(t, l, kind) })
	}
	t.Run("interrupted", func(t *testing.T) { t.Parallel(); interrupted(t, l) })
	t.Run("roles alternate", func(t *testing.T) { t.Parallel(); alternating(t, l) })
}

// TestIptables is the seed where kube-proxy balances by iptables, and then what comes
// of a kube-proxy that is late.
func TestIptables(t *testing.T) {
	t.Parallel()
	l := newLab(t, "e2e-iptables", "--proxy-mode", "iptables", "--dual-stack")
	l.seed(t, "seed", "testdata/manifests/seed")
	late(t, l)
}

// TestTwoNodes is ten pods over two nodes, and what policy Local makes of the share.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	l := newLab(t, "e2e-two", "--nodes", "2")
	nodes := l.kubectl(t, "get", "nodes", "--no-headers")
	t.Log(nodes)
	require.Equal(t, 2, strings.Count(nodes, " Ready "))
	tenPods(t, l, "ten")
	t.Log(l.kubectl(t, "-n", "ten", "get", "pods", "-o", "wide"))
	locally(t, l)
}

// tenPods is a live pair on TCP and UDP.
func tenPods(t *testing.T, l *lab, namespace string) {
	t.Helper()
	l.namespace(t, namespace)
	l.kubectl(t, "-n", namespace, "apply", "-f", filepath.Join(root, "testdata/manifests/lobby/lobby-blue.yaml"),
		"-f", filepath.Join(root, "testdata/manifests/lobby/service.yaml"))
	l.serve(t, namespace, "lobby-blue")
	args := append([]string{
		"--manifests", "testdata/manifests/lobby", "--namespace", namespace, "--steps", "10,25,50,100",
		"--stable-pattern", `^1\.8\.2 (?P<pod>\S+)`, "--canary-pattern", `^1\.9\.0 (?P<pod>\S+)`,
	}, fast...)
	plan := l.planned(t, args...)
	res := l.run(t, args...)
	plan.requireForeseen(t, res)
	requirePromoted(t, res, [2]int{10, 0}, [2]int{9, 1}, [2]int{9, 3}, [2]int{5, 5}, [2]int{0, 10})
	for _, s := range res.report.Stages {
		require.Len(t, s.Ports, 2, s.Name)
	}
	l.watched(t, namespace).requireMoves(t, "lobby-blue", "lobby-green", "10+0", "10+1", "9+1", "9+3", "9+4", "6+4", "6+5", "5+5", "5+8", "2+8", "2+10", "0+10")
}

// held ends below 100 %.
func held(t *testing.T, l *lab) {
	t.Helper()
	l.namespace(t, "held")
	res := l.run(t, append(seedArgs("held", "testdata/manifests/seed"), "--steps", "50")...)
	require.Equal(t, 0, res.exit)
	require.Equal(t, "held", res.report.Outcome)
	l.watched(t, "held").requireMoves(t, "old-nginx", "new-nginx", "0+0", "1+0", "1+1")
}

// seedWith is the seed's manifests with environment for the canary.
func seedWith(t *testing.T, edit func(canary string) string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"old-nginx.yaml", "new-nginx.yaml"} {
		data, err := os.ReadFile(filepath.Join(root, "testdata/manifests/seed", name))
		require.NoError(t, err)
		text := string(data)
		if name == "new-nginx.yaml" {
			text = edit(text)
			require.NotEqual(t, string(data), text)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

// requireTurnedDown rolls out a canary that an environment variable spoils, and
// requires one of the reasons, exit 1 and stable back at its count.
func requireTurnedDown(t *testing.T, l *lab, namespace, variable, value string, reasons ...string) {
	t.Helper()
	manifests := seedWith(t, func(canary string) string {
		env := "imagePullPolicy: Always\n        env:\n        - {name: " + variable + ", value: \"" + value + "\"}\n        - {name: OTHER_VERSION, value: old}"
		if variable == "ALLOCATE_MIB" {
			env += "\n        resources: {limits: {memory: 64Mi}}"
		}
		return strings.Replace(canary, "imagePullPolicy: Always", env, 1)
	})
	l.namespace(t, namespace)
	res := l.run(t, append(seedArgs(namespace, manifests), "--propagation", "5s")...)
	t.Log(res.report.table())
	require.Equal(t, 1, res.exit)
	require.Equal(t, "rolled-back", res.report.Outcome)
	require.Contains(t, reasons, res.report.Reason, res.report.Message)
	require.Equal(t, 1, l.replicas(t, namespace, "old-nginx"))
	require.Equal(t, 0, l.replicas(t, namespace, "new-nginx"))
	l.watched(t, namespace).requireMoves(t, "old-nginx", "new-nginx", "0+0", "1+0", "1+1", "1+0")
}

// badImage is a canary whose image cannot be had: the verdict comes within
// seconds of the kubelet's report.
func badImage(t *testing.T, l *lab, kind string) {
	t.Helper()
	manifests := seedWith(t, func(canary string) string {
		return strings.Replace(canary, "registry.cn-hangzhou.aliyuncs.com/xianlu/new-nginx", "registry.example/"+kind+"/new-nginx", 1)
	})
	l.namespace(t, "image-"+kind)
	res := l.run(t, seedArgs("image-"+kind, manifests)...)
	t.Log(res.report.table())
	require.Equal(t, 1, res.exit)
	require.Equal(t, "rolled-back", res.report.Outcome)
	require.Equal(t, "IMAGE", res.report.Reason)
	require.NotEmpty(t, res.report.Troubles)
	require.Equal(t, 1, l.replicas(t, "image-"+kind, "old-nginx"))
	require.Equal(t, 0, l.replicas(t, "image-"+kind, "new-nginx"))
	events := l.kubectl(t, "-n", "image-"+kind, "get", "events", "--field-selector", "reason=Failed",
		"-o", "jsonpath={range .items[*]}{.firstTimestamp} {.message}{\"\\n\"}{end}")
	t.Logf("the kubelet's report:\n%s", events)
	require.NotEmpty(t, events)
}

// interrupted sends SIGINT in the middle of a stage: exit 130 in under 5 s, also with
// flows that are held open, and the pods stay where they are.
func interrupted(t *testing.T, l *lab) {
	t.Helper()
	l.namespace(t, "interrupted")
	r := l.start(t, append(seedArgs("interrupted", "testdata/manifests/seed"), "--rate", "20", "--hold-open", "200")...)
	require.Eventually(t, func() bool { return l.replicas(t, "interrupted", "new-nginx") == 1 }, 2*time.Minute, 100*time.Millisecond)
	sent := time.Now()
	require.NoError(t, r.cmd.Process.Signal(syscall.SIGINT))
	res := r.wait(t)
	require.Less(t, time.Since(sent), 5*time.Second)
	require.Equal(t, 130, res.exit)
	require.Equal(t, "interrupted", res.report.Outcome)
	held := res.report.HeldFlows
	require.Equal(t, 200, held.Open)
	require.Equal(t, 200, held.Stages[len(held.Stages)-1].Left, "closing them is no end of theirs")
	require.Equal(t, 1, l.replicas(t, "interrupted", "old-nginx"))
	require.Equal(t, 1, l.replicas(t, "interrupted", "new-nginx"))
}
