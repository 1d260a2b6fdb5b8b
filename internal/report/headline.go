package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// headline is the outcome in one line, with what must not be forgotten.
func (p page) headline() string {
	if len(p.Paused) == 0 {
		return p.end()
	}
	return p.end() + ". Autoscaling of " + codes(p.Paused) + " is paused"
}

// end is how the run ended, or where it stands.
func (p page) end() string {
	service, old, canary := p.place(), image(p.Stable), image(p.Canary)
	if p.first() {
		canary = old
	}
	at := ""
	if stage := p.last(); stage != nil {
		at = " at " + stageName(*stage)
	}
	switch p.Outcome {
	case rollout.Promoted:
		if p.first() {
			return fmt.Sprintf("### ✅ Live: %s serves %s, its first version", service, canary)
		}
		return fmt.Sprintf("### ✅ Promoted: %s → %s", service, canary) + p.because()
	case rollout.Held:
		return fmt.Sprintf("### ⏸️ Held%s: %s serves %s beside %s", at, service, canary, old)
	case rollout.RolledBack:
		if p.asked() {
			return fmt.Sprintf("### ↩️ Rolled back: %s is back on %s, as was asked", service, old)
		}
		return fmt.Sprintf("### ❌ Rolled back%s: %s stays on %s", at, service, old) + p.because()
	case rollout.RollbackFailed:
		return fmt.Sprintf("### 🆘 Rollback failed%s: %s needs a person", at, service) + p.because()
	case rollout.Aborted:
		return fmt.Sprintf("### ⛔ Aborted%s: %s stays on %s", at, service, old) + p.because()
	case rollout.Refused:
		return fmt.Sprintf("### ⛔ Refused: %s was not changed", service) + p.because()
	case rollout.Interrupted:
		return fmt.Sprintf("### ⏹️ Interrupted%s: %s is as the run left it", at, service)
	case rollout.Stopped:
		if !p.takenOver() {
			return fmt.Sprintf("### ⏹️ Stopped%s: %s is as the run left it", at, service) + p.because()
		}
		return fmt.Sprintf("### ⏹️ Stopped%s: %s is somebody else's now", at, service)
	case rollout.NothingToDo:
		return fmt.Sprintf("### ✅ Nothing to do: %s runs %s already", service, canary)
	}
	if p.Outcome != "" {
		return fmt.Sprintf("### ℹ️ %s%s: %s", prose(string(p.Outcome)), at, service)
	}
	if at == "" {
		return fmt.Sprintf("### ⏳ Starting: %s → %s", service, canary)
	}
	return fmt.Sprintf("### ⏳ Running%s: %s → %s", at, service, canary)
}

// first reports whether there is only one side: nothing served before.
func (p page) first() bool { return p.Canary.Deployment == "" && len(p.Canary.Images) == 0 }

// asked reports whether nothing failed: somebody wanted the rollout back.
func (p page) asked() bool { return p.Outcome == rollout.RolledBack && p.Reason == rollout.ReasonPass }

// place names the Service: of long names both ends of both parts stay.
func (p page) place() string {
	const room = 36
	return codeUpTo(shorten(clean(p.Namespace), room)+"/"+shorten(clean(p.Service), room), 2*room+1)
}

// takenOver reports whether somebody else goes on with the rollout.
func (p page) takenOver() bool { return p.Reason == rollout.ReasonTakenOver }

// image names a side in the headline: by its image if it has one, by its
// Deployment otherwise. Long ones lose their registry and most of the digest,
// which the footer has.
func image(s rollout.Side) string {
	const room = 48
	if len(s.Images) != 1 {
		return codeUpTo(s.Deployment, room)
	}
	name, digest, _ := strings.Cut(s.Images[0], "@sha256:")
	if slash := strings.LastIndex(name, "/"); slash >= 0 && len(name) > room {
		name = "…" + name[slash:]
	}
	if digest != "" {
		name += "@" + shorten(digest, 12)
	}
	return codeUpTo(name, room)
}

// last is the stage that the outcome is about: the one that did not pass, or the
// newest. nil before the first.
func (p page) last() *rollout.StageRecord {
	if len(p.Stages) == 0 {
		return nil
	}
	return &p.Stages[len(p.Stages)-1]
}

// facts is one sentence of what was measured, and nothing that was not.
func (p page) facts() string {
	var flows, lost int
	for _, stage := range p.Stages {
		ports := portsOf(stage)
		if stage.After != nil {
			ports = slices.Concat(ports, stage.After.Ports)
		}
		for _, m := range ports {
			flows += m.Samples
			lost += failed(m)
		}
	}
	var sentences []string
	if p.Inside && len(p.Stages) > 0 {
		sentences = append(sentences, "**Measured from inside (kube-proxy only).**")
	}
	if p.ShareGate == "report" && len(p.Stages) > 0 {
		sentences = append(sentences, "Shares decided nothing (`share-gate: report`).")
	}
	if names := p.undecided(); names != "" {
		sentences = append(sentences, "**Undecided: "+names+"**, after as many samples as were allowed; the run went on all the same (`on-inconclusive`).")
	}
	if flows > 0 {
		sentences = append(sentences, fmt.Sprintf("**%s** new flows sampled, **%s** lost.", count(flows), count(lost)))
	}
	if p.Held != nil {
		_, cut, _ := p.heldTotals()
		sentences = append(sentences, fmt.Sprintf("**%s** flows held open, **%s** cut.", count(p.Held.Open), count(cut)))
	}
	if took := p.FinishedAt.Sub(p.StartedAt); !p.StartedAt.IsZero() && took > 0 {
		sentences = append(sentences, "The run took "+timing(took)+".")
	} else if p.FinishedAt.IsZero() && !p.StartedAt.IsZero() {
		sentences = append(sentences, "The run began at "+p.StartedAt.Format("15:04:05")+" UTC.")
	}
	if p.Stable.Replicas+p.Canary.Replicas > 0 && p.Outcome != rollout.Refused {
		sentences = append(sentences, fmt.Sprintf("Now %d stable + %d canary pods.", p.Stable.Replicas, p.Canary.Replicas))
	}
	return strings.Join(sentences, " ")
}

// undecided are the stages whose samples were too few, and from which the run went on.
func (p page) undecided() string {
	well := p.Outcome == rollout.Promoted || p.Outcome == rollout.Held
	var names []string
	for i, stage := range p.Stages {
		if stage.Verdict == rollout.Inconclusive && (well || i < len(p.Stages)-1) {
			names = append(names, stageName(stage))
		}
	}
	return strings.Join(names, ", ")
}

// allPassed reports whether the split was expected and found at every stage of
// a run that went as it should.
func (p page) allPassed() bool {
	if p.ShareGate == "report" {
		return false
	}
	for _, stage := range p.Stages {
		if stage.Verdict != rollout.Pass || stage.Expected == nil || stage.Observed == nil {
			return false
		}
	}
	return len(p.Stages) > 0 && (p.Outcome == rollout.Promoted || p.Outcome == rollout.Held)
}

// failed counts the flows that the service failed.
func failed(m rollout.Measurement) int {
	sum := 0
	for class, n := range m.Errors {
		if class != probe.Local {
			sum += n
		}
	}
	return sum
}
