package cache_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/lab/internal/cache"
)

// newSource writes a small program and returns it as a binary to build.
func newSource(t *testing.T) cache.Binary {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "src")
	write(t, filepath.Join(dir, "go.mod"), "module example.test/small\n\ngo 1.26.0\n")
	write(t, filepath.Join(dir, "main.go"), "package main\n\nfunc main() {}\n")
	return cache.Binary{Name: "small", Title: "a small program", Expect: "a second", Dir: dir}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

func key(t *testing.T, b cache.Binary, version string) string {
	t.Helper()
	k, err := b.Key(version)
	require.NoError(t, err)
	return k
}

func TestKeyCoversWhatMatters(t *testing.T) {
	t.Parallel()
	binary := newSource(t)
	first := key(t, binary, "go1.26.1 amd64")
	require.Len(t, first, 16)
	require.Equal(t, first, key(t, binary, "go1.26.1 amd64"))
	require.NotEqual(t, first, key(t, binary, "go1.26.2 amd64"), "the Go version")

	flagged := binary
	flagged.LDFlags = "-s"
	require.NotEqual(t, first, key(t, flagged, "go1.26.1 amd64"), "the flags")

	write(t, filepath.Join(binary.Dir, "main_test.go"), "package main\n")
	write(t, filepath.Join(binary.Dir, "testdata", "x"), "x")
	require.Equal(t, first, key(t, binary, "go1.26.1 amd64"), "tests are not built")

	write(t, filepath.Join(binary.Dir, "go.sum"), "x")
	second := key(t, binary, "go1.26.1 amd64")
	require.NotEqual(t, first, second, "a new file")
	write(t, filepath.Join(binary.Dir, "go.sum"), "y")
	require.NotEqual(t, second, key(t, binary, "go1.26.1 amd64"), "another content")
}

func TestKeyIsTheSameInAnotherCheckout(t *testing.T) {
	t.Parallel()
	require.Equal(t, key(t, newSource(t), "v"), key(t, newSource(t), "v"))
}

func TestRoot(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	deep := filepath.Join(root, "internal", "stats")
	write(t, filepath.Join(root, "lab", "node", "go.mod"), "module x\n")
	require.NoError(t, os.MkdirAll(deep, 0o755))
	got, err := cache.Root(deep)
	require.NoError(t, err)
	require.Equal(t, root, got)

	_, err = cache.Root(t.TempDir())
	require.ErrorContains(t, err, "--source or L4_LAB_SOURCE")
}

func TestDir(t *testing.T) {
	t.Parallel()
	env := map[string]string{"HOME": "/home/x"}
	getenv := func(name string) string { return env[name] }
	dir, err := cache.Dir(getenv)
	require.NoError(t, err)
	require.Equal(t, "/home/x/.cache/l4-canary", dir)

	env["L4_LAB_CACHE"] = "/cache"
	dir, err = cache.Dir(getenv)
	require.NoError(t, err)
	require.Equal(t, "/cache", dir)

	_, err = cache.Dir(func(string) string { return "" })
	require.ErrorContains(t, err, "neither L4_LAB_CACHE nor HOME")
}

// TestBuildOnce lets several callers want the same binary at the same time.
func TestBuildOnce(t *testing.T) {
	t.Parallel()
	binary := newSource(t)
	progress := &lines{}
	store := cache.Store{Dir: t.TempDir(), Progress: progress, Interval: time.Millisecond}
	paths := make([]string, 4)
	errs := make([]error, 4)
	var callers sync.WaitGroup
	for i := range paths {
		callers.Go(func() { paths[i], errs[i] = store.Build(t.Context(), binary) })
	}
	callers.Wait()
	for i, path := range paths {
		require.NoError(t, errs[i])
		require.Equal(t, paths[0], path)
	}
	info, err := os.Stat(paths[0])
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&0o100, "it can be run")
	require.Equal(t, 1, strings.Count(progress.String(), "built a small program in"))
	require.Contains(t, progress.String(), "building a small program, a second … 0s\n")
	require.Contains(t, progress.String(), "waiting for another build of a small program …\n")
	entries, err := os.ReadDir(filepath.Dir(paths[0]))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing but the binary stays")
}

func TestBuildShowsTheCompilersWords(t *testing.T) {
	t.Parallel()
	binary := newSource(t)
	write(t, filepath.Join(binary.Dir, "main.go"), "package main\n\nfunc main() { nonsense() }\n")
	store := cache.Store{Dir: t.TempDir(), Progress: &bytes.Buffer{}}
	_, err := store.Build(t.Context(), binary)
	require.ErrorContains(t, err, "building a small program")
	require.ErrorContains(t, err, "undefined: nonsense")
}

// lines is a buffer for several writers.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
