package manifest_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/org/l4-canary/internal/manifest"
)

var update = flag.Bool("update", false, "write the golden files")

// shared is the repository's manifests, seen from this package.
const shared = manifest.Dir("../../testdata/manifests")

// tree is a file system made of texts.
func tree(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// readText reads one manifest given as a text.
func readText(t *testing.T, text string) manifest.Set {
	t.Helper()
	set, _, err := manifest.Read([]string{"a.yaml"}, tree(map[string]string{"a.yaml": text}), nil)
	require.NoError(t, err)
	return set
}

// readShared reads a directory of the repository's manifests.
func readShared(t *testing.T, name string) manifest.Set {
	t.Helper()
	set, _, err := manifest.Read([]string{name}, shared, nil)
	require.NoError(t, err)
	return set
}

// behind reads a text and selects by its only LoadBalancer Service.
func behind(t *testing.T, text string) manifest.Selection {
	t.Helper()
	return choose(t, readText(t, text))
}

func choose(t *testing.T, set manifest.Set) manifest.Selection {
	t.Helper()
	service, err := set.Service("")
	require.NoError(t, err)
	selection, err := set.Behind(service)
	require.NoError(t, err)
	return selection
}

// titles are kinds and names of objects.
func titles(objects []manifest.Object) []string {
	var found []string
	for _, object := range objects {
		found = append(found, object.GetKind()+"/"+object.GetName())
	}
	return found
}

// golden compares objects as YAML with a file, or writes it.
func golden(t *testing.T, name string, objects []manifest.Object) {
	t.Helper()
	var b strings.Builder
	for _, object := range objects {
		data, err := yaml.Marshal(object.Object)
		require.NoError(t, err)
		b.WriteString("---\n" + string(data))
	}
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}

// service and deployment are the least that are a pair behind a balancer.
func service() string {
	return `---
apiVersion: v1
kind: Service
metadata: {name: lobby}
spec:
  type: LoadBalancer
  selector: {app: lobby}
  ports: [{port: 7000, protocol: TCP}]
`
}

func deployment(name string) string {
	return strings.ReplaceAll(`---
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: 3
  selector: {matchLabels: {app: lobby, version: NAME}}
  template:
    metadata: {labels: {app: lobby, version: NAME}}
    spec:
      containers: [{name: lobby, image: "registry.example/NAME:1"}]
`, "NAME", name)
}

// live is a Deployment of the cluster behind the Service of service.
func live(name string, replicas, ready int) manifest.Live {
	return manifest.Live{Name: name, Labels: map[string]string{"app": "lobby", "version": name}, Replicas: replicas, Ready: ready}
}
