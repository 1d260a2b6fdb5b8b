package manifest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/manifest"
)

// digest is the release of a pair with blue as stable, or whatever is named.
func digest(t *testing.T, text, namespace, service, stable string) string {
	t.Helper()
	roles, err := manifest.AssignRoles(behind(t, text), nil, stable, "")
	require.NoError(t, err)
	release, err := manifest.Release(namespace, service, roles)
	require.NoError(t, err)
	require.Regexp(t, "^[0-9a-f]{64}$", release)
	return release
}

func TestRelease(t *testing.T) {
	t.Parallel()
	pair := service() + deployment("blue") + deployment("green")
	want := digest(t, pair, "game", "lobby", "blue")
	same := map[string]string{
		"order of documents": deployment("green") + deployment("blue") + service(),
		"order of keys":      strings.ReplaceAll(pair, "{app: lobby, version: green}", "{version: green, app: lobby}"),
		"replicas":           strings.ReplaceAll(pair, "replicas: 3", "replicas: 5"),
		"metadata":           strings.ReplaceAll(pair, "metadata: {name: green}", "metadata: {name: green, annotations: {a: b}}"),
		"other objects":      pair + other("ConfigMap", "c"),
		"Service's ports":    strings.ReplaceAll(pair, "port: 7000", "port: 7001"),
		"comments":           pair + "# nothing\n",
	}
	for name, text := range same {
		require.Equal(t, want, digest(t, text, "game", "lobby", "blue"), name)
	}
	different := map[string]string{
		"image":     digest(t, strings.ReplaceAll(pair, "green:1", "green:2"), "game", "lobby", "blue"),
		"stable":    digest(t, strings.ReplaceAll(pair, "blue:1", "blue:2"), "game", "lobby", "blue"),
		"namespace": digest(t, pair, "live", "lobby", "blue"),
		"service":   digest(t, pair, "game", "hall", "blue"),
		"roles":     digest(t, pair, "game", "lobby", "green"),
	}
	for name, other := range different {
		require.NotEqual(t, want, other, name)
	}
}

func TestWithReplicas(t *testing.T) {
	t.Parallel()
	for _, text := range []string{deployment("blue"), strings.Replace(deployment("blue"), "  replicas: 3\n", "", 1)} {
		before := readText(t, text).Objects[0]
		kept := before.DeepCopy()
		after := manifest.WithReplicas(before, 0)
		require.Equal(t, 0, manifest.Replicas(after))
		require.Equal(t, before.Place, after.Place)
		after.SetLabels(map[string]string{"a": "b"})
		require.Equal(t, kept.Object, before.Object)
	}
	require.Equal(t, 1, manifest.Replicas(readText(t, strings.Replace(deployment("blue"), "  replicas: 3\n", "", 1)).Objects[0]))
}

func TestImages(t *testing.T) {
	t.Parallel()
	object := readText(t, strings.Replace(deployment("blue"), "containers: [", "initContainers: [{name: init, image: busybox:1}]\n      containers: [{name: side, image: busybox:1}, ", 1)).Objects[0]
	require.Equal(t, []string{"busybox:1", "registry.example/blue:1"}, manifest.Images(object))
}

// TestSharedManifests holds what the manifests of the repository promise.
func TestSharedManifests(t *testing.T) {
	t.Parallel()
	tests := []struct {
		directory, service, stable, canary string
		replicas                           int
		ports                              []string
		image                              string
	}{
		{"seed", "nginx", "old-nginx", "new-nginx", 1, []string{"TCP"}, "registry.cn-hangzhou.aliyuncs.com/xianlu/new-nginx"},
		{"seed-udp", "nginx", "old-nginx", "new-nginx", 1, []string{"UDP"}, "registry.cn-hangzhou.aliyuncs.com/xianlu/new-nginx"},
		{"lobby", "lobby", "lobby-blue", "lobby-green", 10, []string{"TCP", "UDP"}, "registry.example/lobby-green:1.9.0"},
	}
	for _, tt := range tests {
		t.Run(tt.directory, func(t *testing.T) {
			t.Parallel()
			selection := choose(t, readShared(t, tt.directory))
			roles, err := manifest.AssignRoles(selection, nil, tt.stable, "")
			require.NoError(t, err)
			require.Equal(t, tt.service, selection.Service.GetName())
			require.Equal(t, tt.canary, roles.Canary.Name)
			require.Equal(t, tt.replicas, manifest.Replicas(roles.Stable.Object()))
			require.Equal(t, []string{tt.image}, manifest.Images(roles.Canary.Object()))
			var protocols []string
			for _, port := range manifest.ServicePorts(selection.Service) {
				protocols = append(protocols, port.Protocol)
			}
			require.Equal(t, tt.ports, protocols)
			require.Empty(t, manifest.Check(selection.Service, roles, ""))
		})
	}
}
