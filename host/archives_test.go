package host_test

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/executable"
)

// TestArchives: what a release offers is what the action fetches, and the same commit
// gives the same bytes. What "go build" would make is a few lines of shell.
func TestArchives(t *testing.T) {
	t.Parallel()
	tools := toolbox(t, []string{"cp", "chmod"})
	tool(t, tools, "go", `case $1 in
build)
  [ "$2 $3 $4 $6 $8" = "-trimpath -buildvcs=false -ldflags -o ./cmd/action" ] && [ "$CGO_ENABLED" = 0 ] || exit 1
  [ "$5" = "-s -w -X main.version=1.2.3 -X main.commit=abc1234 -X main.date=2026-11-25T20:00:00+00:00" ] || exit 1
  printf '#!/bin/sh\necho "{\\"PID\\": $$, \\"Arguments\\": [\\"%s_%s\\"]}" >"$RECORD"\n' "$GOOS" "$GOARCH" >"$7" && chmod +x "$7" ;;
tool)
  [ "$3 $4 $5 $6" = "cyclonedx-gomod bin -json -version" ] && [ "$7" = v1.2.3 ] && [ -s "${10}" ] && echo '{}' >"$9" ;;
esac`)
	make := func() string {
		checkout := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(checkout, "host"), 0o755))
		for from, to := range map[string]string{"archives.sh": "host/archives.sh", "../LICENSE": "LICENSE"} {
			data, err := os.ReadFile(from)
			require.NoError(t, err)
			require.NoError(t, executable.Write(filepath.Join(checkout, to), string(data)))
		}
		cmd := exec.CommandContext(t.Context(), "sh", filepath.Join(checkout, "host", "archives.sh"), "1.2.3", "abc1234", "2026-11-25T20:00:00+00:00")
		cmd.Env = []string{"PATH=" + tools, "TMPDIR=" + t.TempDir()}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return filepath.Join(checkout, "dist")
	}
	dist, again := make(), make()
	names := []string{"checksums.txt", "l4-canary.cdx.json"}
	files := map[string][]byte{}
	for _, name := range []string{"linux_amd64", "linux_arm64"} {
		archive := "l4-canary_v1.2.3_" + name + ".tar.gz"
		names = append(names, archive)
		data, err := os.ReadFile(filepath.Join(dist, archive))
		require.NoError(t, err)
		files["/v1.2.3/"+archive] = data
		other, err := os.ReadFile(filepath.Join(again, archive))
		require.NoError(t, err)
		require.Equal(t, sha256.Sum256(data), sha256.Sum256(other), archive)
	}
	entries, err := os.ReadDir(dist)
	require.NoError(t, err)
	var made []string
	for _, entry := range entries {
		made = append(made, entry.Name())
	}
	require.ElementsMatch(t, names, made)

	sums, err := os.ReadFile(filepath.Join(dist, "checksums.txt"))
	require.NoError(t, err)
	r := newRunner(t, string(sums))
	url, _ := shop(t, files)
	r.env = []string{"CANARY_RELEASES=" + url}
	first := r.run(t, 0)
	require.Zero(t, first.status)
	require.NotNil(t, first.said, "the program that was packed is the one that runs")
	require.Equal(t, []string{platform()}, first.said.Arguments)
	require.Equal(t, first.pid, first.said.PID)
}
