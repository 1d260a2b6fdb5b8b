//go:build e2e

package soak

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/test/harness"
)

// count is what the cluster and the machine keep at a moment: sockets in every network
// namespace but those of pods, files that the lab's processes have open, objects, and
// processes of ours. Files are those of all nodes together: what a node has open for its
// pods goes with them to the other one.
func count(t *testing.T, l *harness.Lab) map[string]int {
	t.Helper()
	kept := map[string]int{"processes of the program": programs(t)}
	var status struct {
		Nodes     []struct{ Name string }
		Processes []struct {
			Name string
			PID  int
		}
	}
	require.NoError(t, json.Unmarshal([]byte(l.Do(t, "status", "--output", "json")), &status))
	for i, node := range status.Nodes {
		kept[fmt.Sprintf("sockets of node %d", i+1)] = sockets(t, "nsenter", "--net=/run/netns/l4lab-"+node.Name)
	}
	kept["sockets of the users' network"] = sockets(t, "nsenter", "--net=/run/netns/l4users-"+l.Name)
	kept["sockets of the machine to the lab"] = sockets(t)
	for _, p := range status.Processes {
		if open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID)); err == nil && p.PID > 0 {
			kept["files of "+strings.TrimRight(p.Name, "-0123456789")] += len(open)
		}
	}
	objects(t, l, kept)
	return kept
}

// sockets counts those of a namespace that are open to somebody, or should be closed and
// are not. Those in TIME-WAIT the kernel closes by itself.
func sockets(t *testing.T, enter ...string) int {
	t.Helper()
	argv := append(enter, "ss", "--no-header", "--tcp", "--udp", "--all", "--numeric")
	out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).Output()
	require.NoError(t, err)
	found := 0
	for line := range strings.Lines(string(out)) {
		toLab := len(enter) > 0 || strings.Contains(line, "198.18.") || strings.Contains(line, "198.19.")
		if toLab && !strings.Contains(line, "TIME-WAIT") {
			found++
		}
	}
	return found
}

// programs are the processes of the program that are still there.
func programs(t *testing.T) int {
	t.Helper()
	ours := filepath.Join(harness.Root(t), "bin/l4-canary")
	entries, err := filepath.Glob("/proc/[0-9]*/exe")
	require.NoError(t, err)
	found := 0
	for _, entry := range entries {
		if path, err := os.Readlink(entry); err == nil && path == ours {
			found++
		}
	}
	return found
}

// objects counts what is in the cluster.
func objects(t *testing.T, l *harness.Lab, kept map[string]int) {
	t.Helper()
	var all metav1.ListOptions
	pods, err := l.CoreV1().Pods("").List(t.Context(), all)
	require.NoError(t, err)
	endpoints, err := l.DiscoveryV1().EndpointSlices("").List(t.Context(), all)
	require.NoError(t, err)
	configs, err := l.CoreV1().ConfigMaps("").List(t.Context(), all)
	require.NoError(t, err)
	secrets, err := l.CoreV1().Secrets("").List(t.Context(), all)
	require.NoError(t, err)
	kept["pods"], kept["endpointslices"] = len(pods.Items), len(endpoints.Items)
	kept["configmaps and secrets"] = len(configs.Items) + len(secrets.Items)
}

// compare puts two counts beside each other, in the order of their names.
func compare(before, after map[string]int) []Count {
	var counts []Count
	for name, n := range before {
		counts = append(counts, Count{name, n, after[name]})
	}
	slices.SortFunc(counts, func(a, b Count) int { return strings.Compare(a.Name, b.Name) })
	return counts
}
