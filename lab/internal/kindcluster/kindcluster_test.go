package kindcluster

import (
	"bytes"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"github.com/org/l4-canary/lab/internal/cluster"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestClusterConfig(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		golden string
		opts   cluster.Options
	}{
		{"one-node", cluster.Options{Name: "lab", Nodes: 1, ProxyMode: cluster.NFTables}},
		{"two-nodes-iptables", cluster.Options{Name: "lab", Nodes: 2, ProxyMode: cluster.IPTables}},
		{"dual-stack", cluster.Options{Name: "six", Nodes: 1, ProxyMode: cluster.NFTables, DualStack: true}},
	} {
		t.Run(tc.golden, func(t *testing.T) {
			t.Parallel()
			got, err := yaml.Marshal(clusterConfig(layout{"/state/" + tc.opts.Name}, tc.opts))
			require.NoError(t, err)
			path := filepath.Join("testdata", tc.golden+".yaml")
			if *update {
				require.NoError(t, os.WriteFile(path, got, 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		})
	}
}

// kind applies the patches only inside a node, so their form is checked here.
func TestPatchesAreWellFormed(t *testing.T) {
	t.Parallel()
	for _, patch := range append(mirrorPatches(), mirrorConfig("172.18.0.1:5100")) {
		_, err := toml.Load(patch)
		require.NoError(t, err)
	}
	var operations []struct {
		Op, Path string
		Value    any
	}
	require.NoError(t, yaml.UnmarshalStrict([]byte(apiServerPatch()), &operations))
	require.Len(t, operations, 4)
	for _, operation := range operations {
		require.Equal(t, "add", operation.Op)
		require.NotNil(t, operation.Value)
	}
	var policy map[string]any
	require.NoError(t, yaml.UnmarshalStrict([]byte(auditPolicy), &policy))
}

func TestMirrorConfig(t *testing.T) {
	t.Parallel()
	tree, err := toml.Load(mirrorConfig("172.18.0.1:5100"))
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"server": "http://172.18.0.1:5100",
		"host": map[string]any{
			"http://172.18.0.1:5100": map[string]any{"capabilities": []any{"pull", "resolve"}},
		},
	}, tree.ToMap())
}

func TestParseNetwork(t *testing.T) {
	t.Parallel()
	n, err := parseNetwork([]byte(`[{"Subnet":"fc00:f853:ccd:e793::/64"},{"Subnet":"172.18.0.0/16","Gateway":"172.18.0.1"}]`))
	require.NoError(t, err)
	require.Equal(t, network{
		gateway: netip.MustParseAddr("172.18.0.1"),
		subnet:  netip.MustParsePrefix("172.18.0.0/16"),
		subnet6: netip.MustParsePrefix("fc00:f853:ccd:e793::/64"),
	}, n)
	require.Equal(t, "172.18.0.1:5102", n.registry(2))

	n, err = parseNetwork([]byte(`[{"Subnet":"10.0.0.0/20"},{"Subnet":"fc00::/64","Gateway":"fc00::1/64"}]`))
	require.NoError(t, err)
	require.Equal(t, "10.0.0.1", n.gateway.String())
}

func TestParseNetworkRejects(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, data, message string }{
		{"nothing", ``, `reading Docker network "kind"`},
		{"null", `null`, "it has no IPv4 subnet"},
		{"IPv6 alone", `[{"Subnet":"fc00::/64"}]`, "it has no IPv4 subnet"},
		{"bad gateway", `[{"Subnet":"10.0.0.0/16","Gateway":"10.0.0.1/16"}]`, `reading Docker network "kind": ParseAddr`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := parseNetwork([]byte(tc.data))
			require.ErrorContains(t, err, tc.message)
		})
	}
}

func TestPools(t *testing.T) {
	t.Parallel()
	n := network{subnet: netip.MustParsePrefix("172.18.0.0/16"), subnet6: netip.MustParsePrefix("fc00::/64")}
	for _, tc := range []struct {
		index int
		pool  string
		pool6 string
	}{
		{0, "172.18.255.192/26", "fc00::ff:0:0/124"},
		{1, "172.18.255.128/26", "fc00::ff:0:10/124"},
		{3, "172.18.255.0/26", "fc00::ff:0:30/124"},
		{4, "172.18.254.192/26", "fc00::ff:0:40/124"},
		{7, "172.18.254.0/26", "fc00::ff:0:70/124"},
	} {
		t.Run(tc.pool, func(t *testing.T) {
			t.Parallel()
			pools, err := n.pools(tc.index, true)
			require.NoError(t, err)
			require.Equal(t, []netip.Prefix{netip.MustParsePrefix(tc.pool), netip.MustParsePrefix(tc.pool6)}, pools)
			require.Equal(t, pools[0], pools[0].Masked())
			require.Equal(t, pools[1], pools[1].Masked())
			pools, err = n.pools(tc.index, false)
			require.NoError(t, err)
			require.Len(t, pools, 1)
		})
	}
	_, err := n.pools(maxLabs, false)
	require.ErrorContains(t, err, "lab number 9: at most 8 labs")
	_, err = network{subnet: netip.MustParsePrefix("10.0.0.0/24")}.pools(0, false)
	require.ErrorContains(t, err, "it must be a /20 or wider")
	_, err = network{subnet: n.subnet}.pools(0, true)
	require.ErrorContains(t, err, "which dual stack needs")
}

