package manifest

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// FuzzSubstitute: a line of input "images" changes what it fits and nothing else, or is an
// error that shows the line.
func FuzzSubstitute(f *testing.F) {
	for _, line := range []string{
		"ghcr.io/acme/lobby:2", "lobby=x:1", "lobby/main=ghcr.io/b:2", "=x", "x=", "A:1", "nginx@sha256:0", " a = b ", "a=b=c", "::error::x\n", "docker.io/library/nginx", "\xff", "a/b/c=d",
	} {
		f.Add(line, "ghcr.io/acme/lobby:1")
		f.Add(line, "nginx")
	}
	f.Fuzz(func(t *testing.T, line, image string) {
		deployment := func(name string) Object {
			return Object{Unstructured: &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": name},
				"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{
					map[string]any{"name": "main", "image": image}, map[string]any{"name": "side", "image": "busybox:1"},
				}}}},
			}}}
		}
		set := Set{Objects: []Object{deployment("lobby"), deployment("hall")}}
		before := Images(deployment("lobby"))
		err := set.Substitute([]string{line})
		change, wrong := parseSubstitution(line)
		if err != nil {
			if strings.Contains(err.Error(), " has image ") { // what nobody changed, or what it became, is none
				return
			}
			require.ErrorContains(t, err, `input "images"`)
			require.Equal(t, before, Images(set.Objects[0]))
			require.Equal(t, before, Images(set.Objects[1]))
			return
		}
		require.NoError(t, wrong)
		for _, object := range set.Objects {
			for _, got := range Images(object) { // one more than before where the manifest had none
				require.Contains(t, append(before, change.Ref), got)
			}
		}
	})
}

// FuzzKustomization: what would be fetched is refused, however it is written, and what refers
// to itself comes to an end.
func FuzzKustomization(f *testing.F) {
	for _, text := range []string{
		"resources: [a.yaml, ../b]", "resources: [.]", "resources: ['https://example.com/x.yaml']", "bases: [github.com/a/b?ref=1]", "components: [git@a:b]",
		"resources: [a, a/../a]", "- a", "", "resources: &a [*a]", "{", "helmCharts: [{name: x, repo: https://example.com}]", "generators: ['ssh://x']",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		files := fstest.MapFS{"base/kustomization.yaml": {Data: []byte(text)}, "base/a/Kustomization": {Data: []byte(text)}, "b/kustomization.yml": {Data: []byte(text)}}
		err := refuseRemote(files, "base", map[string]bool{})
		var k struct{ Resources []string }
		if yaml.Unmarshal([]byte(text), &k) != nil {
			return
		}
		for _, resource := range k.Resources {
			if strings.HasPrefix(resource, "https://") || strings.HasPrefix(resource, "git@") {
				require.Error(t, err, resource)
			}
		}
	})
}
