package cache_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/lab/internal/cache"
)

// used puts a binary into the store, as if Build had returned it that long ago.
func used(t *testing.T, s cache.Store, folder, name string, ago time.Duration) string {
	t.Helper()
	path := filepath.Join(s.Dir, folder, name)
	write(t, path, "x")
	write(t, filepath.Join(s.Dir, folder+".lock"), "")
	at := time.Now().Add(-ago)
	require.NoError(t, os.Chtimes(path, at, at))
	return path
}

// names lists a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

func TestPruneKeepsTheLastUsedOfTheOthers(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := cache.Store{Dir: t.TempDir(), Progress: &out}
	node := used(t, s, "node-000000000000000a", "node", 5*time.Hour)
	used(t, s, "node-000000000000000b", "node", 3*time.Hour)
	used(t, s, "node-000000000000000c", "node", 2*time.Hour)
	used(t, s, "node-000000000000000d", "node", 4*time.Hour)
	workload := used(t, s, "workload-000000000000000a", "workload", 2*time.Hour)
	used(t, s, "workload-000000000000000b", "workload", 3*time.Hour)

	require.NoError(t, s.Prune(node, workload))
	require.Equal(t, []string{
		"node-000000000000000a", "node-000000000000000a.lock",
		"node-000000000000000c", "node-000000000000000c.lock",
		"workload-000000000000000a", "workload-000000000000000a.lock",
		"workload-000000000000000b", "workload-000000000000000b.lock",
	}, names(t, s.Dir))
	for _, removed := range []string{"node-000000000000000b", "node-000000000000000d"} {
		require.Contains(t, out.String(), "removed "+filepath.Join(s.Dir, removed)+", which no lab uses any more\n")
	}
}

func TestPruneSparesWhatIsOrMayBeInUse(t *testing.T) {
	t.Parallel()
	s := cache.Store{Dir: t.TempDir(), Progress: &bytes.Buffer{}}
	used(t, s, "node-000000000000000a", "node", 0)
	recent := used(t, s, "node-000000000000000b", "node", 50*time.Minute)
	kept := used(t, s, "node-000000000000000c", "node", 3*time.Hour)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(s.Dir, link))
	locked := used(t, s, "node-000000000000000d", "node", 3*time.Hour)
	lock, err := os.Open(filepath.Dir(locked) + ".lock")
	require.NoError(t, err)
	require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))

	keep := filepath.Join(link, "node-000000000000000c", "node")
	require.NoError(t, s.Prune(keep))
	for _, path := range []string{recent, kept, locked} {
		require.FileExists(t, path)
	}
	require.NoError(t, lock.Close())
	// A child that another test is just starting holds the lock until it calls exec.
	require.Eventually(t, func() bool {
		require.NoError(t, s.Prune(keep))
		_, err := os.Stat(locked)
		return errors.Is(err, fs.ErrNotExist)
	}, 5*time.Second, 10*time.Millisecond, "once it is free")
}

func TestPruneTouchesNothingElse(t *testing.T) {
	t.Parallel()
	s := cache.Store{Dir: t.TempDir(), Progress: &bytes.Buffer{}}
	used(t, s, "node-000000000000000a", "node", 3*time.Hour)
	for _, folder := range []string{"node-exporter", "node-000000000000000b.old", "node-000000000000000", "kind", "my-node-000000000000000b"} {
		used(t, s, folder, "node", 4*time.Hour)
	}
	write(t, filepath.Join(s.Dir, "node-000000000000000f"), "a file")
	before := names(t, s.Dir)
	require.NoError(t, s.Prune())
	require.Equal(t, before, names(t, s.Dir))
}

// TestPruneGoesByUse: what Build returns counts as new, however long ago it was built.
func TestPruneGoesByUse(t *testing.T) {
	t.Parallel()
	binary := newSource(t)
	binary.Name = "workload"
	s := cache.Store{Dir: t.TempDir(), Progress: &bytes.Buffer{}}
	path, err := s.Build(t.Context(), binary)
	require.NoError(t, err)
	used(t, s, filepath.Base(filepath.Dir(path)), "workload", 5*time.Hour)
	again, err := s.Build(t.Context(), binary)
	require.NoError(t, err)
	require.Equal(t, path, again)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), info.ModTime(), time.Minute)
	require.Equal(t, int64(1), info.Size(), "it was not built again")
}

// TestPruneRemovesEmptyFoldersFirst: a build that failed leaves one.
func TestPruneRemovesEmptyFoldersFirst(t *testing.T) {
	t.Parallel()
	s := cache.Store{Dir: t.TempDir(), Progress: &bytes.Buffer{}}
	require.NoError(t, os.Mkdir(filepath.Join(s.Dir, "node-000000000000000a"), 0o755))
	old := used(t, s, "node-000000000000000b", "node", 9*time.Hour)
	require.NoError(t, s.Prune())
	require.FileExists(t, old)
	require.NoDirExists(t, filepath.Join(s.Dir, "node-000000000000000a"))
}
