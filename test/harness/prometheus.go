//go:build e2e

package harness

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Prometheus runs the real server, which listens at an address, until the test ends. The
// command before it, such as nsenter, may be empty.
func Prometheus(t *testing.T, before []string, address, config string, flags ...string) *Process {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	argv := append(slices.Clip(before), "prometheus", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=warn")
	return Start(t, dir, append(argv, flags...)...)
}
