package kindcluster

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/org/l4-canary/lab/internal/cluster"
	"github.com/org/l4-canary/lab/internal/process"
)

// Status implements cluster.Provider. Of the memory it counts only what the
// processes beside the cluster take: the containers' is for Docker to tell.
func (p *Provider) Status(ctx context.Context, name string) (cluster.Status, error) {
	s, err := p.load(name)
	if err != nil {
		return cluster.Status{}, err
	}
	l := p.at(name)
	status := cluster.Status{
		Name:       name,
		Provider:   string(cluster.InKind),
		ProxyMode:  s.Options.ProxyMode,
		DualStack:  s.Options.DualStack,
		Kubeconfig: l.kubeconfig(cluster.Admin),
		Restricted: l.kubeconfig(cluster.Restricted),
		AuditLog:   l.auditLog(),
		Logs:       l.logs(),
		Registry:   s.Registry,
		Pools:      s.Pools,
	}
	addProcesses(&status, s.Processes)
	if config, err := clientcmd.BuildConfigFromFlags("", status.Kubeconfig); err == nil {
		status.Server = config.Host
	}
	status.Nodes = p.nodes(ctx, name)
	unready := func(n cluster.Node) bool { return !n.Ready }
	status.Running = s.alive() && len(status.Nodes) == s.Options.Nodes && !slices.ContainsFunc(status.Nodes, unready)
	return status, nil
}

// addProcesses lists the processes beside the cluster and adds up their memory.
func addProcesses(status *cluster.Status, records []process.Record) {
	var all process.Memory
	for _, record := range records {
		one := cluster.Process{Name: record.Name, PID: record.PID, Running: record.Running(), Log: record.Log}
		if one.Running {
			memory := process.MemoryOf(record.PID)
			one.RSS, all = memory.Resident, all.Plus(memory)
		}
		status.Processes = append(status.Processes, one)
	}
	status.RSS, status.PSS = all.Resident, all.Proportional
}

// nodes asks the API server; where that does not answer there are none, which
// the status then shows.
func (p *Provider) nodes(ctx context.Context, name string) []cluster.Node {
	client, err := p.client(name)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	var nodes []cluster.Node
	for _, node := range list.Items {
		nodes = append(nodes, describe(node))
	}
	return nodes
}

func describe(node corev1.Node) cluster.Node {
	described := cluster.Node{Name: node.Name}
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP && described.Address == "" {
			described.Address = address.Address
		}
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			described.Ready = condition.Status == corev1.ConditionTrue
		}
	}
	return described
}
