//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// flow is an established conversation with one pod.
type flow struct {
	pod   string
	ended time.Time // when it was cut, or another pod answered; zero if never
	why   string
}

// flows are those that were there before a rollout began.
type flows struct {
	stop context.CancelFunc
	done sync.WaitGroup
	mu   sync.Mutex
	all  []*flow
}

// converse opens conversations, and lets each say something five times a second.
// It returns when all have been answered once.
func converse(t *testing.T, protocol, address string, count int) *flows {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &flows{stop: cancel}
	for range count {
		dialer := net.Dialer{Timeout: 3 * time.Second}
		conn, err := dialer.DialContext(ctx, protocol, address)
		require.NoError(t, err)
		reader := bufio.NewReader(conn)
		if protocol == "udp" {
			_, err = conn.Write([]byte("hello\n"))
			require.NoError(t, err)
		}
		require.NoError(t, conn.SetDeadline(time.Now().Add(3*time.Second)))
		line, err := reader.ReadString('\n')
		require.NoError(t, err)
		it := &flow{pod: podOf(line)}
		require.NotEmpty(t, it.pod, line)
		f.all = append(f.all, it)
		f.done.Go(func() { f.hold(ctx, it, conn, reader, protocol == "udp") })
	}
	t.Cleanup(func() { cancel(); f.done.Wait() })
	return f
}

// podOf is the pod in a greeting: version, then pod.
func podOf(line string) string {
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return ""
	}
	return fields[1]
}

// hold talks until the conversation ends. A datagram may be lost; three in a row are
// an end. TCP sends again by itself, and a machine that is busy is no end either.
func (f *flows) hold(ctx context.Context, it *flow, conn net.Conn, reader *bufio.Reader, datagrams bool) {
	defer conn.Close()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	patience := 10 * time.Second
	if datagrams {
		patience = time.Second
	}
	for missed := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, err := fmt.Fprintln(conn, "still there?")
		var line string
		if err == nil {
			line, err = reader.ReadString('\n')
		}
		if err != nil && datagrams && missed < 2 {
			missed++
			continue
		}
		if err == nil && datagrams && podOf(line) != it.pod {
			err = fmt.Errorf("pod %s answers", podOf(line))
		}
		if err != nil {
			f.mu.Lock()
			it.ended, it.why = time.Now(), err.Error()
			f.mu.Unlock()
			return
		}
		missed = 0
	}
}

// departures are when pods were first seen to leave: parked, or being deleted.
type departures struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (l *lab) departures(t *testing.T, namespace string) *departures {
	t.Helper()
	d := &departures{at: map[string]time.Time{}}
	ctx, cancel := context.WithCancel(t.Context())
	factory := informers.NewSharedInformerFactoryWithOptions(l.Interface, 0, informers.WithNamespace(namespace))
	informer := factory.Core().V1().Pods().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{UpdateFunc: func(_, object any) {
		pod := object.(*corev1.Pod)
		_, parked := pod.Annotations["l4-canary.io/parked"]
		d.mu.Lock()
		defer d.mu.Unlock()
		if _, known := d.at[pod.Name]; !known && (parked || pod.DeletionTimestamp != nil) {
			d.at[pod.Name] = time.Now()
		}
	}})
	require.NoError(t, err)
	factory.Start(ctx.Done())
	require.True(t, cache.WaitForCacheSync(ctx.Done(), informer.HasSynced))
	t.Cleanup(func() { cancel(); factory.Shutdown() })
	return d
}

// requireDrained: no conversation ended before its pod had had its time.
func (f *flows) requireDrained(t *testing.T, left *departures, drain time.Duration) {
	t.Helper()
	f.stop()
	f.done.Wait()
	left.mu.Lock()
	defer left.mu.Unlock()
	ended, early, least := 0, []string{}, time.Hour
	for _, it := range f.all {
		if it.ended.IsZero() {
			continue
		}
		ended++
		at, leaves := left.at[it.pod]
		if !leaves || it.ended.Sub(at) < drain-200*time.Millisecond {
			early = append(early, fmt.Sprintf("%s: %s after %s: %s", it.pod, it.ended.Format("15:04:05.000"), it.ended.Sub(at), it.why))
			continue
		}
		least = min(least, it.ended.Sub(at))
	}
	t.Logf("%d conversations, %d ended with their pods, the first %.1fs after its pod began to leave; %d ended before their time (drain %s)",
		len(f.all), ended, least.Seconds(), len(early), drain)
	require.Empty(t, early)
	require.Positive(t, ended, "the old pods have gone, so something must have ended")
}

// conversations: two hundred established TCP connections see every pod leave.
func conversations(t *testing.T, l *lab, dir string) {
	t.Helper()
	namespace := "held-" + dir
	l.namespace(t, namespace)
	first := l.run(t, single(t, namespace, dir, 3, "0.9.0", "1.0.0")...)
	require.Equal(t, "promoted", first.report.Outcome)
	left := l.departures(t, namespace)
	held := converse(t, "tcp", l.address(t, namespace), 200)
	res := l.run(t, single(t, namespace, dir, 3, "1.0.0", "1.1.0", "--steps", "50,100", "--drain", "6s")...)
	require.Equal(t, "promoted", res.report.Outcome)
	held.requireDrained(t, left, 6*time.Second)
}

// sessions: UDP sessions stay with a pod that terminates, for as long as its preStop
// hook takes.
func sessions(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "held-udp"
	l.namespace(t, namespace)
	dir := lobby(t, "        ports:\n        - name: game", "        lifecycle: {preStop: {sleep: {seconds: 6}}}\n        ports:\n        - name: game")
	l.kubectl(t, "-n", namespace, "apply", "-f", filepath.Join(dir, "lobby-blue.yaml"), "-f", filepath.Join(dir, "service.yaml"))
	l.wait(t, namespace, "lobby-blue")
	left := l.departures(t, namespace)
	held := converse(t, "udp", l.address(t, namespace), 60)
	res := l.run(t, append([]string{
		"--manifests", dir, "--namespace", namespace, "--steps", "50,100", "--max-surge", "1", "--drain", "6s",
		"--stable-pattern", `^1\.8\.2 `, "--canary-pattern", `^1\.9\.0 `,
	}, fast[:4]...)...)
	require.Equal(t, "promoted", res.report.Outcome)
	held.requireDrained(t, left, 6*time.Second)
}
