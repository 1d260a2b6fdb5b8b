package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/ci"
	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/rollout"
)

// TestVerdictIsWritten: the report on disk has it before the pause begins, and a stage
// as soon as it begins, however short a while ago it was written.
func TestVerdictIsWritten(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	name, cases := filepath.Join(t.TempDir(), "report.json"), filepath.Join(t.TempDir(), "report.xml")
	j := &journal{
		platform: ci.New(ci.Options{Getenv: func(string) string { return "" }, Stdout: &out}), log: slog.New(slog.DiscardHandler),
		options: config.Faces{ReportJSON: name, ReportJUnit: cases}, path: func(name string) string { return name },
	}
	written := func() string {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		return string(data)
	}
	record := &rollout.Record{Stages: []rollout.StageRecord{{Name: "50"}}}
	j.Save(record)
	require.NotContains(t, written(), `"verdict": "pass"`)
	record.Stages[0].Verdict, record.Stages[0].Reason = rollout.Pass, rollout.ReasonPass
	j.Save(record)
	require.Contains(t, written(), `"verdict": "pass"`)
	record.Stages = append(record.Stages, rollout.StageRecord{Name: "100"})
	j.Save(record)
	require.Contains(t, written(), `"name": "100"`)
	data, err := os.ReadFile(cases)
	require.NoError(t, err)
	require.Contains(t, string(data), `<testcase name="100 %"`, "all of them are of the same moment")
}
