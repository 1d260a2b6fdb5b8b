//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lag is for how long kube-proxy does nothing.
const lag = 20 * time.Second

// late: what the API server knows reaches the balancer 20 s later, of pods that come
// and of pods that leave. The stage waits for it, and nobody loses a connection as long
// as drain is longer.
func late(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "late"
	l.namespace(t, namespace)
	release := func(from, to string, more ...string) []string {
		args := single(t, namespace, "single", 1, from, to, more...)
		edit(t, args[1], "type: LoadBalancer", "type: LoadBalancer\n  ipFamilyPolicy: PreferDualStack")
		return args
	}
	require.Equal(t, "promoted", l.run(t, release("0.9.0", "1.0.0")...).report.Outcome)
	users := l.use(t, namespace, 5)
	proxy := l.process(t, "kube-proxy")
	r := l.start(t, release("1.0.0", "1.1.0", "--steps", "50,100", "--drain", "30s", "--finish", "handover")...)
	require.Eventually(t, func() bool { return l.replicas(t, namespace, "lobby-canary") == 1 }, soon, 20*time.Millisecond)
	suspend(t, proxy)
	l.awaitParked(t, namespace)
	suspend(t, proxy)
	res := r.wait(t)
	t.Log(res.report.table())
	require.Equal(t, "promoted", res.report.Outcome)
	half := res.report.Stages[1]
	require.NotNil(t, half.PropagationSeconds)
	t.Logf("kube-proxy was away for %s; propagation of the stage: %.1fs", lag, *half.PropagationSeconds)
	require.Greater(t, *half.PropagationSeconds, 15.0)
	require.Less(t, *half.PropagationSeconds, 40.0)
	users.RequireNoneLost(t)
}

// process is the process number of a component of the lab.
func (l *lab) process(t *testing.T, name string) int {
	t.Helper()
	var status struct {
		Processes []struct {
			Name string
			PID  int
		}
	}
	require.NoError(t, json.Unmarshal([]byte(l.lab(t, "status", "--output", "json")), &status))
	for _, process := range status.Processes {
		if strings.HasPrefix(process.Name, name) {
			return process.PID
		}
	}
	require.Fail(t, "the lab has no "+name)
	return 0
}

// suspend stops a process for lag.
func suspend(t *testing.T, pid int) {
	t.Helper()
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	timer := time.NewTimer(lag)
	defer timer.Stop()
	<-timer.C
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
}
