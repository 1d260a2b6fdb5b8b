package manifest_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/manifest"
)

// TestKustomization: an overlay is what its directory, and its file, stand for.
func TestKustomization(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"kustomize/overlay", "kustomize/overlay/kustomization.yaml", "kustomize/base/../overlay/"} {
		set, notices, err := manifest.Read([]string{source}, manifest.Dir("../../testdata/manifests"), nil)
		require.NoError(t, err)
		require.Empty(t, notices)
		require.Len(t, set.Objects, 2)
		for _, object := range set.Objects {
			if object.GetKind() == "Deployment" {
				require.Equal(t, []string{"registry.example/lobby:1.1.0"}, manifest.Images(object))
				require.Equal(t, 2, manifest.Replicas(object))
			}
			require.Equal(t, filepath.Clean("kustomize/overlay/kustomization.yaml"), object.Place.File)
		}
	}
	_, _, err := manifest.Read([]string{"kustomize/overlay", "kustomize/base/lobby.yaml"}, manifest.Dir("../../testdata/manifests"), nil)
	require.ErrorContains(t, err, `Deployment "lobby"`, "the base is in the overlay already")
}

// TestKustomizationRefused: nothing is fetched, and what is wrong is said.
func TestKustomizationRefused(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		files map[string]string
		says  string
	}{
		"a URL":          {map[string]string{"kustomization.yaml": "resources: [https://example.com/base.yaml]"}, "https://example.com/base.yaml is not on this machine, and nothing is fetched"},
		"a repository":   {map[string]string{"kustomization.yml": "resources: ['github.com/acme/base?ref=v1']"}, "github.com/acme/base?ref=v1 is not on this machine"},
		"git":            {map[string]string{"Kustomization": "bases: ['git@example.com:acme/base.git']"}, "git@example.com:acme/base.git is not on this machine"},
		"in a base":      {map[string]string{"kustomization.yaml": "resources: [base]", "base/kustomization.yaml": "components: ['ssh://git@example.com/x']"}, "ssh://git@example.com/x is not on this machine"},
		"missing":        {map[string]string{"kustomization.yaml": "resources: [lobby.yaml]"}, "lobby.yaml"},
		"a typo":         {map[string]string{"kustomization.yaml": "resource: [lobby.yaml]"}, `unknown field "resource"`},
		"no YAML":        {map[string]string{"kustomization.yaml": "resources: ["}, "reading k/kustomization.yaml"},
		"out of the way": {map[string]string{"kustomization.yaml": "resources: [../../../../etc/hostname]"}, "etc/hostname"},
		"a circle":       {map[string]string{"kustomization.yaml": "resources: [../k]"}, "cycle"},
		"a chart":        {map[string]string{"kustomization.yaml": "helmCharts: [{name: x, repo: 'https://example.com'}]"}, "must specify --enable-helm"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range row.files {
				path := filepath.Join(dir, "k", file)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
				require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			}
			_, _, err := manifest.Read([]string{"k"}, manifest.Dir(dir), nil)
			require.ErrorContains(t, err, row.says)
			require.ErrorContains(t, err, "k/")
		})
	}
	_, _, err := manifest.Read([]string{"k"}, fstest.MapFS{"k/kustomization.yaml": {Data: []byte("resources: []")}}, nil)
	require.ErrorContains(t, err, "a directory of this machine")
}
