package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/l4-canary/internal/rollout"
)

// mostRows is how many rows a folded table has at most.
const mostRows = 200

// measurements are the figures of every port at every stage, and of every
// address where there are several.
func (p page) measurements() string {
	ports := newTable("Stage:", "Port", "Expected:", "Would pass:", "Observed:", "Interval:", "Stable:", "Canary:", "Unknown:", "Lost", "Not sent:", "Rate:", "Verdict")
	addresses := newTable("Stage:", "Port", "Address", "Stable:", "Canary:", "Unknown:", "Lost:", "Observed:")
	rows, seen := 0, 0
	for _, stage := range p.Stages {
		for _, m := range stage.Ports {
			if rows++; rows > mostRows {
				continue
			}
			ports.row(portRow(stage, m)...)
			if len(m.Addresses) < 2 {
				continue
			}
			for _, a := range m.Addresses {
				if seen++; seen <= mostRows {
					addresses.row(addressRow(stage, m, a)...)
				}
			}
		}
	}
	if rows == 0 {
		return ""
	}
	body := ports.String() + more(rows-mostRows, "row")
	if seen > 0 {
		body += "\n\n" + addresses.String() + more(seen-mostRows, "row")
	}
	return details("Per port and address", body+"\n\n"+p.timings())
}

// portRow is what one port told at a stage.
func portRow(s rollout.StageRecord, m rollout.Measurement) []string {
	band, interval, verdict, rate := none, none, none, none
	if m.Expected != nil {
		band = spread(m.Band)
	}
	if m.Observed != nil {
		interval = spread(m.Interval)
	}
	split := optionalShare(m.Observed)
	if m.Unmeasured != "" {
		split = "not measured"
	}
	if m.Verdict != "" {
		verdict = codeUpTo(string(m.Verdict)+" "+string(m.Reason), 60)
	}
	if m.Rate > 0 {
		rate = trim(m.Rate, 1) + "/s"
	}
	return []string{
		stageName(s), portName(m.Port), optionalShare(m.Expected), band, split, interval,
		count(m.Stable), count(m.Canary), count(m.Unknown), failures(m), count(m.NotSent), rate, verdict,
	}
}

// addressRow is the split seen through one address.
func addressRow(s rollout.StageRecord, m rollout.Measurement, a rollout.AddressCount) []string {
	split := none
	if answered := a.Stable + a.Canary; answered > 0 {
		split = share(rollout.Percent(100 * float64(a.Canary) / float64(answered)))
	}
	return []string{
		stageName(s), portName(m.Port), code(a.Address),
		count(a.Stable), count(a.Canary), count(a.Unknown), count(a.Failed), split,
	}
}

// timings are how long every stage took, by what it waited for.
func (p page) timings() string {
	t := newTable("Stage:", "Pods moved in:", "Balancer followed in:", "Sampled for:")
	for _, stage := range p.Stages {
		row := []string{stageName(stage), none, none, none}
		if stage.Move > 0 {
			row[1] = timing(stage.Move)
		}
		if stage.Propagation != nil {
			row[2] = atMost(*stage.Propagation)
		}
		if stage.Sampling > 0 {
			row[3] = timing(stage.Sampling)
		}
		t.row(row...)
	}
	return t.String()
}

// learned is what tells the versions apart where no patterns do.
func (p page) learned() string {
	t, missing := newTable("Port", "By"), false
	for _, l := range p.Learned {
		by := codeUpTo(l.Words, 300)
		if l.Words == "" {
			by, missing = "nothing, so its share is not measured: "+codeUpTo(l.Why, 300), true
		}
		t.row(portName(l.Port), by)
	}
	switch {
	case len(p.Learned) == 0:
		return ""
	case missing: // a reader has to know
		return "**What tells the versions apart**\n\n" + t.String()
	}
	return details("What tells the versions apart", t.String())
}

// pods are those that answered at the last stage where pods named themselves.
func (p page) pods() string {
	for _, stage := range slices.Backward(p.Stages) {
		t, rows := newTable("Port", "Pod", "Side", "Flows:"), 0
		for _, m := range stage.Ports {
			for _, pod := range m.Pods {
				if rows++; rows <= mostRows {
					t.row(portName(m.Port), codeUpTo(pod.Pod, 80), side(pod.Version), count(pod.Flows))
				}
			}
		}
		if rows > 0 {
			return details("Pods that answered at "+stageName(stage), t.String()+more(rows-mostRows, "row"))
		}
	}
	return ""
}

