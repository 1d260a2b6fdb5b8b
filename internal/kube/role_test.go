package kube

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// TestRoleOfTheReadme: users copy that one, so it grants what we ask for, and nothing
// else; doctor prints the same.
func TestRoleOfTheReadme(t *testing.T) {
	t.Parallel()
	want := granted(t, Role("game", (&Client{}).AllRights(false)))
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, text, found := strings.Cut(string(readme), "## Rights")
	require.True(t, found)
	_, text, _ = strings.Cut(text, "```yaml\n")
	text, more, _ := strings.Cut(text, "```")
	require.Equal(t, want, granted(t, text))
	_, more, _ = strings.Cut(more, "```yaml\n")
	more, _, _ = strings.Cut(more, "```")
	inside := granted(t, Role("game", (&Client{}).AllRights(true)))
	require.Equal(t, inside, granted(t, text+more), "what is needed with probe-from: cluster stands behind it")
	require.Contains(t, inside, "create jobs (batch)")
	require.NotContains(t, want, "create secrets")
	require.Contains(t, want, "patch deployments/scale (apps)")
	require.Contains(t, want, "list networkpolicies (networking.k8s.io)")
}

// granted are the rights that a Role grants, sorted.
func granted(t *testing.T, text string) []string {
	t.Helper()
	var role rbacv1.Role
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &role), text)
	var rights []string
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, name := range rule.Resources {
				resource, subresource, _ := strings.Cut(name, "/")
				for _, verb := range rule.Verbs {
					rights = append(rights, Right{verb, group, resource, subresource}.String())
				}
			}
		}
	}
	slices.Sort(rights)
	return slices.Compact(rights)
}
