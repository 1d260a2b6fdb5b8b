package main

import (
	"bytes"
	"errors"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

func run(t *testing.T, env map[string]string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot(func(name string) string { return env[name] }, &out, &out)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		env     map[string]string
		args    []string
		problem string
	}{
		{"nodes", nil, []string{"up", "--nodes", "3"}, "--nodes 3: must be 1 or 2"},
		{"nodes in words", nil, []string{"up", "--nodes", "two"}, `invalid argument "two" for "--nodes" flag: strconv.ParseInt: parsing "two": invalid syntax`},
		{"proxy mode", nil, []string{"up", "--proxy-mode", "ipvs"}, `--proxy-mode "ipvs": must be one of ["nftables" "iptables"]`},
		{"provider", nil, []string{"status", "--provider", "k3s"}, `--provider "k3s": must be one of ["auto" "native" "kind"]`},
		{"provider by environment", map[string]string{"LAB": "minikube"}, []string{"down"}, `LAB "minikube": must be one of ["auto" "native" "kind"]`},
		{"user", nil, []string{"kubeconfig", "--user", "root"}, `--user "root": must be one of ["admin" "restricted"]`},
		{"output", nil, []string{"status", "-o", "xml"}, `--output "xml": must be one of ["table" "json"]`},
		{"name", nil, []string{"down", "--name", "../etc"}, `--name "../etc": must be 1 to 20 of a-z, 0-9 and "-", begin with a letter and not end with "-"`},
		{"flag", nil, []string{"up", "--node", "1"}, "unknown flag: --node"},
		{"argument", nil, []string{"up", "now"}, `unknown command "now" for "lab up"`},
		{"pool", nil, []string{"balancer", "--pool", "198.19.0.0"}, `netip.ParsePrefix("198.19.0.0"): no '/'`},
		{"nothing to restart", nil, []string{"restart"}, "requires at least 1 arg(s), only received 0"},
		{"a node to unplug", nil, []string{"unplug", "1"}, `unknown command "1" for "lab unplug"`},
		{"kind", map[string]string{"L4_LAB_CACHE": "/nonexistent"}, []string{"plug", "--provider", "kind"}, "a lab of kind cannot do that: its nodes are containers, and docker has the means"},
		{"nothing to enter for", nil, []string{"enter"}, "requires at least 1 arg(s), only received 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, err := run(t, tt.env, tt.args...)
			require.EqualError(t, err, tt.problem)
			require.Equal(t, exitUsage, exitStatus(err))
			require.Empty(t, out)
		})
	}
}

func TestHelpNamesWhatPeopleUse(t *testing.T) {
	t.Parallel()
	out, err := run(t, nil)
	require.NoError(t, err)
	for _, command := range []string{"up", "down", "status", "kubeconfig", "kubectl", "logs", "restart", "unplug", "plug"} {
		require.Contains(t, out, "\n  "+command)
	}
	for _, hidden := range []string{"registry", "balancer", "enter"} {
		require.NotContains(t, out, "\n  "+hidden)
	}
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	require.Equal(t, exitFailed, exitStatus(errors.New("x")))
	require.Equal(t, exitUsage, exitStatus(usageError{errors.New("x")}))
	require.Equal(t, 7, exitStatus(exec.CommandContext(t.Context(), "/bin/sh", "-c", "exit 7").Run()), "kubectl's own")
}