// settings are what the run was asked for, without anything secret.
func (p page) settings() string {
	t := newTable("Setting", "Value")
	row := func(name, value string) {
		if value != "" {
			t.row(name, value)
		}
	}
	row("service", code(p.Namespace+"/"+p.Service))
	row("addresses", codes(p.Addresses))
	row("stable", sideCell(p.Stable))
	row("canary", sideCell(p.Canary))
	row("replicas, max-surge, max-unavailable", fmt.Sprintf("%d, %d, %d", p.Replicas, p.MaxSurge, p.MaxUnavailable))
	if p.Tolerance > 0 {
		row("tolerance", trim(float64(p.Tolerance), 4)+" points")
	}
	if p.Confidence > 0 {
		row("confidence", target(p.Confidence))
	}
	if p.Rate > 0 {
		row("rate", trim(p.Rate, 2)+"/s")
	}
	row("seed of the schedule", fmt.Sprint(p.Seed))
	row("probe-from", optionalCode(p.ProbeFrom))
	row("share-gate", optionalCode(p.ShareGate))
	row("mode", optionalCode(p.Mode))
	row("removal", optionalCode(p.Removal))
	row("release", optionalCode(p.Release))
	if !p.StartedAt.IsZero() {
		row("started", p.StartedAt.Format("2006-01-02 15:04:05")+" UTC")
	}
	if !p.FinishedAt.IsZero() {
		row("finished", p.FinishedAt.Format("2006-01-02 15:04:05")+" UTC")
	}
	return details("Settings", t.String())
}

// optionalCode is a code span, or nothing for nothing.
func optionalCode(text string) string {
	if text == "" {
		return ""
	}
	return code(text)
}

// sideCell is a Deployment, its pods and its images in full.
func sideCell(s rollout.Side) string {
	if s.Deployment == "" {
		return ""
	}
	text := fmt.Sprintf("%s, %d of %d ready", code(s.Deployment), s.Ready, s.Replicas)
	if images := codes(s.Images); images != "" {
		text += ", " + images
	}
	return text
}

// notices are what a reader should know, in the order it came up.
func (p page) notices() string {
	if len(p.Notices) == 0 {
		return ""
	}
	var lines []string
	for i, notice := range p.Notices {
		if i == mostRows {
			break
		}
		lines = append(lines, "* "+code(notice))
	}
	return details(plural(len(p.Notices), "notice"), strings.Join(lines, "\n")+more(len(p.Notices)-mostRows, "notice"))
}

// rescue is what a person must do now, and is never folded away.
func (p page) rescue() string {
	if p.Outcome != rollout.RollbackFailed && (p.Outcome != rollout.Stopped || p.takenOver()) {
		return ""
	}
	return "**To bring back the state before the rollout**\n\n" + p.commands()
}

// byHand is how to undo a run that left something to undo.
func (p page) byHand() string {
	switch p.Outcome {
	case rollout.Promoted, rollout.Held, rollout.Interrupted, "":
		return details("Roll back by hand", p.commands())
	case rollout.RolledBack, rollout.RollbackFailed, rollout.Aborted, rollout.Refused, rollout.NothingToDo, rollout.Stopped:
	}
	return ""
}

// commands put stable back before they take the canary away. Pods of a single
// Deployment have more to go back than counts.
func (p page) commands() string {
	if p.Stable.Deployment == "" || p.Canary.Deployment == "" {
		return ""
	}
	namespace, old, canary := word(p.Namespace), word(p.Stable.Deployment), word(p.Canary.Deployment)
	command := fmt.Sprintf("l4-canary rollback --namespace %s --service %s", namespace, word(p.Service))
	if p.Mode == string(rollout.Single) {
		return "```sh\n" + command + "\n```"
	}
	lines := []string{
		"```sh", command,
		"# or, without l4-canary:",
		fmt.Sprintf("kubectl -n %s scale deployment/%s --replicas=%d", namespace, old, p.Replicas),
		fmt.Sprintf("kubectl -n %s rollout status deployment/%s", namespace, old),
		fmt.Sprintf("kubectl -n %s scale deployment/%s --replicas=0", namespace, canary),
	}
	for _, scaler := range p.Paused { // its annotation is the patch that ends the pause
		lines = append(lines, fmt.Sprintf(
			`kubectl -n %[1]s patch hpa/%[2]s --type merge -p "$(kubectl -n %[1]s get hpa/%[2]s -o jsonpath='{.metadata.annotations.l4-canary\.io/paused}')"`,
			namespace, word(scaler)))
	}
	return strings.Join(append(lines, "```"), "\n")
}
