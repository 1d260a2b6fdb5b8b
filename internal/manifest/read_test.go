package manifest_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/manifest"
)

func configMap(name string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name + "\n"
}

func TestReadSources(t *testing.T) {
	t.Parallel()
	files := tree(map[string]string{
		"k8s/b.yaml": configMap("b"), "k8s/a.yml": configMap("a"), "k8s/c.json": `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}`,
		"k8s/README.md": "# not a manifest", "k8s/deep/d.yaml": configMap("d"), "one.txt": configMap("one"),
	})
	tests := []struct {
		name    string
		sources []string
		want    []string
	}{
		{"file whatever its name", []string{"one.txt"}, []string{"ConfigMap/one"}},
		{"directory, sorted, not recursive", []string{"k8s"}, []string{"ConfigMap/a", "ConfigMap/b", "ConfigMap/c"}},
		{"directory with a slash", []string{"./k8s/"}, []string{"ConfigMap/a", "ConfigMap/b", "ConfigMap/c"}},
		{"glob", []string{"k8s/*.y*ml"}, []string{"ConfigMap/a", "ConfigMap/b"}},
		{"glob leaves other files out", []string{"k8s/*"}, []string{"ConfigMap/a", "ConfigMap/b", "ConfigMap/c"}},
		{"glob of directories", []string{"*/deep/*.yaml"}, []string{"ConfigMap/d"}},
		{"standard input", []string{"-"}, []string{"ConfigMap/in"}},
		{"several, in order", []string{"-", "k8s/deep", "one.txt"}, []string{"ConfigMap/in", "ConfigMap/d", "ConfigMap/one"}},
		{"the same twice", []string{"k8s/a.yml", "k8s", "./k8s/a.yml", "k8s/a*"}, []string{"ConfigMap/a", "ConfigMap/b", "ConfigMap/c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			set, notices, err := manifest.Read(tt.sources, files, strings.NewReader(configMap("in")))
			require.NoError(t, err)
			require.Empty(t, notices)
			require.Equal(t, tt.want, titles(set.Objects))
		})
	}
}

func TestReadSourceProblems(t *testing.T) {
	t.Parallel()
	files := tree(map[string]string{
		"empty/README.md": "", "blank.yaml": "# nothing\n---\n", "latin.yaml": "name: caf\xe9",
		"base/kustomization.yaml": "resources: []", "k8s/a.yaml": configMap("a"),
	})
	tests := []struct{ source, want string }{
		{"gone.yaml", "gone.yaml: it cannot be read: no such file or directory"},
		{"gone/*.yaml", "gone/*.yaml: it matches no .yaml, .yml or .json file"},
		{"k8s/[", "k8s/[: the pattern is malformed"},
		{"k8s/**/*.yaml", "k8s/**/*.yaml: ** is not understood\n  hint: name each directory on a line of its own"},
		{"empty", "empty: the directory holds no .yaml, .yml or .json file\n  hint: subdirectories are not read: name each of them"},
		{"base", "base/kustomization.yaml: it cannot be rendered: a kustomization must lie in a directory of this machine"},
		{"blank.yaml", "the manifests hold no object at all: blank.yaml"},
		{"latin.yaml", "latin.yaml: it is not text in UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.source, func(t *testing.T) {
			t.Parallel()
			_, _, err := manifest.Read([]string{tt.source}, files, nil)
			require.ErrorContains(t, err, tt.want)
		})
	}
	_, _, err := manifest.Read([]string{"-"}, files, nil)
	require.ErrorContains(t, err, "-: it cannot be read: there is none")
	_, _, err = manifest.Read([]string{"-"}, files, iotest.ErrReader(errors.New("broken pipe")))
	require.ErrorContains(t, err, "-: it cannot be read: broken pipe")
}

func TestReadReportsAllFilesAtOnce(t *testing.T) {
	t.Parallel()
	_, _, err := manifest.Read([]string{"a.yaml", "gone.yaml", "b.yaml", "c.yaml"}, tree(map[string]string{
		"a.yaml": configMap("a") + "---\nkind: ConfigMap\n---\n- list\n",
		"b.yaml": configMap("b") + "  name: again\n",
		"c.yaml": configMap("a"),
	}), nil)
	require.EqualError(t, err, `gone.yaml: it cannot be read: no such file or directory
a.yaml:8: it is not a Kubernetes object: apiVersion and kind are missing
a.yaml:6: apiVersion is missing or not a text
b.yaml:5: key "name" already set in map
c.yaml:1: ConfigMap "a" stands in a.yaml:1 already`)
}

func TestDir(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a.yaml"), []byte(configMap("a")), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(folder, "work"), 0o700))
	work := manifest.Dir(filepath.Join(folder, "work"))
	for _, source := range []string{"../a.yaml", "..", "../*.yaml", folder, filepath.Join(folder, "a.yaml"), filepath.Join(folder, "*.yaml")} {
		set, _, err := manifest.Read([]string{source}, work, nil)
		require.NoError(t, err, source)
		require.Equal(t, []string{"ConfigMap/a"}, titles(set.Objects), source)
	}
}

// endless is a file such as /dev/zero.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	clear(p)
	e.read += len(p)
	return len(p), nil
}

// TestReadIsBounded: what has no end is not waited for.
func TestReadIsBounded(t *testing.T) {
	t.Parallel()
	var input endless
	_, _, err := manifest.Read([]string{"-"}, nil, &input)
	require.EqualError(t, err, "-: it cannot be read: it holds more than 64 MiB")
	require.Less(t, input.read, 80<<20)
}
