package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
)

var update = flag.Bool("update", false, "write the golden files")

// fixtures are the runs that every whole-report test goes through.
func fixtures() map[string]*rollout.Record {
	return map[string]*rollout.Record{
		"promoted":           seedPromoted(),
		"promoted-tcp-udp":   lobbyPromoted(),
		"held":               lobbyHeld(),
		"rolled-back-share":  byShare(),
		"rolled-back-errors": byErrors(),
		"rolled-back-slow":   bySlowness(),
		"rolled-back-pause":  byPause(),
		"rolled-back-query":  byQuery(),
		"rolled-back-silent": bySilence(),
		"rolled-back-crash":  byCrash(),
		"invalid":            bySticking(),
		"long-names":         longNames(),
		"rolled-back-image":  byImage(),
		"rollback-failed":    rollbackFailed(),
		"aborted":            aborted(),
		"interrupted":        interrupted(),
		"stopped":            stopped(),
		"taken-over":         takenOver(),
		"undecided":          undecided(),
		"learned":            byWords(),
		"not-measured":       unmeasured(),
		"running":            running(),
		"starting":           seed(),
		"hostile":            hostile(),
		"twenty-stages":      twentyStages(),
		"refused":            refused(),
		"nothing-to-do":      ended(seed(), rollout.NothingToDo, "", 0),
		"empty":              {},
	}
}

func refused() *rollout.Record {
	r := ended(seed(), rollout.Refused, rollout.ReasonPreflight, 0)
	r.Message = `service "nginx" is of type ClusterIP: a rollout needs type LoadBalancer, or input address`
	return r
}

// golden compares whole files, or writes them with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "go test ./internal/report -update writes it anew")
}

func markdown(t *testing.T, record *rollout.Record, version string) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Markdown(&b, record, version))
	return b.Bytes()
}

func TestMarkdownGolden(t *testing.T) {
	t.Parallel()
	for name, record := range fixtures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name+".md", markdown(t, record, "1.0.0"))
		})
	}
}
