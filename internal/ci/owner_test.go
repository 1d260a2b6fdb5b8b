//go:build unix

package ci

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func owner(t *testing.T, path string) (uid, gid uint32) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	owner, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	return owner.Uid, owner.Gid
}

func TestFilesBelongToTheWorkspace(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	workspace, elsewhere := t.TempDir(), t.TempDir()
	require.NoError(t, os.Chown(workspace, 1001, 121))
	old := filepath.Join(workspace, "old.md")
	require.NoError(t, os.WriteFile(old, nil, 0o600))
	p, _ := github(map[string]string{"GITHUB_WORKSPACE": workspace})

	made := filepath.Join(workspace, "a", "b", "report.md")
	for _, path := range []string{made, old, filepath.Join(elsewhere, "report.md"), filepath.Join(workspace, "..", "sibling.md")} {
		require.NoError(t, p.WriteFile(path, []byte("x")))
	}
	for _, path := range []string{made, filepath.Dir(made), filepath.Dir(filepath.Dir(made))} {
		uid, gid := owner(t, path)
		require.Equal(t, []uint32{1001, 121}, []uint32{uid, gid}, path)
	}
	for _, path := range []string{old, filepath.Join(elsewhere, "report.md"), filepath.Join(workspace, "..", "sibling.md")} {
		uid, _ := owner(t, path)
		require.Zero(t, uid, path)
	}
	info, err := os.Stat(made)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o644), info.Mode().Perm())
}
