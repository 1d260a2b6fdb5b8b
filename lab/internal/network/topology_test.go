package network

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/lab/internal/address"
)

var update = flag.Bool("update", false, "write the goldens")

func TestCommands(t *testing.T) {
	t.Parallel()
	tests := []struct {
		golden    string
		nodes     int
		dualStack bool
		commands  func(Topology) []string
	}{
		{golden: "one-node", nodes: 1, commands: Topology.commands},
		{golden: "two-nodes-dual-stack", nodes: 2, dualStack: true, commands: Topology.commands},
		{golden: "unplugging", nodes: 2, dualStack: true, commands: Topology.unplugging},
		{golden: "plugging", nodes: 2, commands: Topology.plugging},
		{golden: "plugging-dual-stack", nodes: 2, dualStack: true, commands: Topology.plugging},
	}
	for _, tt := range tests {
		t.Run(tt.golden, func(t *testing.T) {
			t.Parallel()
			plan, err := address.New(5, tt.nodes, tt.dualStack)
			require.NoError(t, err)
			got := strings.Join(tt.commands(Topology{Name: "demo", Index: 5, Plan: plan}), "\n") + "\n"
			golden := filepath.Join("testdata", tt.golden+".txt")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	single, err := address.New(0, 1, false)
	require.NoError(t, err)
	dual, err := address.New(0, 1, true)
	require.NoError(t, err)
	require.NotContains(t, Topology{Plan: single}.settings(), sysctl{"net/ipv6/conf/all/forwarding", "1"})
	require.Contains(t, Topology{Plan: dual}.settings(), sysctl{"net/ipv6/conf/all/forwarding", "1"})
}

// TestDeviceNames: the kernel takes 15 characters.
func TestDeviceNames(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, len(Topology{Index: address.MaxIndex}.device(2)), 15)
}
