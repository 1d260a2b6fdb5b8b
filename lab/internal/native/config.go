package native

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/org/l4-canary/lab/internal/address"
	"github.com/org/l4-canary/lab/internal/cluster"
	"github.com/org/l4-canary/lab/internal/pki"
)

//go:embed template
var templates embed.FS

var parsed = template.Must(template.ParseFS(templates, "template/*"))

// nodeConfig is what the templates of a node's files are filled with.
type nodeConfig struct {
	Dir        string // of the node
	PKI        string // folder
	CNIPlugins string // folder
	Network    string // name of the CNI network
	NodeName   string
	CGroup     string
	Registry   string // host:port
	ProxyMode  cluster.ProxyMode
	PodRanges  string
	DualStack  bool
	Node       address.Node
}

// nodeFiles are the templates of a node's files, and where below its folder each goes.
var nodeFiles = map[string]string{
	"containerd.toml": "containerd.toml",
	"hosts.toml":      "registries/_default/hosts.toml",
	"cni.conflist":    "cni/conf/10-lab.conflist",
	"kubelet.yaml":    "kubelet.yaml",
	"kube-proxy.yaml": "kube-proxy.yaml",
}

// identity is a user of the API server: what the token file says.
type identity struct {
	file   string // of the kubeconfig
	name   string
	groups []string
	token  string
}

// identities lists all users of a lab, with fresh tokens. The components have
// the names that Kubernetes' own roles are bound to.
func (l layout) identities(nodes int) []identity {
	all := []identity{
		{file: l.userKubeconfig(cluster.Admin), name: "admin", groups: []string{"system:masters"}},
		{file: l.userKubeconfig(cluster.Restricted), name: restrictedUser},
		{file: l.kubeconfig("balancer"), name: "lab-balancer", groups: []string{"system:masters"}},
		{file: l.kubeconfig("kube-controller-manager"), name: "system:kube-controller-manager"},
		{file: l.kubeconfig("kube-scheduler"), name: "system:kube-scheduler"},
		{file: l.kubeconfig("kube-proxy"), name: "system:kube-proxy"},
	}
	for n := 1; n <= nodes; n++ {
		name := l.nodeName(n)
		all = append(all, identity{file: l.kubeconfig(name), name: "system:node:" + name, groups: []string{"system:nodes"}})
	}
	for i := range all {
		all[i].token = rand.Text()
	}
	return all
}

// tokenFile renders the API server's static token file: token, user, uid, and
// the groups, if there are any.
func tokenFile(users []identity) []byte {
	var out bytes.Buffer
	for _, user := range users {
		fmt.Fprintf(&out, "%s,%s,%s", user.token, user.name, user.name)
		if len(user.groups) > 0 {
			fmt.Fprintf(&out, ",%q", strings.Join(user.groups, ","))
		}
		out.WriteString("\n")
	}
	return out.Bytes()
}

// configure writes every file that the lab's processes read.
func (l layout) configure(opts cluster.Options, plan address.Plan, cniPlugins string) error {
	authority, err := l.certify(plan)
	if err != nil {
		return err
	}
	users := l.identities(opts.Nodes)
	if err := write(l.config("tokens.csv"), tokenFile(users)); err != nil {
		return err
	}
	if err := renderTo(l.config("audit.yaml"), "audit.yaml", nil); err != nil {
		return err
	}
	for _, user := range users {
		values := map[string]string{
			"Cluster": "l4lab-" + l.name,
			"Server":  server(plan),
			"CA":      base64.StdEncoding.EncodeToString(authority.PEM()),
			"User":    user.name,
			"Token":   user.token,
		}
		if err := renderTo(user.file, "kubeconfig.yaml", values); err != nil {
			return err
		}
	}
	for i := range plan.Nodes {
		if err := l.configureNode(i+1, opts, plan, cniPlugins); err != nil {
			return err
		}
	}
	return nil
}

func (l layout) configureNode(n int, opts cluster.Options, plan address.Plan, cniPlugins string) error {
	values := nodeConfig{
		Dir:        l.node(n),
		PKI:        l.pki(""),
		CNIPlugins: cniPlugins,
		Network:    "l4lab-" + l.name,
		NodeName:   l.nodeName(n),
		CGroup:     l.nodeCGroup(n),
		Registry:   registryAddress(plan),
		ProxyMode:  opts.ProxyMode,
		PodRanges:  join(plan.PodRanges()),
		DualStack:  opts.DualStack,
		Node:       plan.Nodes[n-1],
	}
	for name, file := range nodeFiles {
		if err := renderTo(filepath.Join(l.node(n), file), name, values); err != nil {
			return err
		}
	}
	return nil
}

// certify makes the lab's keys and certificates.
func (l layout) certify(plan address.Plan) (*pki.Authority, error) {
	if err := os.MkdirAll(l.pki(""), 0o700); err != nil {
		return nil, err
	}
	authority, err := pki.NewAuthority("l4lab-" + l.name)
	if err != nil {
		return nil, err
	}
	if err := write(l.pki("ca.crt"), authority.PEM()); err != nil {
		return nil, err
	}
	if err := pki.WriteServiceAccountKey(l.pki("service-account")); err != nil {
		return nil, err
	}
	requests := map[string]pki.Request{
		"kubelet-client": {CommonName: "kube-apiserver", Organization: []string{"system:masters"}},
		"kube-apiserver": {
			CommonName: "kube-apiserver",
			DNSNames: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
				"kubernetes.default.svc.cluster.local"},
			Addresses: append(plan.Nodes[0].Addrs(), netip.MustParseAddr("127.0.0.1")),
		},
	}
	server := requests["kube-apiserver"]
	for _, services := range plan.ServiceRanges() {
		server.Addresses = append(server.Addresses, services.Addr().Next()) // that of Service "kubernetes"
	}
	requests["kube-apiserver"] = server
	for i, node := range plan.Nodes {
		name := l.nodeName(i + 1)
		requests[name] = pki.Request{CommonName: "system:node:" + name, DNSNames: []string{name}, Addresses: node.Addrs()}
	}
	for name, request := range requests {
		if err := authority.Write(l.pki(name), request); err != nil {
			return nil, err
		}
	}
	return authority, nil
}

// server is the URL of the API server.
func server(plan address.Plan) string {
	return "https://" + netip.AddrPortFrom(plan.Nodes[0].Addr, 6443).String()
}

func registryAddress(plan address.Plan) string {
	return netip.AddrPortFrom(plan.Nodes[0].Addr, 5000).String()
}

// join lists ranges the way Kubernetes' flags take them.
func join[T fmt.Stringer](all []T) string {
	words := make([]string, len(all))
	for i, one := range all {
		words[i] = one.String()
	}
	return strings.Join(words, ",")
}

// render fills a template. Values are ours alone: names by the rule, paths, addresses.
func render(name string, values any) ([]byte, error) {
	var out bytes.Buffer
	if err := parsed.ExecuteTemplate(&out, name, values); err != nil {
		return nil, fmt.Errorf("rendering %s: %w", name, err)
	}
	return out.Bytes(), nil
}

func renderTo(path, name string, values any) error {
	data, err := render(name, values)
	if err != nil {
		return err
	}
	return write(path, data)
}

func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
