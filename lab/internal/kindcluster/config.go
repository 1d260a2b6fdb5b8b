package kindcluster

import (
	"fmt"
	"strings"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/org/l4-canary/lab/internal/cluster"
)

// Where a node sees the lab's folders.
const (
	nodeConfig     = "/etc/lab"
	nodeAudit      = "/var/log/lab"
	nodeRegistries = "/etc/containerd/certs.d"
)

// clusterConfig is what kind is asked for. It holds paths only, no address: what
// lies behind them is written when the Docker network is known.
func clusterConfig(l layout, opts cluster.Options) *v1alpha4.Cluster {
	config := &v1alpha4.Cluster{
		TypeMeta: v1alpha4.TypeMeta{Kind: "Cluster", APIVersion: "kind.x-k8s.io/v1alpha4"},
		Name:     clusterName(opts.Name),
		Networking: v1alpha4.Networking{
			IPFamily:      v1alpha4.IPv4Family,
			KubeProxyMode: v1alpha4.ProxyMode(opts.ProxyMode),
		},
		ContainerdConfigPatches: mirrorPatches(),
		KubeadmConfigPatchesJSON6902: []v1alpha4.PatchJSON6902{{
			Group: "kubeadm.k8s.io", Version: "v1beta4", Kind: "ClusterConfiguration", Patch: apiServerPatch(),
		}},
	}
	if opts.DualStack {
		config.Networking.IPFamily = v1alpha4.DualStackFamily
	}
	if opts.Nodes > 1 {
		config.KubeadmConfigPatches = []string{schedulableControlPlane}
	}
	mirror := v1alpha4.Mount{HostPath: l.registries(), ContainerPath: nodeRegistries, Readonly: true}
	for n := range opts.Nodes {
		node := v1alpha4.Node{Role: v1alpha4.WorkerRole, ExtraMounts: []v1alpha4.Mount{mirror}}
		if n == 0 {
			node.Role = v1alpha4.ControlPlaneRole
			node.ExtraMounts = append(node.ExtraMounts,
				v1alpha4.Mount{HostPath: l.config(), ContainerPath: nodeConfig, Readonly: true},
				v1alpha4.Mount{HostPath: l.audit(), ContainerPath: nodeAudit})
		}
		config.Nodes = append(config.Nodes, node)
	}
	return config
}

// mirrorPatches make containerd read its mirrors from nodeRegistries. kind
// leaves out the one whose version is not that of the node's containerd.
// https://github.com/containerd/containerd/blob/main/docs/hosts.md#cri
func mirrorPatches() []string {
	var patches []string
	for _, containerd := range []struct{ version, plugin string }{
		{"2", "io.containerd.grpc.v1.cri"},   // 1.x
		{"3", "io.containerd.cri.v1.images"}, // 2.x
	} {
		patches = append(patches, fmt.Sprintf("version = %s\n[plugins.%q.registry]\n  config_path = %q\n",
			containerd.version, containerd.plugin, nodeRegistries))
	}
	return patches
}

// schedulableControlPlane lets pods run on the first node of two as well, as in
// the native lab. With one node kind takes the taint away itself, and would fail
// if there were none.
// https://github.com/kubernetes-sigs/kind/blob/v0.33.0/pkg/cluster/internal/create/actions/kubeadminit/init.go#L124
const schedulableControlPlane = `kind: InitConfiguration
nodeRegistration:
  taints: []
`

// apiServerPatch adds the audit log and the restricted user's token. Lists are
// appended to: a merge patch would replace what kind itself has set.
func apiServerPatch() string {
	var patch strings.Builder
	for _, arg := range []struct{ name, value string }{
		{"audit-policy-file", nodeConfig + "/audit.yaml"},
		{"audit-log-path", nodeAudit + "/audit.log"},
		{"token-auth-file", nodeConfig + "/tokens.csv"},
	} {
		fmt.Fprintf(&patch, "- op: add\n  path: /apiServer/extraArgs/-\n  value: {name: %s, value: %s}\n", arg.name, arg.value)
	}
	patch.WriteString("- op: add\n  path: /apiServer/extraVolumes\n  value:\n")
	for _, volume := range []struct{ name, path, readOnly string }{
		{"lab-config", nodeConfig, "true"},
		{"lab-audit", nodeAudit, "false"},
	} {
		fmt.Fprintf(&patch, "  - {name: %s, hostPath: %s, mountPath: %s, readOnly: %s, pathType: Directory}\n",
			volume.name, volume.path, volume.path, volume.readOnly)
	}
	return patch.String()
}

// auditPolicy logs who did what, without bodies.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
`

// mirrorConfig sends every pull to the lab's registry and nowhere else.
func mirrorConfig(registry string) string {
	return fmt.Sprintf("server = \"http://%s\"\n\n[host.\"http://%s\"]\n  capabilities = [\"pull\", \"resolve\"]\n",
		registry, registry)
}
