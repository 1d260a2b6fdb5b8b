package report

import (
	"fmt"
	"strings"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// reasonWords say what a reason code means.
var reasonWords = map[rollout.Reason]string{
	rollout.ReasonPass:              "Every gate passed",
	rollout.ReasonFailShare:         "The split is not what the pods should give",
	rollout.ReasonFailErrors:        "Too many new flows failed",
	rollout.ReasonFailCeiling:       "More flows failed than max-error-rate allows",
	rollout.ReasonFailLatency:       "The canary answers too slowly",
	rollout.ReasonFailRestarts:      "Pods of the canary restarted",
	rollout.ReasonFailMetric:        "A query is out of its bounds, or had no data",
	rollout.ReasonInconclusive:      "The samples allowed were too few to decide",
	rollout.ReasonInvalidSticky:     "The balancer keeps one client on one pod, so the split cannot be measured",
	rollout.ReasonInvalidClassifier: "Too many answers could not be told apart",
	rollout.ReasonInvalidOverload:   "The prober could not keep its pace",
	rollout.ReasonInvalidLocal:      "The prober's own machine failed",
	rollout.ReasonImage:             "An image cannot be had",
	rollout.ReasonConfig:            "A container cannot be configured",
	rollout.ReasonCrashLoop:         "A container crashes again and again",
	rollout.ReasonOOM:               "A container ran out of memory",
	rollout.ReasonQuota:             "The namespace's quota is used up",
	rollout.ReasonUnschedulable:     "A pod found no node",
	rollout.ReasonDeadline:          "It took longer than it may",
	rollout.ReasonDrift:             "Someone else changed what this run had written",
	rollout.ReasonBaseline:          "Stable did not pass on its own, before the canary had any part",
	rollout.ReasonCancelled:         "The run was cancelled",
	rollout.ReasonTakenOver:         "Somebody else took the rollout over",
	rollout.ReasonLocked:            "Another rollout of this Service is under way",
	rollout.ReasonSuperseded:        "A newer run of this workflow was here already",
	rollout.ReasonInput:             "The inputs cannot be used",
	rollout.ReasonPreflight:         "The cluster is not ready for this rollout",
	rollout.ReasonUnreachable:       "The cluster cannot be reached",
	rollout.ReasonForbidden:         "The cluster does not allow it",
}

// words says what a reason code means, also an unknown one.
func words(reason rollout.Reason) string {
	if text, ok := reasonWords[reason]; ok {
		return text
	}
	return "The run did not succeed"
}

// alert is the box that says why, in words and code. Outcomes as asked for have
// none.
func (p page) alert() string {
	kind := ""
	switch p.Outcome {
	case rollout.RolledBack, rollout.RollbackFailed, rollout.Aborted, rollout.Refused, rollout.Stopped:
		kind = "CAUTION"
	case rollout.Interrupted:
		kind = "WARNING"
	case rollout.Promoted, rollout.Held, rollout.NothingToDo:
	}
	if kind == "" {
		return ""
	}
	first := fmt.Sprintf("**%s**%s.", words(p.Reason), p.where())
	if p.asked() {
		kind, first = "NOTE", "**Nothing failed**: a rollback was asked for."
	}
	lines := []string{"> [!" + kind + "]", "> " + first}
	for _, sentence := range p.why() {
		lines = append(lines, ">", "> "+sentence)
	}
	return strings.Join(lines, "\n")
}

// where is the code, and on what measurement it rests.
func (p page) where() string {
	parts := []string{}
	if p.Reason != "" {
		parts = append(parts, codeUpTo(string(p.Reason), 40))
	}
	if stage := p.last(); stage != nil && stage.Verdict != rollout.Pass && stage.Verdict != "" {
		parts = append(parts, rests(*stage)...)
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// rests is the measurement that a stage's verdict rests on: its port, and how much it is.
func rests(s rollout.StageRecord) []string {
	if s.Reason == rollout.ReasonFailMetric {
		return failedQueries(s)
	}
	m, took := deciding(s)
	if m.Samples == 0 {
		return nil
	}
	var parts []string
	if m.Port != "" {
		parts = append(parts, code(m.Port))
	}
	after := "after " + plural(m.Samples, "flow")
	if took > 0 {
		after += " in " + timing(took)
	}
	return append(parts, after)
}

// why is the run's own account, and the rollback's.
func (p page) why() []string {
	var sentences []string
	if p.Message != "" {
		sentences = append(sentences, said(p.Message))
	}
	if stage := p.last(); stage != nil && stage.Detail != "" && !strings.Contains(p.Message, stage.Detail) {
		sentences = append(sentences, sentence(stage.Detail))
	}
	if b := p.Rollback; b != nil && b.Err == "" {
		sentences = append(sentences, fmt.Sprintf("The state before the rollout is back%s: %d stable + %d canary pods.", took(b), b.Stable, b.Canary))
	} else if b != nil {
		sentences = append(sentences, fmt.Sprintf("The rollback stopped%s at %d stable + %d canary pods: %s", took(b), b.Stable, b.Canary, prose(b.Err)))
	}
	return sentences
}

// said is what the program said, which is a list where it found several things. Advice stands
// in the line of what it is for.
func said(message string) string {
	const mostFound = 50
	var found []string
	for line := range strings.Lines(strings.TrimSpace(message)) {
		hint, advice := strings.CutPrefix(strings.TrimSpace(line), "hint: ")
		switch {
		case strings.TrimSpace(line) == "":
		case advice && len(found) > 0:
			found[len(found)-1] += " Hint: " + prose(hint) + "." // it may begin with a command
		default:
			found = append(found, sentence(strings.TrimSpace(line)))
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	left := len(found) - mostFound
	return "* " + strings.Join(found[:min(len(found), mostFound)], "\n> * ") + strings.ReplaceAll(more(left, "thing"), "\n", "\n> ")
}

// took is how long a rollback lasted, if that is known.
func took(b *rollout.RollbackRecord) string {
	if b.Took <= 0 {
		return ""
	}
	return " after " + timing(b.Took)
}

// troubles is what pods said of themselves, at most twenty of them. It is never
// folded away: it is why the run failed.
func (p page) troubles() string {
	const most = 20
	if len(p.Troubles) == 0 {
		return ""
	}
	t := newTable("Pod", "Side", "Reason", "In its own words", "Restarts:", "Since:")
	for i, trouble := range p.Troubles {
		if i == most {
			break
		}
		t.row(codeUpTo(trouble.Pod, 80), side(trouble.Side), codeUpTo(string(trouble.Reason), 40), code(trouble.Message), count(trouble.Restarts), p.since(trouble))
	}
	return "**What the pods say**\n\n" + t.String() + more(len(p.Troubles)-most, "pod")
}

// since is how long before the run's end a trouble began.
func (p page) since(t rollout.Trouble) string {
	switch {
	case t.Since.IsZero():
		return none
	case p.FinishedAt.After(t.Since):
		return timing(p.FinishedAt.Sub(t.Since))
	}
	return t.Since.Format("15:04:05")
}

// kept tells of the failing pod that nobody will remove.
func (p page) kept() string {
	if p.KeptPod == "" {
		return ""
	}
	command := fmt.Sprintf("kubectl -n %s delete pod %s", word(p.Namespace), word(p.KeptPod))
	return fmt.Sprintf("**Pod %s was kept** for you to look at. It is out of the Service, and nothing removes it but you: %s", codeUpTo(p.KeptPod, 80), code(command))
}

// side is a version in the words of the table.
func side(v probe.Version) string {
	switch v {
	case probe.Stable:
		return "stable"
	case probe.Canary:
		return "canary"
	case probe.Unknown, probe.None:
	}
	return "unknown"
}