func TestTakeover(t *testing.T) {
	t.Parallel()
	commands := takeover([]netip.Prefix{netip.MustParsePrefix("172.18.255.192/26"), netip.MustParsePrefix("fc00::f0/126")})
	var lines []string
	for _, command := range commands {
		lines = append(lines, strings.Join(command, " "))
	}
	require.Equal(t, []string{
		"ip route replace local 172.18.255.192/26 dev lo",
		"ip addr replace fc00::f1/128 dev eth0 nodad",
		"ip addr replace fc00::f2/128 dev eth0 nodad",
		"ip addr replace fc00::f3/128 dev eth0 nodad",
	}, lines)
}

func TestStateIsKept(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &Provider{StateRoot: filepath.Join(t.TempDir(), "labs"), Out: &out}
	_, err := p.Status(t.Context(), "lab")
	require.ErrorIs(t, err, cluster.ErrNotFound)
	_, err = p.Kubeconfig(t.Context(), "lab", cluster.Admin)
	require.ErrorIs(t, err, cluster.ErrNotFound)
	require.NoError(t, p.Down(t.Context(), "lab"), "a lab that does not exist is no error")

	opts := cluster.Options{Name: "lab", Nodes: 1, ProxyMode: cluster.NFTables}
	require.NoError(t, p.prepare(state{Options: opts, Complete: true}))
	index, err := p.freeIndex()
	require.NoError(t, err)
	require.Equal(t, 1, index)
	path, err := p.Kubeconfig(t.Context(), "lab", cluster.Restricted)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(p.StateRoot, "lab", "restricted.kubeconfig"), path)

	require.NoError(t, p.Up(t.Context(), opts))
	require.Contains(t, out.String(), `lab "lab" is up already`)
	opts.Nodes = 2
	require.ErrorContains(t, p.Up(t.Context(), opts), `lab "lab" runs with --nodes 1 --proxy-mode nftables --dual-stack=false`)

	status, err := p.Status(t.Context(), "lab")
	require.NoError(t, err)
	require.False(t, status.Running, "there is no cluster behind it")

	require.NoError(t, p.forget("lab"))
	require.NoDirExists(t, p.StateRoot)
}

func TestRestrictedUserHasATokenAndNothingElse(t *testing.T) {
	t.Parallel()
	l := layout{t.TempDir()}
	require.NoError(t, os.Mkdir(l.config(), 0o700))
	require.NoError(t, os.Mkdir(l.audit(), 0o700))
	require.NoError(t, l.writeConfig())
	token, err := l.token()
	require.NoError(t, err)
	require.Len(t, token, 26)
	require.FileExists(t, l.auditLog())

	admin := api.NewConfig()
	admin.Clusters["kind-lab"] = &api.Cluster{Server: "https://127.0.0.1:6443"}
	admin.AuthInfos["kind-lab"] = &api.AuthInfo{ClientKeyData: []byte("the admin's")}
	admin.Contexts["kind-lab"] = &api.Context{Cluster: "kind-lab", AuthInfo: "kind-lab"}
	admin.CurrentContext = "kind-lab"
	restricted := restrict(admin, token)
	require.Equal(t, admin.Clusters, restricted.Clusters)
	require.Equal(t, map[string]*api.AuthInfo{"restricted": {Token: token}}, restricted.AuthInfos)
	require.Equal(t, "restricted", restricted.Contexts["kind-lab"].AuthInfo)
	require.Equal(t, "kind-lab", admin.Contexts["kind-lab"].AuthInfo, "the admin's own is left alone")
}

func TestDescribeNode(t *testing.T) {
	t.Parallel()
	node := corev1.Node{Status: corev1.NodeStatus{
		Addresses:  []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: "x"}, {Type: corev1.NodeInternalIP, Address: "172.18.0.2"}},
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
	}}
	node.Name = "lab-control-plane"
	require.Equal(t, cluster.Node{Name: "lab-control-plane", Address: "172.18.0.2", Ready: true}, describe(node))
}

func TestAwaitHTTP(t *testing.T) {
	t.Parallel()
	answers := make(chan int, 2)
	answers <- http.StatusServiceUnavailable
	answers <- http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(<-answers)
	}))
	defer server.Close()
	require.NoError(t, awaitHTTP(t.Context(), server.URL))
	require.Empty(t, answers)
}

func TestLoggerDropsDetail(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := logger{&out}
	l.V(0).Infof("creating %s", "cluster")
	l.V(1).Info("detail")
	l.Warn("slow")
	require.Equal(t, "creating cluster\nslow\n", out.String())
}
