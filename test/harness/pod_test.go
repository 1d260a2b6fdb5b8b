//go:build e2e

package harness

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestPods(t *testing.T) {
	t.Parallel()
	pod := &corev1.Pod{}
	require.False(t, Ready(pod))
	require.False(t, Parked(pod))
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodReady, Status: corev1.ConditionFalse}}
	require.False(t, Ready(pod))
	pod.Status.Conditions[1].Status = corev1.ConditionTrue
	require.True(t, Ready(pod))
	pod.Annotations = map[string]string{"l4-canary.io/parked": ""}
	require.True(t, Parked(pod))
}

func TestReadyNodes(t *testing.T) {
	t.Parallel()
	node := func(name, kind string, ready corev1.ConditionStatus) *corev1.Node {
		return &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"type": kind}},
			Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}},
		}
	}
	client := fake.NewClientset(node("a", "real", corev1.ConditionTrue), node("b", "simulated", corev1.ConditionTrue), node("c", "simulated", corev1.ConditionUnknown))
	require.Equal(t, 2, ReadyNodes(t, client, ""))
	require.Equal(t, 1, ReadyNodes(t, client, "type=simulated"))
}
