package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/ci"
	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/rollout"
)

// TestJournalWritesVerdictsAtOnce: a run that is killed in the pause after a stage shows
// how the stage ended, however short before that it was saved.
func TestJournalWritesVerdictsAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "report.json")
	j := &journal{
		platform: ci.New(ci.Options{Getenv: func(string) string { return "" }, Stdout: io.Discard}),
		options:  config.Faces{ReportJSON: path}, path: func(name string) string { return name },
	}
	record := &rollout.Record{Stages: []rollout.StageRecord{{Name: "50"}}}
	written := func() string {
		j.Save(record)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(data)
	}
	require.NotContains(t, written(), "pass")
	record.Message = "still sampling"
	require.NotContains(t, written(), record.Message, "not more often than once a second")
	record.Stages[0].Verdict = rollout.Pass
	require.Contains(t, written(), `"verdict": "pass"`)
}
