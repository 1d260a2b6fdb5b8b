//go:build e2e

package scale

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/org/l4-canary/test/harness"
	"github.com/org/l4-canary/test/page"
	"github.com/org/l4-canary/test/tally"
)

// TestBalancer: flows are greeted as ready pods alone, and pods that end count no more.
func TestBalancer(t *testing.T) {
	t.Parallel()
	const namespace = "game"
	client := fake.NewClientset()
	b := balance(t, client, namespace)
	b.reset()
	require.Empty(t, greeting(t, b.port), "nobody is ready")
	_, unserved := b.extremes()
	require.Equal(t, 1, unserved)

	var endpoints []discoveryv1.Endpoint
	for _, name := range []string{"lobby-blue-a-1", "lobby-blue-a-2", "lobby-green-b-1", "lobby-blue-a-1"} {
		endpoints = append(endpoints, discoveryv1.Endpoint{TargetRef: &corev1.ObjectReference{Name: name}})
	}
	endpoints[1].Conditions.Ready = new(false)
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Name: "lobby-1", Namespace: namespace, Labels: map[string]string{discoveryv1.LabelServiceName: "lobby"}},
		Endpoints:  endpoints,
	}
	_, err := client.DiscoveryV1().EndpointSlices(namespace).Create(t.Context(), slice, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return b.ready() == 2 }, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, []string{"lobby-blue", "lobby-green"}, b.deployments())
	heard := map[string]bool{}
	for range 100 {
		heard[greeting(t, b.port)] = true
	}
	require.Equal(t, map[string]bool{"1.8.2 lobby-blue-a-1\n": true, "1.9.0 lobby-green-b-1\n": true}, heard)

	b.reset()
	for i := range 3 {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("p", i), Namespace: namespace}}
		_, err = client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	most := func(want bounds) func() bool {
		return func() bool { seen, _ := b.extremes(); return seen == want }
	}
	require.Eventually(t, most(bounds{leastReady: 2, mostPods: 3}), 10*time.Second, 10*time.Millisecond)
	require.NoError(t, client.CoreV1().Pods(namespace).Delete(t.Context(), "p0", metav1.DeleteOptions{}))
	slice.Endpoints = nil
	_, err = client.DiscoveryV1().EndpointSlices(namespace).Update(t.Context(), slice, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.Eventually(t, most(bounds{leastReady: 0, mostPods: 3}), 10*time.Second, 10*time.Millisecond)
}

// greeting is what one flow hears; empty if it is not answered.
func greeting(t *testing.T, port int) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", fmt.Sprint("127.0.0.1:", port))
	require.NoError(t, err)
	defer conn.Close()
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return line
}

// parked are requests that park so many pods, ten milliseconds after one another.
func parked(began time.Time, pods int) (calls []tally.Call) {
	for i := range pods {
		at := began.Add(time.Duration(i) * 10 * time.Millisecond)
		calls = append(calls, tally.Call{
			Verb: "patch", Resource: "pods", Began: at, Took: 30 * time.Millisecond, Sent: 100, Received: []tally.Chunk{{At: at, Bytes: 900}},
		})
	}
	return calls
}

func TestParkingIsTheLongestRow(t *testing.T) {
	t.Parallel()
	began := time.Now()
	p := process{calls: slices.Concat(
		parked(began, 3), []tally.Call{{Verb: "patch", Resource: "deployments/scale", Began: began.Add(time.Second), Took: time.Second}},
		parked(began.Add(5*time.Second), 10), parked(began.Add(20*time.Second), 5),
	)}
	pods, took := p.parking()
	require.Equal(t, 10, pods)
	require.Equal(t, 120*time.Millisecond, took)
}

func TestTablesHaveAColumnASize(t *testing.T) {
	t.Parallel()
	var rows []measured
	for _, size := range []int{10, 1000} {
		back := process{calls: append(parked(time.Now(), size), tally.Call{Verb: "update", Resource: "leases"}), memory: 81 << 20, took: 61 * time.Second}
		rows = append(rows, measured{
			size: size, plan: process{memory: 50 << 20}, rollback: back, alone: 50 * time.Second,
			stages: []stage{{Name: "baseline"}, {Name: "10", Stable: size * 9 / 10, Canary: size / 10, MoveSeconds: 7.5, DrainSeconds: 3}},
		})
	}
	text := tables(rows)
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "|") {
			require.Equal(t, 4, strings.Count(line, "|"), line)
		}
	}
	for _, want := range []string{
		"| pods a side | 10 | 1,000 |", "| `rollback`: peak memory | 81 MB | 81 MB |",
		"| move to 10 % | 4.5 s (9+1) | 4.5 s (900+100) |", "| patch pods | 0, 10 (10 kB) | 0, 1,000 (1,000 kB) |",
	} {
		require.Contains(t, text, want+"\n")
	}
	about, err := os.ReadFile(filepath.Join(harness.Root(t), "docs/scale.md"))
	require.NoError(t, err)
	_, err = page.Insert(string(about), map[string]string{"measured": text})
	require.NoError(t, err)
	hold(t, rows)
}

func TestSize(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[int]string{0: "0 kB", 1: "1 kB", 9_999_999: "10,000 kB", 12_345_678: "12.3 MB"} {
		require.Equal(t, want, size(bytes))
	}
}
