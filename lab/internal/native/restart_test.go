package native

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/lab/internal/network"
	"github.com/org/l4-canary/lab/internal/process"
)

// TestRestartables: they are what Up starts, and nothing else of it can be restarted.
func TestRestartables(t *testing.T) {
	t.Parallel()
	plan := testPlan(t, 2, false)
	f := fleet{
		layout: layout{dir: "/STATE", name: "demo"}, plan: plan, kubernetes: "/cache/node",
		netns: func(n int) string { return network.Path(network.Topology{Name: "demo", Plan: plan}.Namespace(n)) },
	}
	list := f.restartables([]int{4711, 4712})
	require.Equal(t, "kube-apiserver kube-controller-manager kube-scheduler kubelet-1 kube-proxy-1 kubelet-2 kube-proxy-2",
		strings.Join(names(list), " "))
	require.Equal(t, f.kubelet(2, 4712), list[5].component, "it enters its own node's mount namespace")
	require.Equal(t, f.kubeProxy(1, 4711), list[4].component)
}

func TestContainerds(t *testing.T) {
	t.Parallel()
	opts := options("demo")
	opts.Nodes = 2
	state := State{Options: opts, Processes: []process.Record{{Name: "etcd", PID: 1}, {Name: "containerd-2", PID: 3}, {Name: "containerd-1", PID: 2}}}
	require.Equal(t, []int{2, 3}, state.containerds())
}

// stub is a lab of which a process called kubelet-1 is all that runs, and a program that
// stands for the lab's own: it becomes whatever it is told to.
func stub(t *testing.T, stubborn bool) (*Provider, *State, restartable) {
	t.Helper()
	p, _ := newProvider(t)
	state := keep(t, p, options("demo"), 0)
	script := "exec sleep 60"
	if stubborn {
		script = "trap '' TERM; while :; do sleep 0.05; done"
	}
	log := filepath.Join(t.TempDir(), "kubelet.log")
	running, err := process.Start("kubelet-1", log, []string{"/bin/sh", "-c", script})
	require.NoError(t, err)
	state.Processes = append(state.Processes, running)
	t.Cleanup(func() {
		last, err := p.load("demo")
		require.NoError(t, err)
		process.End(last.Processes, time.Second)
	})
	require.NoError(t, p.save(state))
	p.Self = "/bin/true"
	return p, &state, restartable{component: component{name: "kubelet-1"}, there: func(context.Context) error { return nil }}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	for name, stubborn := range map[string]bool{"polite": false, "stubborn": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, state, r := stub(t, stubborn)
			before := state.Processes[1]
			require.NoError(t, os.MkdirAll(p.at("demo").logs(), 0o700))
			require.NoError(t, p.restart(t.Context(), state, r))
			require.False(t, before.Running(), "it has ended")
			require.NotEqual(t, before.PID, state.Processes[1].PID)
			saved, err := p.load("demo")
			require.NoError(t, err)
			require.Equal(t, state.Processes, saved.Processes, "down finds the new one")
		})
	}
}

func TestRestartOfWhatCannotBe(t *testing.T) {
	t.Parallel()
	p, _ := newProvider(t)
	require.ErrorContains(t, p.Restart(t.Context(), "demo", []string{"kubelet-1"}), `no such lab: "demo"`)
	require.NoDirExists(t, p.StateRoot)
	state := keep(t, p, options("demo"), 0)
	for _, name := range []string{"containerd-1", "registry", "kubelet-2", "nginx"} {
		err := p.Restart(t.Context(), "demo", []string{name})
		require.ErrorIs(t, err, ErrCannot)
		require.EqualError(t, err, `component "`+name+`": this lab cannot do that: it can restart kube-apiserver, `+
			"kube-controller-manager, kube-scheduler, kubelet-1, kube-proxy-1")
	}
	require.EqualError(t, p.Restart(t.Context(), "demo", []string{"kubelet-1"}),
		`restarting kubelet-1: lab "demo" does not run kubelet-1`)
	for _, do := range []func(context.Context, string) error{p.Unplug, p.Plug} {
		require.EqualError(t, do(t.Context(), "demo"), `lab "demo" has one node: this lab cannot do that: the first node is the control plane's`)
	}
	state.Complete = false
	require.NoError(t, p.save(state))
	require.EqualError(t, p.Restart(t.Context(), "demo", []string{"kubelet-1"}), `lab "demo" is not up`)
}
