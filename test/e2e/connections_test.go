//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

// flow is an established conversation, and how it ended.
type flow struct {
	*harness.Conversation
	ended time.Time // when it was cut, or another pod answered; zero if never
	why   error
}

// flows are those that were there before a rollout began.
type flows struct {
	stop context.CancelFunc
	done sync.WaitGroup
	all  []*flow
}

// converse opens conversations, and lets each say something five times a second.
// It returns when all have been answered once.
func converse(t *testing.T, protocol, address string, count int) *flows {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &flows{stop: cancel}
	t.Cleanup(func() { cancel(); f.done.Wait() })
	for range count {
		conversation, err := harness.Converse(ctx, nil, protocol, address)
		require.NoError(t, err)
		it := &flow{Conversation: conversation}
		f.all = append(f.all, it)
		f.done.Go(func() {
			if it.why = it.Talk(ctx); it.why != nil {
				it.ended = time.Now()
			}
		})
	}
	return f
}

// awaitPods blocks until so many pods have answered new connections: kube-proxy may lag
// behind the endpoints.
func awaitPods(t *testing.T, address string, count int) {
	t.Helper()
	seen := map[string]bool{}
	require.Eventually(t, func() bool {
		dialer := net.Dialer{Timeout: time.Second}
		conn, err := dialer.DialContext(t.Context(), "tcp", address)
		if err != nil {
			return false
		}
		defer conn.Close()
		if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
			seen[harness.PodOf(line)] = true
		}
		return len(seen) >= count
	}, time.Minute, 50*time.Millisecond)
}

// end lets no conversation say anything more, and tells how many ended with each pod,
// how long after it began to leave the first of them did, and which ended before their
// pod had had its time.
func (f *flows) end(t *testing.T, left *harness.Departures, drain time.Duration) (ended map[string]int, first map[string]time.Duration, early []*flow) {
	t.Helper()
	f.stop()
	f.done.Wait()
	ended, first = map[string]int{}, map[string]time.Duration{}
	for _, it := range f.all {
		if it.ended.IsZero() {
			continue
		}
		ended[it.Pod]++
		at, _ := left.Of(it.Pod)
		if !left.Spared(it.Pod, it.ended, drain) {
			early = append(early, it)
			t.Logf("early: %s: %s after %s: %v", it.Pod, it.ended.Format("15:04:05.000"), it.ended.Sub(at), it.why)
			continue
		}
		if after, known := first[it.Pod]; !known || it.ended.Sub(at) < after {
			first[it.Pod] = it.ended.Sub(at)
		}
	}
	t.Logf("%d conversations, %d pods' ended with them, the first so long after its pod began to leave: %v; %d ended before their time (drain %s)",
		len(f.all), len(ended), first, len(early), drain)
	return ended, first, early
}

// requireAlike holds the flows that the program held itself against the test's own, all
// of which ended too: none was cut, and where answers name pods, the same pods' ended
// at the same time.
func (h *heldFlows) requireAlike(t *testing.T, first map[string]time.Duration) {
	t.Helper()
	require.NotNil(t, h)
	require.Equal(t, h.Asked, h.Open)
	outlived := 0
	for _, s := range h.Stages {
		t.Logf("held flows, stage %s: %d open, %d outlived the drain, %d cut, %d left", s.Stage, s.Open, s.Outlived, s.Cut, s.Left)
		require.Zero(t, s.Cut, s.Stage)
		outlived += s.Outlived
	}
	require.Equal(t, h.Open, outlived, "every pod that answered them has gone")
	for _, p := range h.Ports {
		require.Zero(t, p.Watched, p.Port)
	}
	for _, e := range h.Ends {
		require.NotNil(t, e.AfterSeconds)
		t.Logf("held flows of %s (%s): %d %s %.2f s after it began to leave", e.Pod, e.Port, e.Flows, e.How, *e.AfterSeconds)
		if e.Pod != "" && len(first) > 0 {
			require.Contains(t, first, e.Pod)
			require.InDelta(t, first[e.Pod].Seconds(), *e.AfterSeconds, 2, "they ask once a second")
		}
	}
}

