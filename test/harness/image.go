//go:build e2e

package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// BuildContext is the checkout's action as a runner gets it, to be built without a
// network: its dependencies are vendored, and the Dockerfile's two bases, a Go toolchain
// and a shell, are made here and bear the names that it gives them. The toolchain comes
// with what it has compiled before, which a runner would have to wait for.
func (e *Engine) BuildContext(t *testing.T) string {
	t.Helper()
	root := Root(t)
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "Dockerfile", ".dockerignore", "action.yml"} {
		data, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	for _, name := range []string{"cmd", "internal"} {
		require.NoError(t, os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(root, name))))
	}
	// Nobody tests there, and what tests import is not all there.
	shell(t, dir, "find cmd internal -name '*_test.go' -delete && go mod vendor")
	compiled := filepath.Join(cacheDir(t), "container-action")
	shell(t, dir, `CGO_ENABLED=0 GOCACHE="$1" go build -trimpath -o /dev/null ./cmd/action`, compiled)

	base := Userland(t)
	build, final := bases(t, root)
	e.Import(t, base, final)
	shell(t, base, `mkdir -p usr/local && cp -a "$1" usr/local/go && cp -a "$2" compiled`, strings.TrimSpace(shell(t, root, "go env GOROOT")), compiled)
	e.Import(t, base, build, "ENV PATH=/usr/local/go/bin:/bin", "ENV GOTOOLCHAIN=local", "ENV HOME=/tmp", "ENV GOCACHE=/compiled")
	return dir
}

// bases are the names of the images that the Dockerfile begins with.
func bases(t *testing.T, root string) (build, final string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	require.NoError(t, err)
	names := regexp.MustCompile(`(?m)^ARG (?:BUILD|BASE)_IMAGE=(\S+)$`).FindAllSubmatch(data, -1)
	require.Len(t, names, 2)
	return string(names[0][1]), string(names[1][1])
}

// Userland is a folder with a shell and the tools that runners expect of an image.
func Userland(t *testing.T) string {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	require.NoError(t, err, "the bases are made from a static busybox: apt-get install busybox-static")
	dir := t.TempDir()
	shell(t, dir, `mkdir -p bin tmp etc && cp "$1" bin/busybox && for tool in sh env tail mv rm tar cat ls ln grep cut tr test mkdir sleep; do ln bin/busybox bin/$tool; done`, busybox)
	return dir
}

// Import makes an image of a folder.
func (e *Engine) Import(t *testing.T, dir, name string, changes ...string) {
	t.Helper()
	tarball := filepath.Join(t.TempDir(), "image.tar")
	shell(t, dir, `tar cf "$1" .`, tarball)
	args := []string{"import"}
	for _, change := range changes {
		args = append(args, "-c", change)
	}
	e.Do(t, append(args, tarball, name)...)
	require.NoError(t, os.Remove(tarball))
}

// Compressed is the size of an image in bytes, as a registry would keep it.
func (e *Engine) Compressed(t *testing.T, name string) int {
	t.Helper()
	tarball := filepath.Join(t.TempDir(), "image.tar")
	e.Do(t, "save", "--output", tarball, name)
	size, err := strconv.Atoi(strings.TrimSpace(shell(t, ".", `gzip <"$1" | wc -c`, tarball)))
	require.NoError(t, err)
	require.NoError(t, os.Remove(tarball))
	return size
}

// cacheDir is where the lab keeps what is slow to make, outside the tree.
func cacheDir(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("L4_LAB_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	require.NoError(t, err)
	return filepath.Join(dir, "l4-canary")
}

// shell runs a line of shell in a folder; its arguments are $1 and on.
func shell(t *testing.T, dir, line string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-ec", line, "sh"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", line, out)
	return string(out)
}
