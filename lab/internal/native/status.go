package native

import (
	"context"

	"github.com/org/l4-canary/lab/internal/cluster"
	"github.com/org/l4-canary/lab/internal/process"
)

// Status implements cluster.Provider.
func (p *Provider) Status(ctx context.Context, name string) (cluster.Status, error) {
	state, err := p.load(name)
	if err != nil {
		return cluster.Status{}, err
	}
	plan, err := state.plan()
	if err != nil {
		return cluster.Status{}, err
	}
	l := p.at(name)
	status := cluster.Status{
		Name:       name,
		Provider:   string(cluster.Native),
		Running:    state.alive(),
		ProxyMode:  state.Options.ProxyMode,
		DualStack:  state.Options.DualStack,
		Server:     server(plan),
		Kubeconfig: l.userKubeconfig(cluster.Admin),
		Restricted: l.userKubeconfig(cluster.Restricted),
		AuditLog:   l.audit(),
		Logs:       l.logs(),
		Registry:   registryAddress(plan),
		Pools:      plan.Pools(),
	}
	ready := askReady(ctx, status.Kubeconfig)
	for i, node := range plan.Nodes {
		name := l.nodeName(i + 1)
		status.Nodes = append(status.Nodes, cluster.Node{Name: name, Address: node.Addr.String(), Ready: ready[name]})
		status.Running = status.Running && ready[name]
	}
	return status, addProcesses(&status, state, l.cgroup())
}

// askReady tells which nodes are ready; none where the API server does not
// answer, which the status then shows as it is.
func askReady(ctx context.Context, kubeconfig string) map[string]bool {
	client, err := newClient(kubeconfig)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	ready, err := readyNodes(ctx, client)
	if err != nil {
		return nil
	}
	return ready
}

// addProcesses lists the lab's own processes one by one, and the pods with their
// shims together.
func addProcesses(status *cluster.Status, state State, cgroup string) error {
	pids, err := process.InCGroup(cgroup)
	if err != nil {
		return err
	}
	var all process.Memory
	for _, pid := range pids {
		all = all.Plus(process.MemoryOf(pid))
	}
	pods := all
	for _, record := range state.Processes {
		one := cluster.Process{Name: record.Name, PID: record.PID, Running: record.Running(), Log: record.Log}
		if one.Running {
			memory := process.MemoryOf(record.PID)
			one.RSS, pods = memory.Resident, pods.Minus(memory)
		}
		status.Processes = append(status.Processes, one)
	}
	if pods.Resident > 0 {
		status.Processes = append(status.Processes, cluster.Process{Name: "pods", Running: true, RSS: pods.Resident})
	}
	status.RSS, status.PSS = all.Resident, all.Proportional
	return nil
}
