//go:build e2e

package docs

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

// takenDown has labs of a checkout begin and end with the test, whatever a block leaves, or
// a test that was killed.
func (s *scene) takenDown(t *testing.T, names ...string) {
	t.Helper()
	down := func() {
		for _, name := range names {
			s.bash(t, 0, "bin/lab down --name "+name)
		}
	}
	down()
	t.Cleanup(down)
}

// labs is a checkout for the lab's own page.
func labs(t *testing.T, _ *harness.Lab) *scene {
	t.Helper()
	s := newCheckout(t, "docs-list-")
	s.takenDown(t, "lab", "two")
	return s
}

// listed: every command of the list, on the labs that it makes. The first lab is gone
// then, and the second one is what its options said.
func listed(t *testing.T, s *scene, b Block) {
	t.Helper()
	said := s.bash(t, 0, b.Script)
	for _, line := range []string{"/docs-list-lab/admin.kubeconfig", "/docs-list-lab/restricted.kubeconfig", "kubelet-1.log"} {
		require.Contains(t, said, line)
	}
	var status struct {
		Running   bool
		ProxyMode string
		Pools     []string
		Nodes     []struct{ Ready bool }
	}
	require.NoError(t, json.Unmarshal([]byte(s.bash(t, 0, "bin/lab status --name two --output json")), &status))
	require.True(t, status.Running)
	require.Equal(t, "iptables", status.ProxyMode)
	require.Len(t, status.Pools, 2, "one of each family")
	require.Len(t, status.Nodes, 2)
	require.Contains(t, s.bash(t, 0, "bin/lab down"), "there is no lab")
}

// demo is a checkout in which make runs the demo, with what is built already, and says of
// all other targets what it would do. The lab is up, as the first step of the demo's page
// says.
func demo(t *testing.T, _ *harness.Lab) *scene {
	t.Helper()
	s := newCheckout(t, "docs-demo-")
	s.env = append(s.env, "L4_CANARY_MAX_PROBES=20000")
	s.program(t, "make-for-real", "make")
	s.script(t, s.first+"/make", "if [ \"$*\" = demo ]; then\n\texec make-for-real --old-file=build demo\nfi\nexec make-for-real --dry-run \"$@\"\n")
	s.takenDown(t, "lab")
	s.bash(t, 0, "bin/lab up\nbin/lab kubectl -- create namespace seed")
	kubeconfig := strings.TrimSpace(s.bash(t, 0, "bin/lab kubeconfig"))
	s.env = append(s.env, "KUBECONFIG="+kubeconfig)
	return s
}

// demonstrated: by the page's command and by make's, the demo ends promoted, from its
// beginning.
func demonstrated(t *testing.T, s *scene, b Block) {
	t.Helper()
	said := s.bash(t, 0, b.Script)
	require.Contains(t, said, "== deploy stable")
	require.Contains(t, said, "outcome=promoted")
	var report struct {
		Outcome string
		Stages  []struct{ Stable, Canary int }
	}
	require.NoError(t, json.Unmarshal([]byte(s.read(t, "bin/report.json")), &report))
	require.Equal(t, "promoted", report.Outcome)
	require.Equal(t, []struct{ Stable, Canary int }{{1, 0}, {1, 1}, {1, 4}, {0, 1}}, report.Stages)
	require.Contains(t, s.read(t, "bin/report.md"), "Promoted")
}
