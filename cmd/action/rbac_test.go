package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/report"
)

// TestRightsToApply: the manifests in examples/ are what doctor prints, for a namespace
// "game". With -update they are written.
func TestRightsToApply(t *testing.T) {
	t.Parallel()
	const head = "# The rights of a rollout in the namespace \"game\", and an account that has them: write your own\n" +
		"# in place of every \"game\", kubectl apply -f, then kubectl -n game create token l4-canary.\n"
	for name, tt := range map[string]struct {
		head   string
		inside bool
	}{
		"rbac.yaml":                    {head, false},
		"rbac-probe-from-cluster.yaml": {head + "# With what \"probe-from: cluster\" needs as well: Jobs, and Secrets that say what they do.\n", true},
	} {
		var b strings.Builder
		role := kube.Role("game", (&kube.Client{}).AllRights(tt.inside))
		require.NoError(t, report.DoctorText(&b, report.Diagnosis{Namespace: "game", Service: "lobby", Role: role}))
		_, text, found := strings.Cut(b.String(), "\nthe rights it needs")
		require.True(t, found)
		_, text, found = strings.Cut(text, "\n\n")
		require.True(t, found)
		require.Contains(t, text, "kind: RoleBinding")
		require.Equal(t, tt.inside, strings.Contains(text, "resources: [secrets]"))

		path := filepath.Join("..", "..", "examples", name)
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(tt.head+text), 0o644))
		}
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, tt.head+text, string(got), "go test ./cmd/action -run TestRightsToApply -update")
	}
}
