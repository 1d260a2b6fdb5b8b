package native

import (
	"fmt"
	"strings"

	"github.com/org/l4-canary/lab/internal/address"
	"github.com/org/l4-canary/lab/internal/cluster"
	"github.com/org/l4-canary/lab/internal/process"
)

// component is a process of the lab: what it is called, where it runs, and what.
type component struct {
	name  string
	place process.Place
	argv  []string
}

// fleet knows the components of one lab.
type fleet struct {
	layout
	opts       cluster.Options
	plan       address.Plan
	netns      func(n int) string // file of node n's network namespace
	self       string             // this program, which is registry and balancer too
	kubernetes string             // the Kubernetes binary
	workload   string             // the workload binary
	program    string             // a binary of the user's own; empty: none
}

// control is a component of the control plane, in node 1's network.
func (f fleet) control(name string, argv ...string) component {
	return component{name: name, place: process.Place{NetNS: f.netns(1), CGroup: f.daemonCGroup()}, argv: argv}
}

func (f fleet) etcd() component {
	return f.control("etcd", f.kubernetes, "etcd",
		"--name=lab",
		"--data-dir="+f.etcdData(),
		"--listen-client-urls=http://127.0.0.1:2379",
		"--advertise-client-urls=http://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380",
		"--initial-advertise-peer-urls=http://127.0.0.1:2380",
		"--initial-cluster=lab=http://127.0.0.1:2380",
		"--unsafe-no-fsync", // a lab's data need not outlive the machine's power
		"--logger=zap", "--log-level=warn")
}

func (f fleet) apiServer() component {
	return f.control("kube-apiserver", f.kubernetes, "kube-apiserver",
		"--etcd-servers=http://127.0.0.1:2379",
		"--bind-address=0.0.0.0", "--secure-port=6443",
		"--advertise-address="+f.plan.Nodes[0].Addr.String(),
		"--service-cluster-ip-range="+join(f.plan.ServiceRanges()),
		"--tls-cert-file="+f.pki("kube-apiserver.crt"),
		"--tls-private-key-file="+f.pki("kube-apiserver.key"),
		"--client-ca-file="+f.pki("ca.crt"),
		"--token-auth-file="+f.config("tokens.csv"),
		"--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+f.pki("service-account.pub"),
		"--service-account-signing-key-file="+f.pki("service-account.key"),
		"--kubelet-certificate-authority="+f.pki("ca.crt"),
		"--kubelet-client-certificate="+f.pki("kubelet-client.crt"),
		"--kubelet-client-key="+f.pki("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--allow-privileged=true",
		"--audit-policy-file="+f.config("audit.yaml"),
		"--audit-log-path="+f.audit())
}

func (f fleet) controllerManager() component {
	return f.control("kube-controller-manager", f.kubernetes, "kube-controller-manager",
		"--kubeconfig="+f.kubeconfig("kube-controller-manager"),
		"--authentication-kubeconfig="+f.kubeconfig("kube-controller-manager"),
		"--authorization-kubeconfig="+f.kubeconfig("kube-controller-manager"),
		"--tls-cert-file="+f.pki("kube-apiserver.crt"),
		"--tls-private-key-file="+f.pki("kube-apiserver.key"),
		"--service-account-private-key-file="+f.pki("service-account.key"),
		"--root-ca-file="+f.pki("ca.crt"),
		"--use-service-account-credentials",
		"--cluster-cidr="+join(f.plan.PodRanges()),
		"--service-cluster-ip-range="+join(f.plan.ServiceRanges()),
		"--leader-elect=false")
}

func (f fleet) scheduler() component {
	return f.control("kube-scheduler", f.kubernetes, "kube-scheduler",
		"--kubeconfig="+f.kubeconfig("kube-scheduler"),
		"--authentication-kubeconfig="+f.kubeconfig("kube-scheduler"),
		"--authorization-kubeconfig="+f.kubeconfig("kube-scheduler"),
		"--tls-cert-file="+f.pki("kube-apiserver.crt"),
		"--tls-private-key-file="+f.pki("kube-apiserver.key"),
		"--leader-elect=false")
}

func (f fleet) registry() component {
	argv := []string{f.self, "registry", "--listen", registryAddress(f.plan), "--workload", f.workload}
	if f.program != "" {
		argv = append(argv, "--program", f.program)
	}
	return f.control("registry", argv...)
}

func (f fleet) balancer() component {
	argv := []string{f.self, "balancer", "--kubeconfig", f.kubeconfig("balancer")}
	for _, pool := range f.plan.Pools() {
		argv = append(argv, "--pool", pool.String())
	}
	return f.control("balancer", argv...)
}

// containerd makes the mount namespace that the node's other processes enter.
func (f fleet) containerd(n int) component {
	return component{
		name:  fmt.Sprintf("containerd-%d", n),
		place: process.Place{NetNS: f.netns(n), CGroup: f.daemonCGroup(), Keep: f.dir},
		argv:  []string{"/usr/bin/containerd", "--config", f.node(n) + "/containerd.toml", "--log-level", "info"},
	}
}

// kubelet and kubeProxy run on node n beside the containerd with that process id.
func (f fleet) kubelet(n, containerd int) component {
	dir, name := f.node(n), f.nodeName(n)
	return component{
		name:  fmt.Sprintf("kubelet-%d", n),
		place: process.Place{NetNS: f.netns(n), CGroup: f.daemonCGroup(), MountsOf: containerd},
		argv: []string{
			f.kubernetes, "kubelet",
			"--config=" + dir + "/kubelet.yaml",
			"--kubeconfig=" + f.kubeconfig(name),
			"--root-dir=" + dir + "/kubelet",
			"--cert-dir=" + dir + "/kubelet/pki",
			"--hostname-override=" + name,
			"--node-ip=" + join(f.plan.Nodes[n-1].Addrs()),
		},
	}
}

func (f fleet) kubeProxy(n, containerd int) component {
	return component{
		name:  fmt.Sprintf("kube-proxy-%d", n),
		place: process.Place{NetNS: f.netns(n), CGroup: f.daemonCGroup(), MountsOf: containerd},
		argv:  []string{f.kubernetes, "kube-proxy", "--config=" + f.node(n) + "/kube-proxy.yaml"},
	}
}

// start starts a component through this program's hidden command "enter".
func (f fleet) start(c component) (process.Record, error) {
	argv := append([]string{f.self, "enter"}, c.place.Args()...)
	argv = append(append(argv, "--"), c.argv...)
	record, err := process.Start(c.name, f.log(c.name), argv)
	if err != nil {
		return record, fmt.Errorf("%w (%s)", err, strings.Join(c.argv, " "))
	}
	return record, nil
}
