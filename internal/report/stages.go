package report

import (
	"fmt"
	"strings"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// enough is how many answers a version must have given for its p99 to be shown:
// with fewer it is their maximum by another name.
const enough = 100

// table has a row a stage, and one for those that were not reached. Its first three columns
// are what a telephone shows: how the stage ended, its pods, and both shares.
func (p page) table() string {
	if len(p.Stages) == 0 {
		return ""
	}
	t := newTable("Stage", ":Pods<br>planned:", "Observed<br>"+p.confidence(), "Flows:", "Errors",
		whole("p50 / p99 ms")+"<br>stable<br>canary:", "Propa-<br>gation:")
	for _, stage := range p.Stages {
		t.row(p.row(stage)...)
	}
	if len(p.NotReached) > 0 {
		t.row("⬜"+space+targets(p.NotReached), "", p.notReached(), "", "", "", "")
	}
	return t.String() + p.legend()
}

// whole is a text that no line breaks.
func whole(text string) string { return strings.ReplaceAll(text, " ", space) }

// row is a stage.
func (p page) row(s rollout.StageRecord) []string {
	propagation := none
	if s.Propagation != nil {
		propagation = atMost(*s.Propagation)
	}
	flows := none
	if s.Samples > 0 {
		flows = count(s.Samples)
		if p.severalPorts() && p.onlyPort() == "" {
			flows += "<br>" + portName(s.Port)
		}
	}
	return []string{
		p.verdict(s), fmt.Sprintf("%d%s+%s%d<br>%s", s.PlannedStage.Stable, space, space, s.PlannedStage.Canary, share(s.Planned)),
		shares(s.Measurement), flows, failures(s.Measurement), latencies(s.Measurement), propagation,
	}
}

// confidence names the interval.
func (p page) confidence() string {
	if p.Confidence <= 0 {
		return "interval"
	}
	return target(p.Confidence) + space + "interval"
}

// verdict is the icon and the name of a stage, and the word for how it ended.
func (p page) verdict(s rollout.StageRecord) string {
	icon, word := "⏹️", whole("not judged")
	switch s.Verdict {
	case rollout.Pass:
		icon, word = "✅", "pass"
	case rollout.Fail:
		icon, word = "❌", "**fail**"
	case rollout.Inconclusive:
		icon, word = "⚠️", "**inconclusive**"
	case rollout.Invalid:
		icon, word = "⚠️", "**invalid**"
	default:
		if p.Outcome == "" {
			icon, word = "⏳", "running"
		}
	}
	return icon + space + stageName(s) + "<br>" + word
}

// notReached says why the rest of the plan has no figures.
func (p page) notReached() string {
	if p.Outcome == "" {
		return "to come"
	}
	if p.Outcome == rollout.Held {
		return "not asked for"
	}
	return "not reached"
}

// targets are the weights of several stages.
func targets(weights []rollout.Percent) string {
	names := make([]string, 0, len(weights))
	for _, w := range weights {
		names = append(names, target(w))
	}
	return strings.Join(names, ", ")
}

// optionalShare is a weight that may be unknown.
func optionalShare(p *rollout.Percent) string {
	if p == nil {
		return none
	}
	return share(*p)
}

// shares are the observed one, with the interval that the verdict rests on, above the
// expected one.
func shares(m rollout.Measurement) string {
	if m.Observed == nil && m.Unmeasured != "" {
		return whole("not measured")
	}
	if m.Observed == nil && m.Expected == nil {
		return none
	}
	text := none
	if m.Observed != nil {
		text = "**" + share(*m.Observed) + "**"
		if m.Interval.Hi > m.Interval.Lo {
			text += space + space + spread(m.Interval)
		}
	}
	if m.Expected != nil {
		text += "<br>" + share(*m.Expected) + space + "expected"
	}
	return text
}

// classes are the ways the service fails a flow, in the order of the report.
var classes = [...]probe.Class{probe.Refused, probe.Reset, probe.Timeout, probe.Faulty}

// failures are the lost flows by the way they were lost.
func failures(m rollout.Measurement) string {
	if m.Samples == 0 {
		return none
	}
	var parts []string
	for _, class := range classes {
		if n := m.Errors[class]; n > 0 {
			parts = append(parts, "**"+count(n)+"**"+space+string(class))
		}
	}
	if len(parts) == 0 {
		return "0"
	}
	return strings.Join(parts, "<br>")
}

// latencies are stable's above the canary's.
func latencies(m rollout.Measurement) string {
	var lines []string
	for _, side := range [...]struct {
		version probe.Version
		answers int
	}{{probe.Stable, m.Stable}, {probe.Canary, m.Canary}} {
		lines = append(lines, quantileCell(m.Latency, side.version, side.answers))
	}
	if lines[0] == none && lines[1] == none {
		return none
	}
	return strings.Join(lines, "<br>")
}

// quantileCell is p50 / p99 of a version.
func quantileCell(latency map[probe.Version]rollout.Latency, version probe.Version, answers int) string {
	l, ok := latency[version]
	if !ok || l == (rollout.Latency{}) {
		return none
	}
	tail := none
	if answers >= enough {
		tail = millis(l.P99)
	}
	return millis(l.P50) + space + "/" + space + tail
}

// legend explains what the table leaves open.
func (p page) legend() string {
	notes := []string{"Pods are stable + canary; planned, observed and expected are the canary's share."}
	switch port := p.onlyPort(); {
	case p.severalPorts() && port != "":
		notes = append(notes, "Figures are of "+portName(port)+"; all ports are below.")
	case p.severalPorts():
		notes = append(notes, "Figures are of the port that decided; all ports are below.")
	}
	for _, stage := range p.Stages {
		if few(stage.Measurement, probe.Stable, stage.Measurement.Stable) || few(stage.Measurement, probe.Canary, stage.Measurement.Canary) {
			notes = append(notes, fmt.Sprintf("A p99 needs %d answers of a version.", enough))
			break
		}
	}
	return "\n\n<sub>" + strings.Join(notes, " ") + "</sub>"
}

// onlyPort is the port that every stage's figures are of, empty if they are of several.
func (p page) onlyPort() string {
	port := ""
	for _, stage := range p.Stages {
		if stage.Samples == 0 {
			continue
		}
		if port != "" && stage.Port != port {
			return ""
		}
		port = stage.Port
	}
	return port
}

// few reports whether a version answered, but too seldom for a p99.
func few(m rollout.Measurement, version probe.Version, answers int) bool {
	return m.Latency[version] != (rollout.Latency{}) && answers < enough
}

// severalPorts reports whether some stage sampled more than one port.
func (p page) severalPorts() bool {
	for _, stage := range p.Stages {
		if len(stage.Ports) > 1 {
			return true
		}
	}
	return false
}

// portName is a port, if there is one.
func portName(port string) string {
	if port == "" {
		return none
	}
	return code(port)
}
