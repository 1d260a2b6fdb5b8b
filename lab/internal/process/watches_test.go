package process

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRaise(t *testing.T) {
	t.Parallel()
	for before, after := range map[string]string{"128\n": "1024", "1024\n": "1024\n", "8192\n": "8192\n"} {
		file := filepath.Join(t.TempDir(), "limit")
		require.NoError(t, os.WriteFile(file, []byte(before), 0o600))
		require.NoError(t, raise(file))
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, after, string(data))
	}
	file := filepath.Join(t.TempDir(), "limit")
	require.ErrorIs(t, raise(file), os.ErrNotExist)
	require.NoError(t, os.WriteFile(file, []byte("many"), 0o600))
	require.ErrorContains(t, raise(file), file)
}
