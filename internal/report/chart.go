package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/stats"
)

// Colours that stand out on GitHub's light and dark page alike.
const (
	grey  = "#8b949e"
	green = "#2da44e"
	red   = "#e5534b"
	blue  = "#539bf5"
)

// chart shows what decided: the split stage by stage, or the failures, or the
// one stage whose share left its band. Where no figure decided (a crash, an
// image, a cancelled move) there is none: stages that passed would hide why it
// failed. It decorates: every number is in the tables too.
func (p page) chart() string {
	stage := p.last()
	if stage == nil || p.Outcome == rollout.Aborted || p.Outcome == rollout.Refused {
		return ""
	}
	switch {
	case p.Outcome == rollout.RolledBack || p.Outcome == rollout.RollbackFailed, p.Outcome == rollout.Stopped && !p.takenOver():
		return p.reasonChart(*stage)
	}
	return splitChart(p.Stages)
}

// reasonChart shows the figures that turned the canary down, if figures did.
func (p page) reasonChart(stage rollout.StageRecord) string {
	switch p.Reason { //nolint:exhaustive // no other reason is a figure
	case rollout.ReasonFailErrors, rollout.ReasonFailCeiling:
		return failureChart(p.Stages)
	case rollout.ReasonFailLatency:
		return latencyChart(p.Stages)
	case rollout.ReasonFailMetric:
		return queryChart(stage)
	case rollout.ReasonFailShare, rollout.ReasonInconclusive:
		return bandChart(stage)
	}
	return ""
}

// splitChart has bars for what was expected and a line for what was observed.
// One stage alone is no line.
func splitChart(stages []rollout.StageRecord) string {
	var measured []rollout.StageRecord
	var expected, observed []float64
	for _, stage := range stages {
		if stage.Observed == nil || stage.Expected == nil {
			continue
		}
		measured = append(measured, stage)
		expected = append(expected, float64(*stage.Expected))
		observed = append(observed, float64(*stage.Observed))
	}
	if len(measured) < 2 {
		return ""
	}
	return xychart{
		palette: []string{grey, green}, labels: labels(measured), axis: "target, %",
		value: "canary share, %", top: 100,
		series: []series{{"bar", expected}, {"line", observed}},
		note:   "Share of new flows that the canary answered. Bars: expected from the ready endpoints. Line: observed.",
	}.String()
}

// bandChart sets the interval of the stage that failed against what was expected and the
// band it had to lie in: three level lines, and three bars that ought to stand between the
// outer ones.
func bandChart(s rollout.StageRecord) string {
	if s.Observed == nil || s.Expected == nil || s.Band == (stats.Interval{}) {
		return ""
	}
	axis := labels([]rollout.StageRecord{s})[0]
	if !strings.HasPrefix(axis, "stage") {
		axis = "target " + axis + " %"
	}
	lo, hi := 100*s.Band.Lo, 100*s.Band.Hi
	low, high := 100*s.Interval.Lo, 100*s.Interval.Hi
	return xychart{
		palette: []string{red, blue, grey, blue},
		labels:  []string{"at least", "observed", "at most"}, axis: axis,
		value: "canary share, %", top: ceiling(max(hi, high)),
		series: []series{{"bar", []float64{low, float64(*s.Observed), high}}, {"line", level(lo, 3)}, {"line", level(float64(*s.Expected), 3)}, {"line", level(hi, 3)}},
		note: fmt.Sprintf("Share of new flows that the canary answered at %s. Bars: observed, with its interval. Grey line: expected. Between the blue lines, %s%s%%, it would have passed.",
			stageName(s), spread(s.Band), space),
	}.String()
}

// failureChart has a bar a stage for the flows that failed, and a line at the
// level of the first, before anything was changed.
func failureChart(stages []rollout.StageRecord) string {
	var measured []rollout.StageRecord
	var rates []float64
	for _, stage := range stages {
		if m, _ := deciding(stage); m.Samples > 0 {
			measured = append(measured, stage)
			rates = append(rates, 100*float64(failed(m))/float64(m.Samples))
		}
	}
	if len(rates) < 2 || slices.Max(rates) == 0 {
		return ""
	}
	return xychart{
		palette: []string{red, blue}, labels: labels(measured), axis: "target, %",
		value: "failed flows, %", top: ceiling(slices.Max(rates)),
		series: []series{{"bar", rates}, {"line", level(rates[0], len(rates))}},
		note:   "Bars: flows that failed. Line: as many as failed at " + stageName(measured[0]) + ".",
	}.String()
}