// conversations: two hundred established TCP connections see every pod leave, beside
// those that the program holds. Patterns that name pods, and some that do not.
func conversations(t *testing.T, l *lab, dir, pod string) {
	t.Helper()
	namespace := "held-" + dir
	l.namespace(t, namespace)
	first := l.run(t, single(t, namespace, dir, 3, "0.9.0", "1.0.0", "--hold-open", "5")...)
	require.Equal(t, "promoted", first.report.Outcome)
	require.Nil(t, first.report.HeldFlows, "nothing moves")
	awaitPods(t, harness.Address(t, l, namespace), 3)
	left := harness.WatchDepartures(t, l, namespace)
	held := converse(t, "tcp", harness.Address(t, l, namespace), 200)
	res := l.run(t, single(t, namespace, dir, 3, "1.0.0", "1.1.0", "--steps", "50,100", "--drain", "6s",
		"--hold-open", "60", "--stable-pattern", `^1\.0\.0 `+pod)...)
	require.Equal(t, "promoted", res.report.Outcome)
	ended, when, early := held.end(t, left, 6*time.Second)
	require.Empty(t, early)
	require.Len(t, ended, 3, "the old pods have gone, so their conversations have ended")
	res.report.HeldFlows.requireAlike(t, when)
}

// cut: a pod that serves is killed by force in a pause. What the report says of its flows
// must be seen to be right when there is something to say.
func cut(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "held-cut"
	l.namespace(t, namespace)
	first := l.run(t, single(t, namespace, "single", 3, "0.9.0", "1.0.0")...)
	require.Equal(t, "promoted", first.report.Outcome)
	left := harness.WatchDepartures(t, l, namespace)
	held := converse(t, "tcp", harness.Address(t, l, namespace), 60)
	r := l.start(t, single(t, namespace, "single", 3, "1.0.0", "1.1.0", "--steps", "50:20s,100", "--drain", "10s",
		"--hold-open", "60", "--stable-pattern", `^1\.0\.0 (?P<pod>\S+)`)...)
	require.Eventually(t, func() bool { return r.passed("50") }, 2*time.Minute, 200*time.Millisecond)
	victim := ""
	for pod := range strings.FieldsSeq(l.kubectl(t, "-n", namespace, "get", "pods", "-l", "app=lobby", "-o", "name")) {
		if name := strings.TrimPrefix(pod, "pod/"); !strings.HasPrefix(name, "lobby-canary-") {
			victim = name
		}
	}
	require.NotEmpty(t, victim)
	l.watched(t, namespace).meddle(meddling{ready: 1, share: 50})
	l.kubectl(t, "-n", namespace, "delete", "pod", victim, "--grace-period=0", "--force")
	res := r.wait(t)
	require.Equal(t, "promoted", res.report.Outcome)
	_, _, early := held.end(t, left, 10*time.Second)
	require.NotEmpty(t, early)
	for _, it := range early {
		require.Equal(t, victim, it.Pod)
	}
	h := res.report.HeldFlows
	cut, outlived := 0, 0
	for _, s := range h.Stages {
		cut, outlived = cut+s.Cut, outlived+s.Outlived
	}
	require.Positive(t, cut)
	require.Equal(t, h.Open, cut+outlived)
	for _, e := range h.Ends {
		require.Equal(t, e.Pod == victim, e.Cut, e.Pod)
	}
}

// sessions: UDP sessions stay with a pod that terminates, for as long as its preStop
// hook takes, and so do TCP connections.
func sessions(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "held-udp"
	l.namespace(t, namespace)
	dir := lobby(t, "        ports:\n        - name: game", "        lifecycle: {preStop: {sleep: {seconds: 8}}}\n        ports:\n        - name: game")
	l.kubectl(t, "-n", namespace, "apply", "-f", filepath.Join(dir, "lobby-blue.yaml"), "-f", filepath.Join(dir, "service.yaml"))
	l.serve(t, namespace, "lobby-blue")
	awaitPods(t, harness.Address(t, l, namespace), 3)
	left := harness.WatchDepartures(t, l, namespace)
	held := converse(t, "udp", harness.Address(t, l, namespace), 60)
	res := l.run(t, append([]string{
		"--manifests", dir, "--namespace", namespace, "--steps", "50,100", "--max-surge", "1", "--drain", "6s", "--hold-open", "60",
		"--stable-pattern", `^1\.8\.2 (?P<pod>\S+)`, "--canary-pattern", `^1\.9\.0 `,
	}, fast[:4]...)...)
	require.Equal(t, "promoted", res.report.Outcome)
	ended, when, early := held.end(t, left, 6*time.Second)
	require.Empty(t, early)
	require.Len(t, ended, 3)
	res.report.HeldFlows.requireAlike(t, when)
}
