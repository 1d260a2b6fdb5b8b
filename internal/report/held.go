package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// heldDocument is what became of the flows that were held open.
type heldDocument struct {
	Asked        int                 `json:"asked"`
	Open         int                 `json:"open"`
	DrainSeconds *float64            `json:"drainSeconds"`
	Ports        []heldPortDocument  `json:"ports"`
	Stages       []heldStageDocument `json:"stages"`
	Ends         []heldEndDocument   `json:"ends"`
}

type heldPortDocument struct {
	Port    string  `json:"port"`
	Asked   int     `json:"asked"`
	Open    int     `json:"open"`
	Watched int     `json:"watched"`
	Named   int     `json:"named"`
	Failure *string `json:"failure"`
}

type heldStageDocument struct {
	Stage    string `json:"stage"`
	Open     int    `json:"open"`
	Outlived int    `json:"outlived"`
	Cut      int    `json:"cut"`
	Left     int    `json:"left"`
}

// heldEndDocument are flows that ended alike.
type heldEndDocument struct {
	Stage        string        `json:"stage"`
	Port         string        `json:"port"`
	Version      probe.Version `json:"version"`
	Pod          *string       `json:"pod"`
	How          probe.Ending  `json:"how"`
	Cut          bool          `json:"cut"`
	Flows        int           `json:"flows"`
	AfterSeconds *float64      `json:"afterSeconds"`
}

func newHeld(h *rollout.HeldRecord) *heldDocument {
	if h == nil {
		return nil
	}
	return &heldDocument{
		Asked: h.Asked, Open: h.Open, DrainSeconds: figure(h.Drain.Seconds(), thousandth),
		Ports: each(h.Ports, func(p rollout.HeldPort) heldPortDocument {
			return heldPortDocument{p.Port, p.Asked, p.Open, p.Watched, p.Named, optional(p.Failure)}
		}),
		Stages: each(h.Stages, func(s rollout.HeldStage) heldStageDocument { return heldStageDocument(s) }),
		Ends: each(h.Ends, func(e rollout.HeldEnd) heldEndDocument {
			d := heldEndDocument{Stage: e.Stage, Port: e.Port, Version: e.Version, Pod: optional(e.Pod), How: e.How, Cut: e.Cut, Flows: e.Flows}
			if e.After != nil {
				d.AfterSeconds = figure(e.After.Seconds(), thousandth)
			}
			return d
		}),
	}
}

func (d *heldDocument) record() *rollout.HeldRecord {
	if d == nil {
		return nil
	}
	return &rollout.HeldRecord{
		Asked: d.Asked, Open: d.Open, Drain: duration(d.DrainSeconds, time.Second),
		Ports: each(d.Ports, func(p heldPortDocument) rollout.HeldPort {
			return rollout.HeldPort{Port: p.Port, Asked: p.Asked, Open: p.Open, Watched: p.Watched, Named: p.Named, Failure: value(p.Failure)}
		}),
		Stages: each(d.Stages, func(s heldStageDocument) rollout.HeldStage { return rollout.HeldStage(s) }),
		Ends: each(d.Ends, func(e heldEndDocument) rollout.HeldEnd {
			end := rollout.HeldEnd{Stage: e.Stage, Port: e.Port, Version: e.Version, Pod: value(e.Pod), How: e.How, Cut: e.Cut, Flows: e.Flows}
			if e.AfterSeconds != nil {
				after := duration(e.AfterSeconds, time.Second)
				end.After = &after
			}
			return end
		}),
	}
}

// held are the flows that were held open: one sentence, a row a stage, and how they
// ended.
func (p page) held() string {
	h := p.Held
	if h == nil {
		return ""
	}
	t := newTable("Stage:", "Open at begin:", "Ended after drain:", "Cut:", "Open at end:")
	for _, s := range h.Stages {
		t.row(stageName(rollout.StageRecord{Name: s.Stage}), count(s.Open), count(s.Outlived), emphasis(s.Cut), count(s.Left))
	}
	parts := []string{p.heldSentence(), t.String()}
	if ends := heldEnds(h.Ends); ends != "" {
		parts = append(parts, ends)
	}
	return details("Held flows", strings.Join(append(parts, p.heldNotes()), "\n\n"))
}

// emphasis is a count that should be 0.
func emphasis(n int) string {
	if n == 0 {
		return "0"
	}
	return "**" + count(n) + "**"
}

// heldTotals are the ends of all stages, and what was left after the last.
func (p page) heldTotals() (outlived, cut, left int) {
	left = p.Held.Open
	for _, s := range p.Held.Stages {
		outlived, cut, left = outlived+s.Outlived, cut+s.Cut, s.Left
	}
	return outlived, cut, left
}

// heldSentence is what became of them all.
func (p page) heldSentence() string {
	outlived, cut, left := p.heldTotals()
	open := "are open"
	if p.Outcome != "" {
		open = "were open at the end"
	}
	return fmt.Sprintf("%s held open: %s cut, %s ended after the drain of their pods (%s), %s %s.",
		plural(p.Held.Open, "flow"), emphasis(cut), count(outlived), timing(p.Held.Drain), count(left), open)
}

// heldEnds has a row for every pod and way to end.
func heldEnds(ends []rollout.HeldEnd) string {
	t := newTable("Stage:", "Port", "Pod", "Flows:", "Ended", "After it began to leave:", "Counts as")
	for i, e := range ends {
		if i == mostRows {
			break
		}
		pod, after, fate := side(e.Version), "did not leave", "outlived"
		if e.Pod != "" {
			pod = codeUpTo(e.Pod, 80) + " " + pod
		}
		if e.After != nil {
			after = timing(*e.After)
		}
		if e.Cut {
			fate = "**cut**"
		}
		t.row(stageName(rollout.StageRecord{Name: e.Stage}), portName(e.Port), pod, count(e.Flows), ending(e.How), after, fate)
	}
	if len(ends) == 0 {
		return ""
	}
	return t.String() + more(len(ends)-mostRows, "row")
}

// ending is how flows ended, in a word or two.
func ending(how probe.Ending) string {
	switch how {
	case probe.EndClosed, probe.EndReset:
		return string(how)
	case probe.EndTimeout:
		return "no answer"
	case probe.EndMoved:
		return "another pod answered"
	}
	return codeUpTo(string(how), 40)
}

// heldNotes say what a figure means, and what could not be seen.
func (p page) heldNotes() string {
	notes := []string{"Cut: ended sooner than `drain` after its pod began to leave, or while its pod did not leave."}
	for _, port := range p.Held.Ports {
		name := portName(port.Port)
		if n := port.Asked - port.Open; n > 0 {
			notes = append(notes, fmt.Sprintf("%s to %s could not be opened: %s.", plural(n, "flow"), name, codeUpTo(port.Failure, 200)))
		}
		if port.Watched > 0 {
			notes = append(notes, fmt.Sprintf("%s answers no line: %s only watched for the end.", name, were(port.Watched)))
		}
		if n := port.Open - port.Named; n > 0 {
			notes = append(notes, fmt.Sprintf("Answers of %s name no pod (the patterns have no group `pod`): %s matched by version.", name, were(n)))
			if strings.HasSuffix(port.Port, "/UDP") {
				notes = append(notes, "A session that moved to another pod of its version was not seen.")
			}
		}
	}
	return "<sub>" + strings.Join(notes, " ") + "</sub>"
}

// were is so many flows and the verb.
func were(n int) string {
	if n == 1 {
		return "1 flow was"
	}
	return plural(n, "flow") + " were"
}
