package native

import (
	"fmt"
	"path/filepath"

	"github.com/org/l4-canary/lab/internal/cluster"
)

// layout is where the files of one lab lie.
type layout struct {
	dir  string // of the lab
	name string
}

func (l layout) state() string                 { return filepath.Join(l.dir, "lab.json") }
func (l layout) audit() string                 { return filepath.Join(l.dir, "audit.log") }
func (l layout) logs() string                  { return filepath.Join(l.dir, "log") }
func (l layout) log(process string) string     { return filepath.Join(l.logs(), process+".log") }
func (l layout) pki(file string) string        { return filepath.Join(l.dir, "pki", file) }
func (l layout) etcdData() string              { return filepath.Join(l.dir, "etcd") }
func (l layout) config(file string) string     { return filepath.Join(l.dir, "config", file) }
func (l layout) node(n int) string             { return filepath.Join(l.dir, l.nodeName(n)) }
func (l layout) nodeName(n int) string         { return fmt.Sprintf("%s-%d", l.name, n) }
func (l layout) containerdSocket(n int) string { return filepath.Join(l.node(n), "containerd.sock") }
func (l layout) kubeconfig(u string) string    { return l.pki(u + ".kubeconfig") }

func (l layout) userKubeconfig(user cluster.User) string {
	return filepath.Join(l.dir, string(user)+".kubeconfig")
}

// cgroup is the control group of everything in the lab.
func (l layout) cgroup() string          { return "/l4lab-" + l.name }
func (l layout) daemonCGroup() string    { return l.cgroup() + "/daemon" }
func (l layout) nodeCGroup(n int) string { return fmt.Sprintf("%s/node-%d", l.cgroup(), n) }
