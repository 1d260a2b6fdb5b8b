package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
)

// TestReaches: what cannot be undone stands before the table, if it was applied.
func TestReaches(t *testing.T) {
	t.Parallel()
	const says = "> [!IMPORTANT]\n> * `ConfigMap \"motd\" " + rollout.ReachesStable + ": data.MOTD changes`\n\n"
	for outcome, shown := range map[rollout.Outcome]bool{
		"": true, rollout.Promoted: true, rollout.Held: true, rollout.RolledBack: true, rollout.RollbackFailed: true, rollout.Stopped: true,
		rollout.Interrupted: true, rollout.Refused: false, rollout.Aborted: false, rollout.NothingToDo: false,
	} {
		record := ended(seedPromoted(), outcome, rollout.ReasonPass, 0)
		record.Notices = []string{"`ConfigMap`", `ConfigMap "motd" ` + rollout.ReachesStable + `: data.MOTD changes`}
		var b bytes.Buffer
		require.NoError(t, Markdown(&b, record, "test"))
		require.Equal(t, shown, strings.Contains(b.String(), says), outcome)
		require.Less(t, strings.Index(b.String(), says), strings.Index(b.String(), "| Stage |"), outcome)
	}
}
