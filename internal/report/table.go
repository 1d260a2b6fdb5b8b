package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// PlanTable writes a plan as aligned text: the stages with what they are likely to
// take and take at most, and for each how near more or fewer pods would come to it.
func PlanTable(w io.Writer, plan rollout.Plan, forecast rollout.Forecast) error {
	var b strings.Builder
	fmt.Fprintf(&b, "replicas %d, max-surge %d, max-unavailable %d: %d to %d pods at any instant\n\n",
		plan.Replicas, plan.MaxSurge, plan.MaxUnavailable, max(plan.Replicas-plan.MaxUnavailable, 0), plan.Replicas+plan.MaxSurge)
	if len(plan.Stages) > 0 {
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		_, _ = fmt.Fprintln(t, "TARGET\tSTABLE\tCANARY\tPLANNED\tERROR\tPROBES\tAT MOST\tTIME\tAT MOST\t")
		for i, s := range plan.Stages {
			e := forecast.Stages[i]
			_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%d\t%d\t%s\t%s\t\n", s.Target, s.Stable, s.Canary, s.Planned, trim(float64(s.Error), 4),
				e.Probes, e.MaxProbes, rounded(e.Time), rounded(e.MaxTime))
		}
		if err := t.Flush(); err != nil {
			return err
		}
		total := forecast.Total()
		fmt.Fprintf(&b, "\nin all, with the baseline: %d probes in %s, at most %d in %s\n",
			total.Probes, rounded(total.Time), total.MaxProbes, rounded(total.MaxTime))
		b.WriteString("\nhow near a number of pods comes (pods → error in points)\n")
		for _, s := range plan.Stages {
			fmt.Fprintf(&b, "  %s: %s\n", s.Target, frontier(plan, s))
		}
	}
	for _, problem := range plan.Problems {
		fmt.Fprintf(&b, "problem: %s\n", problem)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// rounded is a duration without fractions of a second.
func rounded(d time.Duration) string { return d.Round(time.Second).String() }

// frontier goes to twice the pods that the plan allows, twenty at least, so that
// a reader sees what more of them would give.
func frontier(plan rollout.Plan, s rollout.PlannedStage) string {
	if s.Target >= 100 {
		return "exact with any"
	}
	var points []string
	for _, best := range rollout.Frontier(s.Target, max(20, 2*(plan.Replicas+plan.MaxSurge))) {
		points = append(points, fmt.Sprintf("%d → %s", best.Stable+best.Canary, trim(float64(best.Error), 1)))
	}
	return strings.Join(points, ", ")
}

// SampleTable writes a measurement of one port as aligned text.
func SampleTable(w io.Writer, m rollout.Measurement) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(name, value string) { _, _ = fmt.Fprintf(t, "%s\t%s\n", name, value) }
	if m.Verdict != "" {
		line("verdict", fmt.Sprintf("%s (%s)", m.Verdict, m.Reason))
	}
	line("observed", observedText(m))
	if m.Expected != nil {
		line("expected", fmt.Sprintf("%s (would pass: %s to %s)", m.Expected, rollout.Percent(100*m.Band.Lo), rollout.Percent(100*m.Band.Hi)))
	}
	line("samples", fmt.Sprintf("%d: %d stable, %d canary, %d unknown, %d failed", m.Samples, m.Stable, m.Canary, m.Unknown, failed(m)))
	line("errors", errorsText(m))
	line("not sent", fmt.Sprint(m.NotSent))
	for _, version := range [...]probe.Version{probe.Stable, probe.Canary, probe.Unknown} {
		if l, ok := m.Latency[version]; ok && l != (rollout.Latency{}) {
			line("latency "+string(version), fmt.Sprintf("p50 %s ms, p95 %s ms, p99 %s ms", millis(l.P50), millis(l.P95), millis(l.P99)))
		}
	}
	if e := m.Evidence; e != nil {
		line("order", fmt.Sprintf("runs z %s, scatter φ %s", decimal(e.Sequence.Z, 1), decimal(e.Sequence.Phi, 2)))
		for _, warning := range e.Warnings {
			line("odd", clean(warning))
		}
	}
	line("rate", trim(m.Rate, 1)+"/s")
	line("seed", fmt.Sprint(m.Seed))
	if len(m.Addresses) > 1 {
		for _, a := range m.Addresses {
			line(clean(a.Address), fmt.Sprintf("%d stable, %d canary, %d unknown, %d failed", a.Stable, a.Canary, a.Unknown, a.Failed))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// observedText is the share of the canary with both intervals.
func observedText(m rollout.Measurement) string {
	if m.Observed == nil {
		return "nothing: no answer could be told apart"
	}
	return fmt.Sprintf("%s %% canary, always valid %s to %s %%, Wilson %s to %s %%", weight(*m.Observed),
		weight(rollout.Percent(100*m.Interval.Lo)), weight(rollout.Percent(100*m.Interval.Hi)),
		weight(rollout.Percent(100*m.Wilson.Lo)), weight(rollout.Percent(100*m.Wilson.Hi)))
}

// errorsText counts all five classes.
func errorsText(m rollout.Measurement) string {
	parts := make([]string, 0, 5)
	for _, class := range append(classes[:], probe.Local) {
		parts = append(parts, fmt.Sprintf("%d %s", m.Errors[class], class))
	}
	return strings.Join(parts, ", ")
}
