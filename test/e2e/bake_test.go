//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// answer is what one new connection heard.
type answer struct {
	at      time.Time // when it was opened
	version string    // empty if it heard nothing
}

// listener asks a Service fifty times a second which version answers.
type listener struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu    sync.Mutex
	heard []answer
}

func (l *lab) listen(t *testing.T, namespace string) *listener {
	t.Helper()
	service, err := l.CoreV1().Services(namespace).Get(t.Context(), "lobby", metav1.GetOptions{})
	require.NoError(t, err)
	address := net.JoinHostPort(service.Status.LoadBalancer.Ingress[0].IP, fmt.Sprint(service.Spec.Ports[0].Port))
	ctx, cancel := context.WithCancel(t.Context())
	s := &listener{stop: cancel}
	s.done.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			s.done.Go(func() { s.ask(context.WithoutCancel(ctx), address) })
		}
	})
	t.Cleanup(func() { cancel(); s.done.Wait() })
	return s
}

func (s *listener) ask(ctx context.Context, address string) {
	heard := answer{at: time.Now()}
	if conn, err := dial(ctx, address); err == nil {
		_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
		line, _ := bufio.NewReader(conn).ReadString('\n')
		heard.version, _, _ = strings.Cut(line, " ")
		conn.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, heard)
}

// end stops asking and gives the first and the last time a version answered after a
// moment, and how many connections heard nothing.
func (s *listener) end(version string, after time.Time) (first, last time.Time, silent int) {
	s.stop()
	s.done.Wait()
	for _, heard := range s.heard {
		switch {
		case heard.version == "":
			silent++
		case heard.version == version && heard.at.After(after):
			if first.IsZero() || heard.at.Before(first) {
				first = heard.at
			}
			if heard.at.After(last) {
				last = heard.at
			}
		}
	}
	return first, last, silent
}

// baked: hours after the last stage, or minutes, the old pods are warm: a rollback
// begins with them.
func baked(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "baked"
	l.namespace(t, namespace)
	first := l.run(t, single(t, namespace, "single", 3, "0.9.0", "1.0.0")...)
	require.Equal(t, "promoted", first.report.Outcome)
	release := single(t, namespace, "single", 3, "1.0.0", "1.1.0", "--steps", "50,100", "--max-surge", "2", "--bake", "10m")
	r := l.start(t, release...)
	require.Eventually(t, func() bool {
		return strings.Contains(l.command(t, "status", "--namespace", namespace).stdout, "baking")
	}, 2*time.Minute, time.Second)
	require.Equal(t, 2, l.replicas(t, namespace, "lobby"), "two pods are warm")

	users := l.use(t, namespace, 5)
	listener := l.listen(t, namespace)
	began := time.Now()
	back := l.command(t, "rollback", "--namespace", namespace, "--drain", "2s")
	took := time.Since(began)
	require.Equal(t, 0, back.exit, back.stderr)
	old, _, silent := listener.end("1.0.0", began)
	_, last, _ := listener.end("1.1.0", began)
	require.False(t, old.IsZero())
	t.Logf("from rollback in bake: the first old answer after %.2fs, all answers old after %.2fs, done after %.2fs (three pods, drain 2 s)",
		old.Sub(began).Seconds(), max(last.Sub(began), 0).Seconds(), took.Seconds())
	require.Zero(t, silent)
	users.requireNoneLost(t)

	res := r.wait(t)
	require.Equal(t, "TAKEN_OVER", res.report.Reason)
	require.Equal(t, 3, l.replicas(t, namespace, "lobby"))
	require.Equal(t, -1, l.replicas(t, namespace, "lobby-canary"))
	require.Contains(t, l.image(t, namespace), "1.0.0")
	l.requireTidy(t, namespace)

	res = l.run(t, append(release, "--bake", "3s")...)
	require.Equal(t, "promoted", res.report.Outcome)
	require.Contains(t, l.image(t, namespace), "1.1.0")
	require.Equal(t, 3, l.replicas(t, namespace, "lobby"))
}

// crashed: from the moment in which a canary crashes to the last answer of any canary.
func crashed(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "crashed"
	l.namespace(t, namespace)
	first := l.run(t, single(t, namespace, "single", 3, "0.9.0", "1.0.0")...)
	require.Equal(t, "promoted", first.report.Outcome)
	release := single(t, namespace, "single", 3, "1.0.0", "1.1.0", "--steps", "50:5m,100", "--max-surge", "1")
	edit(t, release[1], "image: registry.example/lobby:1.1.0", "image: registry.example/lobby:1.1.0\n        env: [{name: CRASH_AFTER, value: 25s}]")
	listener := l.listen(t, namespace)
	r := l.start(t, release...)
	crash := l.awaitCrash(t, namespace)
	res := r.wait(t)
	require.Equal(t, "rolled-back", res.report.Outcome)
	require.Contains(t, []string{"CRASH_LOOP", "FAIL_RESTARTS", "FAIL_ERRORS"}, res.report.Reason)
	_, last, _ := listener.end("1.1.0", crash.Add(-time.Second))
	t.Logf("from a crashing canary (%s) to the last answer of any canary: %.2fs; the run ended %.2fs after it",
		res.report.Reason, max(last.Sub(crash), 0).Seconds(), res.report.FinishedAt.Sub(crash).Seconds())
	require.Equal(t, 3, l.replicas(t, namespace, "lobby"))
}

// awaitCrash is when the API server learns that a container has ended.
func (l *lab) awaitCrash(t *testing.T, namespace string) time.Time {
	t.Helper()
	events, err := l.CoreV1().Pods(namespace).Watch(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	defer events.Stop()
	for event := range events.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok {
			continue
		}
		for _, status := range pod.Status.ContainerStatuses {
			if status.State.Terminated != nil && status.State.Terminated.ExitCode != 0 || status.RestartCount > 0 {
				return time.Now()
			}
		}
	}
	require.Fail(t, "no container crashed")
	return time.Time{}
}
