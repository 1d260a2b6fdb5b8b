package report

import (
	"strings"

	"github.com/org/l4-canary/internal/rollout"
)

// reaches is what took effect on the stable pods the moment it was applied: it stands
// before everything else, for no rollback brings it back. A run that ended before it
// applied anything has none.
func (p page) reaches() string {
	switch p.Outcome {
	case rollout.Refused, rollout.Aborted, rollout.NothingToDo:
		return ""
	case rollout.Promoted, rollout.Held, rollout.RolledBack, rollout.RollbackFailed, rollout.Stopped, rollout.Interrupted:
	}
	lines := []string{"> [!IMPORTANT]"}
	for _, notice := range p.Notices {
		if strings.Contains(notice, rollout.ReachesStable) && len(lines) <= mostRows {
			lines = append(lines, "> * "+code(notice))
		}
	}
	if len(lines) == 1 {
		return ""
	}
	return strings.Join(lines, "\n")
}
