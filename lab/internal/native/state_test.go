package native

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/lab/internal/cache"
	"github.com/org/l4-canary/lab/internal/cluster"
	"github.com/org/l4-canary/lab/internal/process"
)

func newProvider(t *testing.T) (*Provider, *bytes.Buffer) {
	t.Helper()
	out := &bytes.Buffer{}
	return &Provider{StateRoot: filepath.Join(t.TempDir(), "labs"), Out: out}, out
}

// keep saves a lab whose only process is this test.
func keep(t *testing.T, p *Provider, opts cluster.Options, index int) State {
	t.Helper()
	self, err := process.Start("sleep", filepath.Join(t.TempDir(), "log"), []string{"/bin/sleep", "60"})
	require.NoError(t, err)
	t.Cleanup(func() { process.End([]process.Record{self}, time.Second) })
	state := State{Options: opts, Index: index, Complete: true, Node: "/cache/node", Processes: []process.Record{self}}
	require.NoError(t, os.MkdirAll(p.at(opts.Name).dir, 0o700))
	require.NoError(t, p.save(state))
	return state
}

func options(name string) cluster.Options {
	return cluster.Options{Name: name, Nodes: 1, ProxyMode: cluster.NFTables}
}

func TestStateIsKept(t *testing.T) {
	t.Parallel()
	p, _ := newProvider(t)
	saved := keep(t, p, options("demo"), 2)
	loaded, err := p.load("demo")
	require.NoError(t, err)
	require.Equal(t, saved, loaded)
	path, err := p.Kubeconfig(t.Context(), "demo", cluster.Restricted)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(p.StateRoot, "demo", "restricted.kubeconfig"), path)
	binary, err := p.KubernetesBinary("demo")
	require.NoError(t, err)
	require.Equal(t, "/cache/node", binary)
}

func TestUnknownLab(t *testing.T) {
	t.Parallel()
	p, out := newProvider(t)
	_, err := p.Kubeconfig(t.Context(), "demo", cluster.Admin)
	require.ErrorIs(t, err, cluster.ErrNotFound)
	require.EqualError(t, err, `no such lab: "demo"; make it with: lab up --name demo`)
	_, err = p.Status(t.Context(), "demo")
	require.ErrorIs(t, err, cluster.ErrNotFound)
	require.NoError(t, p.Down(t.Context(), "demo"))
	require.Equal(t, "there is no lab \"demo\"\n", out.String())
	require.NoDirExists(t, p.StateRoot)
}

func TestUpTwice(t *testing.T) {
	t.Parallel()
	p, out := newProvider(t)
	keep(t, p, options("demo"), 0)
	require.NoError(t, p.Up(t.Context(), options("demo")))
	require.Contains(t, out.String(), `lab "demo" is up already`)

	other := options("demo")
	other.Nodes = 2
	require.EqualError(t, p.Up(t.Context(), other),
		`lab "demo" runs with --nodes 1 --proxy-mode nftables --dual-stack=false --program=""; first: lab down --name demo`)
}

func TestDeadLabIsNotAlive(t *testing.T) {
	t.Parallel()
	p, _ := newProvider(t)
	state := keep(t, p, options("demo"), 0)
	require.True(t, state.alive())
	state.Processes[0].Start++ // after a reboot the id is another's
	require.False(t, state.alive())
	state.Complete, state.Processes = false, nil
	require.False(t, state.alive())
}

func TestFreeIndex(t *testing.T) {
	t.Parallel()
	p, _ := newProvider(t)
	keep(t, p, options("a"), 0)
	keep(t, p, options("c"), 2)
	labs, err := p.all()
	require.NoError(t, err)
	require.Equal(t, 1, freeIndex(labs))
	require.Equal(t, 0, freeIndex(nil))
}

func TestOriginalPolicyIsTheFirstLabs(t *testing.T) {
	t.Parallel()
	policy, err := originalPolicy([]State{{}, {HashPolicy: []string{"0", "2"}}})
	require.NoError(t, err)
	require.Equal(t, []string{"0", "2"}, policy)
}

func TestLockWaitsAndGivesUpWithContext(t *testing.T) {
	t.Parallel()
	p, _ := newProvider(t)
	unlock, err := p.lock(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = p.lock(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	unlock()
	require.NoDirExists(t, p.StateRoot, "an empty folder does not stay")
	unlock, err = p.lock(t.Context())
	require.NoError(t, err)
	unlock()
}

// TestPruneSparesWhatLabsUse: a lab that was made from another checkout goes on
// using that one's Kubernetes, "lab kubectl" too.
func TestPruneSparesWhatLabsUse(t *testing.T) {
	t.Parallel()
	p, out := newProvider(t)
	p.Store = cache.Store{Dir: t.TempDir(), Progress: out}
	add := func(folder, name string, age time.Duration) string {
		path := filepath.Join(p.Store.Dir, folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, nil, 0o755))
		used := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(path, used, used))
		return path
	}
	node := add("node-0000000000000001", "node", 0)
	workload := add("workload-0000000000000001", "workload", 0)
	previous := add("node-0000000000000002", "node", 2*time.Hour)
	forgotten := add("node-0000000000000003", "node", 3*time.Hour)
	state := keep(t, p, options("other"), 0)
	state.Node = add("node-0000000000000004", "node", 4*time.Hour)
	require.NoError(t, p.save(state))

	require.NoError(t, p.prune(parts{node: node, workload: workload}))
	for _, path := range []string{node, workload, previous, state.Node} {
		require.FileExists(t, path)
	}
	require.NoDirExists(t, filepath.Dir(forgotten))
}

func TestMissingPackages(t *testing.T) {
	t.Parallel()
	have := []string{"containerd", "containerd-shim-runc-v2", "runc", "iptables", "ip"}
	there := func(path string) bool {
		return slices.Contains(plugins, filepath.Base(path)) && filepath.Dir(path) == "/opt/cni/bin"
	}
	machine := lookup{
		path: func(program string) (string, error) {
			if slices.Contains(have, program) {
				return "/usr/bin/" + program, nil
			}
			return "", errors.New("not found")
		},
		stat: func(path string) (os.FileInfo, error) {
			if there(path) {
				return nil, nil
			}
			return nil, os.ErrNotExist
		},
	}
	require.Equal(t, []string{"conntrack", "nftables"}, machine.missing())
	require.Equal(t, "/opt/cni/bin", machine.pluginFolder())

	have = nil
	there = func(path string) bool { return filepath.Base(path) == "ptp" }
	require.Equal(t, []string{"conntrack", "containerd", "containernetworking-plugins", "iproute2", "iptables", "nftables", "runc"},
		machine.missing())
}
