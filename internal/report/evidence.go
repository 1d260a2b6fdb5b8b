package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/stats"
)

// evidence is what the verdicts rest on: the numbers that were compared, and what was odd
// without deciding anything.
func (p page) evidence() string {
	shares, failing, times := p.sharesTable(), p.failuresTable(), p.timesTable()
	if shares == "" {
		return ""
	}
	summary, odd := "What the verdicts rest on", p.odd()
	if odd != "" {
		summary += ", and what was odd"
	}
	var parts []string
	for _, part := range []string{odd, shares, failing, times} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return details(summary, strings.Join(parts, "\n\n"))
}

// witnessed calls do with every port that has evidence, at most as many as a table shows.
func (p page) witnessed(do func(s rollout.StageRecord, m rollout.Measurement, e rollout.Evidence)) {
	rows := 0
	for _, stage := range p.Stages {
		for _, m := range portsOf(stage) {
			if m.Evidence == nil || rows == mostRows {
				continue
			}
			rows++
			do(stage, m, *m.Evidence)
		}
	}
}

// odd lists the warnings, each with the stages and ports that it is of.
func (p page) odd() string {
	var order []string
	at := map[string][]string{}
	p.witnessed(func(s rollout.StageRecord, m rollout.Measurement, e rollout.Evidence) {
		for _, warning := range e.Warnings {
			if len(at[warning]) == 0 {
				order = append(order, warning)
			}
			at[warning] = append(at[warning], stageName(s)+" "+portName(m.Port))
		}
	})
	var lines []string
	for _, warning := range order[:min(len(order), mostRows)] {
		places := at[warning]
		text := strings.Join(places[:min(len(places), 20)], ", ")
		lines = append(lines, fmt.Sprintf("* At %s: %s", text, sentence(warning)))
	}
	return strings.Join(lines, "\n") + more(len(order)-len(lines), "warning")
}

// sharesTable is the share test of every port that has a share: each edge of the band is
// excluded where ln M reaches the threshold.
func (p page) sharesTable() string {
	t, rows := newTable("Stage:", "Port", "Expected from", "Wilson 95 %:", "ln M at the edges:", "needed:", "Planned:", "At most:", "Begun again:", "Scatter φ:", "Runs z:"), 0
	p.witnessed(func(s rollout.StageRecord, m rollout.Measurement, e rollout.Evidence) {
		if m.Unmeasured != "" {
			return
		}
		rows++
		again := count(e.Share.Restarts)
		if e.Share.Moves > 0 {
			again += fmt.Sprintf(" (%d moved)", e.Share.Moves)
		}
		wilson := none
		if m.Observed != nil {
			wilson = spread(m.Wilson)
		}
		t.row(stageName(s), portName(m.Port), model(e), wilson, edges(e.Share), needed(e.Share),
			count(e.Share.Planned), count(e.Share.Budget), again, decimal(e.Sequence.Phi, 2), decimal(e.Sequence.Z, 1)+patternWord(e.Sequence.Pattern))
	})
	if rows == 0 {
		return ""
	}
	return t.String() + "\n\n<sub>A share passes where ln M reaches the need at both edges of what would pass, and fails where it does at the one that it lies beyond. " +
		"φ is 1 for independent choices; z is beyond ±3 where the versions take turns (+) or stick (−).</sub>"
}

// edges are ln M at both edges of what would pass.
func edges(e rollout.ShareEvidence) string {
	if !e.LogLow.Known() && !e.LogHigh.Known() {
		return none
	}
	return decimal(e.LogLow, 2) + ", " + decimal(e.LogHigh, 2)
}

// needed is what they must reach, or how many right answers in a row it takes.
func needed(e rollout.ShareEvidence) string {
	if !e.Threshold.Known() {
		return count(e.Planned) + " in a row"
	}
	return decimal(e.Threshold, 2)
}

// model is what the expected share was worked out from.
func model(e rollout.Evidence) string {
	if e.Model == nil {
		return none
	}
	return prose(shorten(*e.Model, 20))
}

// patternWord says what a z means, if it means anything.
func patternWord(p stats.Pattern) string {
	switch p {
	case stats.Alternating:
		return " round-robin-like"
	case stats.Clustered:
		return " clustered"
	case stats.Independent:
	}
	return ""
}

