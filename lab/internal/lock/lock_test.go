package lock

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// open is what one process has open of a path.
func open(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return file
}

func TestOneAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := open(t, dir), open(t, dir)
	locked, err := Try(first, dir)
	require.NoError(t, err)
	require.True(t, locked)
	locked, err = Try(second, dir)
	require.NoError(t, err)
	require.False(t, locked)
	require.ErrorIs(t, second.Close(), os.ErrClosed, "it was closed")
}

// TestRemoved: whoever opened what another process has removed since has no lock, even if
// there is another one at its place.
func TestRemoved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	gone, replaced := open(t, path), open(t, path)
	require.NoError(t, os.Remove(path))
	locked, err := Try(gone, path)
	require.NoError(t, err)
	require.False(t, locked)
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	locked, err = Try(replaced, path)
	require.NoError(t, err)
	require.False(t, locked)
}

func TestNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := open(t, dir)
	require.NoError(t, file.Close())
	_, err := Try(file, dir)
	require.Error(t, err)
}
