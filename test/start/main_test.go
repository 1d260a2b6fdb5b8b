//go:build linux

package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	t.Parallel()
	s := starts{
		program: []time.Duration{30 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond},
		node:    []time.Duration{50 * time.Millisecond},
	}
	require.Equal(t, `| start of | median | least | greatest | × node |
|:--|--:|--:|--:|--:|
| `+"`l4-canary run`"+`, until its first request has arrived | 25.0 ms | 10.0 ms | 40.0 ms | 0.50 |
| `+"`node -e \"\"`"+`, until it has ended | 50.0 ms | 50.0 ms | 50.0 ms | 1.00 |
`, s.table())
}

func TestUntilAsked(t *testing.T) {
	t.Parallel()
	asked := make(chan time.Time, 1)
	_, err := untilAsked(t.Context(), asked, "sh", "-c", "echo no cluster; exit 2")
	require.ErrorContains(t, err, "sh asked nothing: no cluster")
	asked <- time.Now().Add(time.Hour)
	took, err := untilAsked(t.Context(), asked, "false")
	require.NoError(t, err)
	require.InDelta(t, time.Hour, took, float64(time.Minute))
}

func TestArchives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := archives(dir)
	require.ErrorContains(t, err, "make archives")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "l4-canary-linux-arm64.tar.gz"), make([]byte, 12_345_678), 0o600))
	text, err := archives(dir)
	require.NoError(t, err)
	require.Contains(t, text, "| `l4-canary-linux-arm64.tar.gz` | 12.3 |\n")
}
