//go:build e2e

package scale

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/test/harness"
)

const (
	// simulated is the label and the taint of nodes that are none.
	simulated = "simulated"

	nodes       = 25
	podsPerNode = 110 // as a kubelet has it: 2,750 in all
)

// simulate makes nodes that a simulator speaks for: it says of every pod that is given
// to one of them that it is ready, and of one that is to end that it has.
func simulate(t *testing.T, l *harness.Lab) {
	t.Helper()
	argv := []string{
		filepath.Join(harness.Root(t), "bin/kwok"), "--kubeconfig", l.Kubeconfig, "--manage-all-nodes=false",
		"--manage-nodes-with-label-selector", "type=" + simulated, "--node-lease-duration-seconds", "40",
		"--node-ip", "192.0.2.1", "--cidr", "10.128.0.1/16",
	}
	for _, stage := range []string{"node/fast/node-initialize", "pod/fast/pod-ready", "pod/fast/pod-delete"} {
		argv = append(argv, "--config", filepath.Join(module(t), "kustomize/stage", stage+".yaml"))
	}
	harness.Start(t, t.TempDir(), argv...)
	for i := range nodes {
		_, err := l.CoreV1().Nodes().Create(t.Context(), node(fmt.Sprintf("simulated-%d", i+1)), metav1.CreateOptions{})
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return harness.ReadyNodes(t, l, "type="+simulated) == nodes }, time.Minute, 200*time.Millisecond, "simulated nodes are not ready")
}

// module is where the simulator's source is, whose stages say what becomes of nodes and
// pods.
func module(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok")
	cmd.Dir = filepath.Join(harness.Root(t), "test/scale/kwok")
	out, err := cmd.Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// node is one with room, which only pods that tolerate it get.
func node(name string) *corev1.Node {
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourceMemory: resource.MustParse("256Gi"),
		corev1.ResourcePods: *resource.NewQuantity(podsPerNode, resource.DecimalSI),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"type": simulated, corev1.LabelHostname: name}},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: simulated, Effect: corev1.TaintEffectNoSchedule}}},
		Status:     corev1.NodeStatus{Capacity: room, Allocatable: room},
	}
}
