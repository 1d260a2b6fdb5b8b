//go:build e2e

package harness

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Parked reports whether the program has taken a pod out of the Service.
func Parked(pod *corev1.Pod) bool {
	_, parked := pod.Annotations["l4-canary.io/parked"]
	return parked
}

// Ready reports whether a pod is.
func Ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// ReadyNodes counts the nodes that are, of those that a selector matches: an empty one
// matches all.
func ReadyNodes(t *testing.T, c kubernetes.Interface, selector string) int {
	t.Helper()
	list, err := c.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{LabelSelector: selector})
	require.NoError(t, err)
	ready := 0
	for _, node := range list.Items {
		if slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		}) {
			ready++
		}
	}
	return ready
}
