package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
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
	r.Message = `service "nginx" is of type ClusterIP
  hint: a rollout needs type LoadBalancer, or input "address"
deployment "old-nginx" has 2 of 3 pods ready
no right to patch deployments/scale in namespace "default"
  hint: docs/preflight.md has the Role`
	return r
}

// TestFindingsAreAList: each thing that was found stands in a line of its own, with its advice,
// and there is an end to them.
func TestFindingsAreAList(t *testing.T) {
	t.Parallel()
	text := string(markdown(t, refused(), "1.0.0"))
	require.Contains(t, text, "> * Service \"nginx\" is of type ClusterIP. Hint: a rollout needs type LoadBalancer, or input \"address\".\n"+
		"> * Deployment \"old-nginx\" has 2 of 3 pods ready.\n> * No right to patch deployments/scale in namespace \"default\". Hint: docs/preflight.md has the Role.\n")
	require.Equal(t, "A stage failed.", said("a stage failed\n"))
	require.Equal(t, "Hint: x.", said("hint: x"), "advice for nothing is a thing like others")
	require.Equal(t, 50, strings.Count(said(strings.Repeat("wrong\n", 60)), "* "))
	require.Contains(t, said(strings.Repeat("wrong\n", 60)), "\n> \n> …and 10 things more.")
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
