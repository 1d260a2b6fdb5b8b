package native

import (
	"encoding/csv"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/org/l4-canary/lab/internal/address"
	"github.com/org/l4-canary/lab/internal/cluster"
	"github.com/org/l4-canary/lab/internal/network"
)

var update = flag.Bool("update", false, "write the goldens")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func testPlan(t *testing.T, nodes int, dualStack bool) address.Plan {
	t.Helper()
	plan, err := address.New(3, nodes, dualStack)
	require.NoError(t, err)
	return plan
}

func TestNodeFiles(t *testing.T) {
	t.Parallel()
	opts := cluster.Options{Name: "demo", Nodes: 2, ProxyMode: cluster.IPTables, DualStack: true}
	l := layout{dir: filepath.Join(t.TempDir(), "demo"), name: "demo"}
	require.NoError(t, l.configure(opts, testPlan(t, 2, true), "/usr/lib/cni"))
	for name, file := range nodeFiles {
		data, err := os.ReadFile(filepath.Join(l.node(2), file))
		require.NoError(t, err)
		golden(t, "dual-stack-node-2/"+name, strings.ReplaceAll(string(data), l.dir, "/STATE"))
	}
	require.NoError(t, filepath.WalkDir(l.dir, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, "%s is for its owner alone", path)
		return nil
	}))
}

func TestSingleStackNetwork(t *testing.T) {
	t.Parallel()
	plan := testPlan(t, 1, false)
	got, err := render("cni.conflist", nodeConfig{Dir: "/STATE/demo-1", Network: "l4lab-demo", Node: plan.Nodes[0]})
	require.NoError(t, err)
	golden(t, "single-stack.conflist", string(got))
}

func TestUsers(t *testing.T) {
	t.Parallel()
	opts := cluster.Options{Name: "demo", Nodes: 1, ProxyMode: cluster.NFTables}
	l := layout{dir: t.TempDir(), name: "demo"}
	require.NoError(t, l.configure(opts, testPlan(t, 1, false), "/usr/lib/cni"))
	file, err := os.Open(l.config("tokens.csv"))
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	reader := csv.NewReader(file)
	reader.FieldsPerRecord = -1 // as the API server reads it
	rows, err := reader.ReadAll()
	require.NoError(t, err)
	groups, tokens := map[string][]string{}, map[string]string{}
	for _, row := range rows {
		tokens[row[1]], groups[row[1]] = row[0], row[3:]
	}
	require.Equal(t, []string{"system:masters"}, groups["admin"])
	require.Equal(t, []string{"system:nodes"}, groups["system:node:demo-1"])
	require.Contains(t, groups, "restricted")
	require.Empty(t, groups["restricted"])

	for _, user := range []cluster.User{cluster.Admin, cluster.Restricted} {
		config, err := clientcmd.BuildConfigFromFlags("", l.userKubeconfig(user))
		require.NoError(t, err)
		require.Equal(t, "https://198.18.3.2:6443", config.Host)
		require.Equal(t, tokens[string(user)], config.BearerToken)
		require.False(t, config.Insecure)
		require.NotEmpty(t, config.CAData)
	}
}

func TestCommandLines(t *testing.T) {
	t.Parallel()
	plan := testPlan(t, 2, true)
	topology := network.Topology{Name: "demo", Index: 3, Plan: plan}
	f := fleet{
		layout:     layout{dir: "/STATE", name: "demo"},
		plan:       plan,
		netns:      func(n int) string { return network.Path(topology.Namespace(n)) },
		self:       "/bin/lab",
		kubernetes: "/cache/node",
		workload:   "/cache/workload",
	}
	var out strings.Builder
	for _, c := range []component{
		f.etcd(), f.apiServer(), f.controllerManager(), f.scheduler(), f.registry(), f.balancer(),
		f.containerd(2), f.kubelet(2, 4711), f.kubeProxy(2, 4711),
	} {
		out.WriteString("# " + c.name + "\n" + strings.Join(c.place.Args(), " ") + "\n" + strings.Join(c.argv, "\n  ") + "\n\n")
	}
	golden(t, "command-lines.txt", out.String())
}
