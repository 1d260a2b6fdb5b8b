//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// withDoctorsRole is the lab for a user who has the rights that doctor prints, and no other.
func (l *lab) withDoctorsRole(t *testing.T, namespace string, more ...string) *lab {
	t.Helper()
	says := l.command(t, append([]string{"doctor", "--namespace", namespace}, more...)...)
	require.Equal(t, 0, says.exit)
	_, after, found := strings.Cut(says.stdout, "\nthe rights it needs")
	require.True(t, found)
	_, role, _ := strings.Cut(after, "\n\n")
	file := filepath.Join(t.TempDir(), "role.yaml")
	require.NoError(t, os.WriteFile(file, []byte(role), 0o600))
	t.Log(l.kubectl(t, "apply", "-f", file))
	token := strings.TrimSpace(l.kubectl(t, "-n", namespace, "create", "token", "l4-canary", "--duration", "2h"))
	restricted := *l
	restricted.kubeconfig = l.withUser(t, clientcmdapi.AuthInfo{Token: token})
	return &restricted
}

// rightsOfDoctor: the Role that doctor prints is enough for doctor itself, a whole
// rollout and the way back, and nothing that these ask for is forbidden.
func rightsOfDoctor(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "role"
	l.namespace(t, namespace)
	first := l.run(t, single(t, namespace, "single", 2, "0.9.0", "1.0.0")...)
	require.Equal(t, "promoted", first.report.Outcome)
	restricted := l.withDoctorsRole(t, namespace)
	says := restricted.command(t, "doctor", "--namespace", namespace)
	require.Equal(t, 0, says.exit)
	require.Contains(t, says.stdout, "the credentials used now have all rights that a rollout needs")
	require.Contains(t, says.stdout, "whether Cilium does kube-proxy's work may not be read")
	args := single(t, namespace, "single", 2, "1.0.0", "1.1.0", "--steps", "50,100", "--finish", "adopt")
	plan := restricted.planned(t, args...)
	res := restricted.run(t, args...)
	plan.requireForeseen(t, res)
	require.Equal(t, "promoted", res.report.Outcome)
	require.NotContains(t, res.stdout, "not checked")
	require.Contains(t, l.image(t, namespace), "1.1.0")
	reasons := strings.Fields(l.kubectl(t, "-n", namespace, "get", "events.events.k8s.io",
		"--field-selector", "reportingController=l4-canary,regarding.kind=Service,regarding.name=lobby", "-o", "jsonpath={.items[*].reason}"))
	require.ElementsMatch(t, []string{"StagePass", "Promoted", "StagePass", "StagePass", "StagePass", "Promoted"}, reasons, "of the first version, and of the second")
	require.Equal(t, 0, restricted.command(t, "status", "--namespace", namespace).exit)
	back := restricted.command(t, "rollback", "--namespace", namespace, "--service", "lobby", "--drain", "2s")
	require.Equal(t, 0, back.exit)
	require.Contains(t, l.image(t, namespace), "1.0.0")
	require.Equal(t, 2, l.replicas(t, namespace, "lobby"))
	l.requireTidy(t, namespace)

	asked, forbidden := l.answered(t, "system:serviceaccount:"+namespace+":l4-canary")
	require.Positive(t, asked, "the audit log has no request of the account: it proves nothing")
	for _, request := range forbidden {
		// No Role of the namespace can grant this look; doctor says so.
		require.Contains(t, request, "/namespaces/kube-system/configmaps/cilium-config")
	}
}
