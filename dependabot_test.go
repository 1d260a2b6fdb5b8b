package canary_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// watchedBy is which of Dependabot's ecosystems a file's dependencies belong to; empty if
// it has none. The folder of workflows is that of the repository to it.
func watchedBy(file, text string) (ecosystem, dir string) {
	dir = path.Dir("/" + file)
	switch name := path.Base(file); {
	case name == "go.mod":
		return "gomod", dir
	case name == "package.json":
		return "npm", dir
	case strings.HasPrefix(name, "Dockerfile"):
		return "docker", dir
	case dir == "/.github/workflows":
		return "github-actions", "/"
	case name == "action.yml", path.Ext(name) == ".yml" && used.MatchString(text):
		return "github-actions", dir
	}
	return "", ""
}

// watched lists what Dependabot is told to look at, as "ecosystem directory", in order.
func watched(t *testing.T, text string) []string {
	t.Helper()
	var document struct {
		Updates []struct {
			Ecosystem   string `json:"package-ecosystem"`
			Directory   string
			Directories []string
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(text), &document))
	var all []string
	for _, update := range document.Updates {
		if update.Directory != "" {
			update.Directories = append(update.Directories, update.Directory)
		}
		for _, dir := range update.Directories {
			all = append(all, update.Ecosystem+" "+dir)
		}
	}
	slices.Sort(all)
	return all
}

// TestDependabot: what the checkout has is what Dependabot looks at, each once.
func TestDependabot(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others", "--exclude-standard").Output()
	require.NoError(t, err)
	var have []string
	for file := range strings.FieldsSeq(string(out)) {
		if strings.Contains(file, "testdata/") {
			continue
		}
		text, readErr := os.ReadFile(file)
		if errors.Is(readErr, fs.ErrNotExist) {
			continue // deleted, and not yet committed
		}
		require.NoError(t, readErr)
		if ecosystem, dir := watchedBy(file, string(text)); ecosystem != "" {
			have = append(have, ecosystem+" "+dir)
		}
	}
	slices.Sort(have)
	rules, err := os.ReadFile(".github/dependabot.yml")
	require.NoError(t, err)
	require.Equal(t, slices.Compact(have), watched(t, string(rules)))
}

func TestWatchedBy(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"go.mod": "gomod /", "lab/node/go.mod": "gomod /lab/node", "docs/render/package.json": "npm /docs/render", "Dockerfile": "docker /",
		"lab/Dockerfile.node": "docker /lab", "action.yml": "github-actions /", "host/action.yml": "github-actions /host",
		".github/workflows/ci.yml": "github-actions /", ".github/dependabot.yml": " ", "examples/github/a.yml": " ", "go.sum": " ",
	} {
		ecosystem, dir := watchedBy(file, "")
		require.Equal(t, want, ecosystem+" "+dir, file)
	}
	ecosystem, dir := watchedBy("examples/github/a.yml", "steps:\n  - uses: actions/checkout@1 # v1\n")
	require.Equal(t, "github-actions /examples/github", ecosystem+" "+dir)
}

func TestWatched(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"gomod /", "gomod /lab", "npm /docs"}, watched(t, `updates:
- {package-ecosystem: npm, directory: /docs}
- {package-ecosystem: gomod, directories: ["/lab", "/"]}
`))
}