// latencyChart has a bar a stage for the canary's slowest answers, at the baseline for
// stable's, and a line from which an answer is slow.
func latencyChart(stages []rollout.StageRecord) string {
	var measured []rollout.StageRecord
	var times []float64
	limit := 0.0
	first := ""
	for _, stage := range stages {
		m, _ := deciding(stage)
		l := m.Latency[probe.Canary]
		if l == (rollout.Latency{}) && len(times) == 0 {
			l, first = m.Latency[probe.Stable], " (at "+stageName(stage)+": of stable)"
		}
		if e := m.Evidence; e != nil && e.Latency.Limit != nil && e.Latency.Limit.Known() {
			limit = float64(*e.Latency.Limit)
		}
		if l.P95 > 0 {
			measured = append(measured, stage)
			times = append(times, float64(l.P95)/float64(time.Millisecond))
		}
	}
	if len(times) < 2 || limit <= 0 {
		return ""
	}
	return xychart{
		palette: []string{red, blue}, labels: labels(measured), axis: "target, %",
		value: "p95, ms", top: roundUp(max(limit, slices.Max(times))),
		series: []series{{"bar", times}, {"line", level(limit, len(times))}},
		note: "Bars: 95 of 100 answers of the canary took no longer" + first + ". " +
			"Above the line, " + trim(limit, 2) + space + "ms, an answer is slow.",
	}.String()
}

// roundUp is a number above v with one digit that counts, for the top of an axis.
func roundUp(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, digits := range [...]float64{1, 2, 5, 10} {
		if v <= 0.95*digits*power {
			return digits * power
		}
	}
	return 20 * power
}

// xychart is a chart of Mermaid's.
type xychart struct {
	palette []string
	labels  []string // unique: the axis merges equal ones
	axis    string
	value   string
	top     float64
	series  []series
	note    string
}

// series is a "bar" or a "line".
type series struct {
	kind   string
	points []float64
}

// String writes xychart-beta, which older GitLab, Gitea and GitHub servers take
// too: https://mermaid.js.org/syntax/xyChart.html
func (c xychart) String() string {
	var b strings.Builder
	b.WriteString("```mermaid\n---\nconfig:\n  xyChart: { height: 260, width: 600 }\n")
	fmt.Fprintf(&b, "  themeVariables: { xyChart: { backgroundColor: transparent, plotColorPalette: %q } }\n---\nxychart-beta\n", strings.Join(c.palette, ", "))
	quoted := make([]string, 0, len(c.labels))
	for _, label := range c.labels {
		quoted = append(quoted, strconv.Quote(label))
	}
	fmt.Fprintf(&b, "  x-axis %q [%s]\n", c.axis, strings.Join(quoted, ", "))
	fmt.Fprintf(&b, "  y-axis %q 0 --> %s\n", c.value, trim(c.top, 2))
	for _, s := range c.series {
		points := make([]string, 0, len(s.points))
		for _, v := range s.points {
			points = append(points, trim(v, 2))
		}
		fmt.Fprintf(&b, "  %s [%s]\n", s.kind, strings.Join(points, ", "))
	}
	return b.String() + "```\n<sub>" + c.note + "</sub>"
}

// labels name stages on the axis, by number or by their place where the name is
// not ours.
func labels(stages []rollout.StageRecord) []string {
	names := make([]string, 0, len(stages))
	for i, stage := range stages {
		name := strings.TrimSuffix(stageName(stage), space+"%")
		if name == "baseline" {
			name = "0"
		}
		if !plainName.MatchString(name) || slices.Contains(names, name) || len(name) > 20 {
			name = "stage " + strconv.Itoa(i+1)
		}
		names = append(names, name)
	}
	return names
}

// level is a line at one height.
func level(v float64, n int) []float64 { return slices.Repeat([]float64{v}, n) }

// ceiling is a round number above v for the top of an axis, at most 100.
func ceiling(v float64) float64 {
	for _, top := range [...]float64{1, 2, 5, 10, 20, 30, 40, 60, 80} {
		if v <= 0.95*top {
			return top
		}
	}
	return 100
}
