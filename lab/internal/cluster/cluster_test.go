package cluster_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/lab/internal/cluster"
)

func TestValidateAcceptsDefaults(t *testing.T) {
	t.Parallel()
	opts := cluster.Options{Name: cluster.DefaultName, Nodes: 1, ProxyMode: cluster.NFTables}
	require.NoError(t, opts.Validate())
}

func TestValidateReportsEverythingTogether(t *testing.T) {
	t.Parallel()
	err := cluster.Options{Name: "Lab", Nodes: 3, ProxyMode: "ipvs"}.Validate()
	require.ErrorContains(t, err, `--name "Lab": must be 1 to 20 of a-z, 0-9 and "-", begin with a letter and not end with "-"`)
	require.ErrorContains(t, err, "--nodes 3: must be 1 or 2")
	require.ErrorContains(t, err, `--proxy-mode "ipvs": must be one of ["nftables" "iptables"]`)
}

func TestValidateName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "lab", "e2e-2", strings.Repeat("a", 20)} {
		require.NoError(t, cluster.ValidateName(name), name)
	}
	for _, name := range []string{"", "-a", "a-", "2a", "a/b", "..", "a b", "ä", strings.Repeat("a", 21)} {
		require.Error(t, cluster.ValidateName(name), name)
	}
}

func TestParseUser(t *testing.T) {
	t.Parallel()
	user, err := cluster.ParseUser("restricted")
	require.NoError(t, err)
	require.Equal(t, cluster.Restricted, user)
	_, err = cluster.ParseUser("root")
	require.EqualError(t, err, `--user "root": must be one of ["admin" "restricted"]`)
}

func TestChoose(t *testing.T) {
	t.Parallel()
	yes, no := func() bool { return true }, func() bool { return false }
	linuxRoot := cluster.Machine{OS: "linux", Root: true, Engine: no}
	linuxUser := cluster.Machine{OS: "linux", Engine: no}
	mac := cluster.Machine{OS: "darwin", Engine: yes}
	tests := []struct {
		name      string
		flag, env string
		machine   cluster.Machine
		want      cluster.Kind
		problem   string
	}{
		{name: "native by default", machine: linuxRoot, want: cluster.Native},
		{name: "environment", env: "kind", machine: linuxRoot, want: cluster.InKind},
		{name: "flag before environment", flag: "native", env: "kind", machine: linuxRoot, want: cluster.Native},
		{name: "auto by flag", flag: "auto", env: "kind", machine: linuxRoot, want: cluster.Native},
		{name: "kind where native cannot run", machine: mac, want: cluster.InKind},
		{name: "native without root", flag: "native", machine: linuxUser, problem: "the native lab needs root (try sudo)"},
		{name: "native on a Mac", env: "native", machine: mac, problem: "the native lab needs Linux and root (try sudo)"},
		{name: "nothing", machine: linuxUser, problem: "no lab can run here: the native one needs root (try sudo), and no Docker answers that kind could use"},
		{name: "unknown flag value", flag: "k3s", machine: linuxRoot, problem: `--provider "k3s": must be one of ["auto" "native" "kind"]`},
		{name: "unknown environment value", env: "k3s", machine: linuxRoot, problem: `LAB "k3s": must be one of ["auto" "native" "kind"]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := cluster.Choose(tt.flag, tt.env, tt.machine)
			if tt.problem != "" {
				require.EqualError(t, err, tt.problem)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}