// failuresTable has the failures of each version since the first flow of a stage.
func (p page) failuresTable() string {
	t, rows := newTable("Stage:", "Port", "Stable failed:", "rate:", "Canary failed:", "rate:", "Would be found:", "Nobody's:", "Allowed:"), 0
	p.witnessed(func(s rollout.StageRecord, m rollout.Measurement, e rollout.Evidence) {
		f := e.Failures
		if f.Failed == 0 && f.Canary.Flows == 0 {
			return
		}
		rows++
		allowed := none
		if f.Ceiling != nil {
			allowed = decimal(*f.Ceiling, 2) + space + "%"
		}
		t.row(stageName(s), portName(m.Port), ofFlows(f.Stable), rates(f.Stable), ofFlows(f.Canary), rates(f.Canary), decimal(f.Detectable, 2),
			count(f.Failed-f.Stable.Failed-f.Canary.Failed), allowed)
	})
	if rows == 0 {
		return ""
	}
	return t.String() + "\n\n<sub>Of flows that are known to be a version's, from the stage's first flow on; rates are always-valid intervals in percent: what lies above them is excluded. " +
		"A canary that failed as often as would be found was found nine times in ten.</sub>"
}

func ofFlows(v rollout.VersionFailures) string { return count(v.Failed) + " of " + count(v.Flows) }

func rates(v rollout.VersionFailures) string {
	if v.Interval == nil {
		return none
	}
	return decimal(v.Interval[0], 2) + none + decimal(v.Interval[1], 2)
}

// timesTable has the quantiles of each version with what they can be.
func (p page) timesTable() string {
	t, rows := newTable("Stage:", "Port", "Version", "Answers:", "p50 ms:", "p95 ms:", "p99 ms:", "Slow:", "Slow above ms:"), 0
	p.witnessed(func(s rollout.StageRecord, m rollout.Measurement, e rollout.Evidence) {
		l := e.Latency
		slow := map[probe.Version]int{probe.Stable: l.Slow - l.CanarySlow, probe.Canary: l.CanarySlow}
		for _, row := range [...]struct {
			version probe.Version
			times   *rollout.VersionQuantile
		}{{probe.Stable, l.Stable}, {probe.Canary, l.Canary}} {
			if row.times == nil {
				continue
			}
			rows++
			limit, late := none, none
			if l.Limit != nil {
				limit, late = decimal(*l.Limit, 1), count(slow[row.version])
			}
			t.row(stageName(s), portName(m.Port), side(row.version), count(row.times.Answers),
				quantile(row.times.P50), quantile(row.times.P95), quantile(row.times.P99), late, limit)
		}
	})
	if rows == 0 {
		return ""
	}
	return t.String() + "\n\n<sub>Service times, each with the 95 % interval between two order statistics. Slow answers are counted from the stage's first flow on.</sub>"
}

// quantile is a value with its interval, or that there are too few.
func quantile(q *rollout.QuantileFigure) string {
	if q == nil {
		return "too few"
	}
	return decimal(q.Value, 2) + " (" + decimal(q.Low, 2) + none + decimal(q.High, 2) + ")"
}

// decimal is a number with so many decimals, if there is one.
func decimal(f rollout.Figure, decimals int) string {
	if !f.Known() {
		return none
	}
	return trim(float64(f), decimals)
}

// after is what was sampled in pauses and in bake.
func (p page) after() string {
	t, rows := newTable("Stage:", "When", "For:", "Port", "Flows:", "Observed:", "Unknown:", "Lost", "p50 / p99 ms<br>stable,<br>canary:", "Verdict"), 0
	for _, stage := range p.Stages {
		if stage.After == nil {
			continue
		}
		for _, m := range stage.After.Ports {
			if rows++; rows > mostRows {
				continue
			}
			verdict := none
			if m.Verdict != "" {
				verdict = codeUpTo(string(m.Verdict)+" "+string(m.Reason), 60)
			}
			t.row(stageName(stage), prose(shorten(stage.After.Name, 20)), timing(stage.After.Took), portName(m.Port), count(m.Samples),
				optionalShare(m.Observed), count(m.Unknown), failures(m), latencies(m), verdict)
		}
	}
	if rows == 0 {
		return ""
	}
	return details(p.afterTitle(), t.String()+more(rows-mostRows, "row"))
}

// afterTitle says when that was.
func (p page) afterTitle() string {
	title := "In pauses and bake, at a tenth of the rate"
	if slices.ContainsFunc(p.Stages, func(s rollout.StageRecord) bool { return s.After != nil && s.After.Name == "queries" }) {
		title = "In pauses and bake, and while queries were waited for, at a tenth of the rate"
	}
	return title
}

// deciding is the measurement that a stage's verdict is of, and how long it took: of the
// port that failed after the stage had passed, or of the one that decided the stage.
func deciding(s rollout.StageRecord) (rollout.Measurement, time.Duration) {
	if s.After != nil {
		if i := slices.IndexFunc(s.After.Ports, func(m rollout.Measurement) bool { return m.Verdict != "" }); i >= 0 {
			return s.After.Ports[i], s.After.Took
		}
	}
	if i := slices.IndexFunc(s.Ports, func(m rollout.Measurement) bool { return m.Port == s.Port }); i >= 0 {
		return s.Ports[i], s.Sampling
	}
	return s.Measurement, s.Sampling
}
