//go:build e2e

package cost

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/org/l4-canary/test/harness"
)

// observe watches the pods of a namespace until stop is called.
func observe(t *testing.T, l *harness.Lab, namespace string) (sight *Sight, stop func()) {
	t.Helper()
	hour := int64(time.Hour.Seconds())
	ctx, cancel := context.WithCancel(t.Context())
	events, err := l.CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{TimeoutSeconds: &hour})
	require.NoError(t, err)
	sight = &Sight{}
	ended := make(chan bool)
	go func() {
		defer close(ended)
		for event := range events.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok {
				sight.See(time.Now(), glance(event.Type, pod))
			}
		}
		ended <- ctx.Err() == nil // nobody told it to
	}()
	return sight, func() {
		t.Helper()
		cancel()
		require.False(t, <-ended, "the watch of the pods was cut")
	}
}

// glance is what an event tells.
func glance(what watch.EventType, pod *corev1.Pod) Glance {
	return Glance{
		UID: string(pod.UID), Ready: harness.Ready(pod), Parked: harness.Parked(pod), Leaving: pod.DeletionTimestamp != nil, Gone: what == watch.Deleted,
	}
}
