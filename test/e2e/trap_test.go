//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/org/l4-canary/test/harness"
)

// fitness is a readiness gate of pods that the test decides about: a pod that is not
// fit is unready, and still answers whoever comes.
type fitness struct {
	lab       *lab
	namespace string
	done      sync.WaitGroup
}

// keepFit makes every pod of a namespace fit once.
func (l *lab) keepFit(t *testing.T, namespace string) *fitness {
	t.Helper()
	f := &fitness{lab: l, namespace: namespace}
	ctx, stop := context.WithCancel(t.Context())
	events, err := l.CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	f.done.Go(func() {
		seen := map[types.UID]bool{}
		for event := range events.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok && !seen[pod.UID] {
				seen[pod.UID] = true
				if err := f.set(ctx, pod.Name, corev1.ConditionTrue); err != nil && ctx.Err() == nil {
					t.Errorf("making pod %s fit: %v", pod.Name, err)
				}
			}
		}
	})
	t.Cleanup(func() { stop(); f.done.Wait() })
	return f
}

func (f *fitness) set(ctx context.Context, pod string, status corev1.ConditionStatus) error {
	patch := fmt.Sprintf(`{"status":{"conditions":[{"type":"example.com/fit","status":%q}]}}`, status)
	_, err := f.lab.CoreV1().Pods(f.namespace).Patch(ctx, pod, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
	return err
}

// gated are the inputs of a release whose pods have the gate.
func gated(t *testing.T, namespace, dir, from, to string, more ...string) []string {
	t.Helper()
	args := single(t, namespace, dir, 3, from, to, more...)
	edit(t, args[1], "      containers:", "      readinessGates: [{conditionType: example.com/fit}]\n      containers:")
	return args
}

// parkedPods are the pods that are out of the Service, and those that are not.
func (l *lab) parkedPods(t *testing.T, namespace string) (parked, serving []corev1.Pod) {
	t.Helper()
	list, err := l.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, pod := range list.Items {
		switch {
		case pod.DeletionTimestamp != nil:
		case harness.Parked(&pod):
			parked = append(parked, pod)
		default:
			serving = append(serving, pod)
		}
	}
	return parked, serving
}

// awaitParked waits for the first pod that leaves.
func (l *lab) awaitParked(t *testing.T, namespace string) (parked corev1.Pod, serving []corev1.Pod) {
	t.Helper()
	require.Eventually(t, func() bool {
		all, rest := l.parkedPods(t, namespace)
		if len(all) > 0 {
			parked, serving = all[0], rest
		}
		return len(all) > 0
	}, soon, 20*time.Millisecond)
	return parked, serving
}

// awaitSilence waits until the balancer sends nobody to a pod any more. Whoever deletes
// it before that does harm.
func (l *lab) awaitSilence(t *testing.T, namespace, pod string) {
	t.Helper()
	const enough = 40 // in a row, of three pods or four
	silent, address := 0, harness.Address(t, l, namespace)
	require.Eventually(t, func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		line, err := bufio.NewReader(conn).ReadString('\n')
		require.NoError(t, err)
		if silent++; harness.PodOf(line) == pod {
			silent = 0
		}
		return silent >= enough
	}, soon, 10*time.Millisecond)
}

// brokenMeanwhile: while a parked pod drains, another one of stable stops being ready.
// A scale-down would take that one, so it waits until there is no such pod.
func brokenMeanwhile(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "broken-meanwhile"
	l.namespace(t, namespace)
	fit := l.keepFit(t, namespace)
	require.Equal(t, "promoted", l.run(t, gated(t, namespace, "single", "0.9.0", "1.0.0")...).report.Outcome)
	users := l.use(t, namespace, 5)
	const drain = 4 * time.Second
	r := l.start(t, gated(t, namespace, "single", "1.0.0", "1.1.0", "--steps", "50,100", "--drain", drain.String(), "--finish", "handover")...)
	parked, serving := l.awaitParked(t, namespace)
	var broken string
	for _, pod := range serving {
		if pod.Spec.Containers[0].Image == parked.Spec.Containers[0].Image {
			broken = pod.Name
		}
	}
	l.watched(t, namespace).meddle(meddling{ready: 1})
	require.NoError(t, fit.set(t.Context(), broken, corev1.ConditionFalse))
	const waits = drain + 6*time.Second
	require.Never(t, func() bool { return l.replicas(t, namespace, "lobby") != 3 }, waits, 100*time.Millisecond)
	require.NoError(t, fit.set(t.Context(), broken, corev1.ConditionTrue))
	require.Equal(t, "promoted", r.wait(t).report.Outcome)
	require.Equal(t, parked.Name, l.watched(t, namespace).firstGone(parked.Name, broken), "the parked pod was the first to go")
	users.RequireNoneLost(t)
}

// firstGone is which of some pods began to end first.
func (w *watcher) firstGone(names ...string) string {
	for _, it := range w.history() {
		pod, ok := it.object.(*corev1.Pod)
		if !ok || pod.DeletionTimestamp == nil {
			continue
		}
		for _, name := range names {
			if pod.Name == name {
				return name
			}
		}
	}
	return ""
}

// deletedMeanwhile: somebody deletes a pod that drains. If its ReplicaSet has it still,
// the one that comes in its place is parked in turn; nobody new loses anything.
func deletedMeanwhile(t *testing.T, l *lab, dir string) {
	t.Helper()
	namespace := "deleted-" + dir
	l.namespace(t, namespace)
	require.Equal(t, "promoted", l.run(t, single(t, namespace, dir, 3, "0.9.0", "1.0.0")...).report.Outcome)
	users := l.use(t, namespace, 5)
	r := l.start(t, single(t, namespace, dir, 3, "1.0.0", "1.1.0", "--steps", "50,100", "--drain", "6s", "--finish", "handover")...)
	parked, _ := l.awaitParked(t, namespace)
	l.awaitSilence(t, namespace, parked.Name)
	l.kubectl(t, "-n", namespace, "delete", "pod", parked.Name, "--wait=false")
	if dir == "single" {
		var next corev1.Pod
		require.Eventually(t, func() bool {
			all, _ := l.parkedPods(t, namespace)
			for _, pod := range all {
				next = pod
			}
			return len(all) == 1
		}, soon, 20*time.Millisecond)
		require.Greater(t, next.CreationTimestamp.Unix(), parked.CreationTimestamp.Unix(), "its replacement is parked")
		require.Equal(t, 3, l.replicas(t, namespace, "lobby"))
	}
	require.Equal(t, "promoted", r.wait(t).report.Outcome)
	parkedPods, serving := l.parkedPods(t, namespace)
	require.Empty(t, parkedPods)
	require.Len(t, serving, 3)
	require.Equal(t, 3, replicasOf(l.watched(t, namespace).history(), "lobby"))
	users.RequireNoneLost(t)
}

// replicasOf is the last that was seen of a Deployment's count.
func replicasOf(history []instant, deployment string) (count int) {
	for _, it := range history {
		if d, ok := it.object.(*appsv1.Deployment); ok && !it.gone && d.Name == deployment {
			count = int(*d.Spec.Replicas)
		}
	}
	return count
}
