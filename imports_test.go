package canary_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/org/l4-canary/"

// allowed is the whole architecture: package → packages of ours that it may
// import, and whether it may see Kubernetes types. What is not listed is
// forbidden.
var allowed = map[string]struct {
	ours       []string
	kubernetes bool
}{
	"cmd/action": {ours: []string{
		"internal/ci", "internal/comment", "internal/config", "internal/inside", "internal/kube", "internal/manifest", "internal/metric", "internal/preflight", "internal/probe", "internal/report", "internal/rollout",
		"internal/spec",
	}},
	"internal/ci":      {},
	"internal/comment": {},
	"internal/config":  {},
	"internal/inside":  {ours: []string{"internal/probe", "internal/spec"}},
	"internal/kube": {ours: []string{
		"internal/manifest", "internal/preflight", "internal/probe", "internal/rollout",
	}, kubernetes: true},
	"internal/manifest":  {kubernetes: true},
	"internal/metric":    {ours: []string{"internal/rollout"}},
	"internal/preflight": {ours: []string{"internal/manifest"}, kubernetes: true},
	"internal/probe":     {},
	"internal/report":    {ours: []string{"internal/probe", "internal/rollout", "internal/stats"}},
	"internal/rollout":   {ours: []string{"internal/probe", "internal/stats"}},
	"internal/spec":      {ours: []string{"internal/probe"}},
	"internal/stats":     {},
	"test/bench":         {ours: []string{"internal/probe", "internal/rollout", "test/page"}},
	"test/cost":          {ours: []string{"test/page", "test/tally"}},
	"test/docs":          {},
	"test/executable":    {},
	"test/forge":         {},
	"test/fuzz":          {ours: []string{"test/page"}},
	"test/page":          {},
	"test/start":         {ours: []string{"test/page"}},
	"test/sim":           {ours: []string{"internal/probe", "internal/rollout", "internal/stats", "test/page"}},
	"test/soak":          {ours: []string{"test/page"}},
	"test/tally":         {},
}

// TestImports holds every package against the table.
func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	require.NoError(t, err)
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		name := strings.TrimPrefix(fields[0], module)
		if len(fields) == 1 { // only tests
			continue
		}
		seen[name] = true
		rule, listed := allowed[name]
		require.True(t, listed, "package %s is not in the table of imports_test.go", name)
		for _, imported := range fields[1:] {
			if ours, ok := strings.CutPrefix(imported, module); ok {
				require.Contains(t, rule.ours, ours, "%s must not import %s", name, ours)
			}
			if strings.HasPrefix(imported, "k8s.io/") {
				require.True(t, rule.kubernetes, "%s must not import %s: only kube, manifest and preflight know Kubernetes types", name, imported)
			}
			if name == "internal/stats" {
				require.NotContains(t, strings.Split(imported, "/")[0], ".", "stats is pure: %s is not in the standard library", imported)
			}
		}
	}
	for name := range allowed {
		require.True(t, seen[name], "the table names %s, which does not exist", name)
	}
	require.True(t, slices.Contains(strings.Fields(string(out)), module+"internal/rollout"))
}
