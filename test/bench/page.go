//go:build linux

package main

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/org/l4-canary/test/page"
)

// measuredMark names the marks of the tables in the page.
const measuredMark = "measured"

// tables are the whole result.
func (b bench) tables() string {
	var t page.Table
	_, _ = fmt.Fprintf(&t, "%d cores, %s; %s. Medians of %d rounds, %d s a run.\n\n",
		runtime.NumCPU(), runtime.Version(), strings.Join(b.programs, ", "), b.rounds, b.seconds)
	b.speeds(&t)
	t.WriteString("\n")
	b.others(&t)
	t.WriteString("\n")
	b.paces(&t)
	t.WriteString("\n")
	b.targets(&t)
	return t.String()
}

// speeds are what the sampler does.
func (b bench) speeds(t *page.Table) {
	t.Head(1, "flow", "workers", "samples/s", "× the faster of wrk and ab", "× fortio", "CPU a sample", "allocations a sample", "samples", "lost")
	for _, m := range b.turns {
		if m.tool != nil || m.rate > 0 {
			continue
		}
		faster, fortio := "–", "–"
		if m.kind == request {
			faster = spread(b.against(m, "wrk", "ab"))
			fortio = spread(b.against(m, "fortio"))
		}
		t.Row(string(m.kind), fmt.Sprint(m.workers), thousands(m.speed()), faster, fortio,
			micros(m.cost()), fmt.Sprintf("%.1f", m.median(allocations)), thousands(float64(m.samples())), "0") // else there is no table
	}
}

// others are what the sampler is held against.
func (b bench) others(t *page.Table) {
	t.Head(1, "over HTTP", "workers", "requests/s", "CPU a request", "requests")
	for _, m := range b.turns {
		if m.kind != request {
			continue
		}
		name := "l4-canary"
		if m.tool != nil {
			name = m.tool.name
		}
		t.Row(name, fmt.Sprint(m.workers), thousands(m.speed()), micros(m.cost()), thousands(float64(m.samples())))
	}
}

// paces are how well the schedule is kept.
func (b bench) paces(t *page.Table) {
	t.Head(0, "scheduled a second", "p99 of the lateness", "slowest round", "CPU a sample", "samples", "left out", "lost")
	for _, m := range b.turns {
		if m.rate == 0 {
			continue
		}
		slowest := slices.MaxFunc(m.rounds, func(a, b figures) int { return cmp.Compare(a.lateness, b.lateness) }).lateness
		t.Row(thousands(m.rate), micros(m.lateness()), micros(slowest), micros(m.cost()), thousands(float64(m.samples())),
			thousands(float64(m.leftOut())), "0")
	}
}

// against is how many times as fast a turn was as the fastest of these, round by round,
// in ascending order.
func (b bench) against(m measured, names ...string) []float64 {
	var ratios []float64
	for round, f := range m.rounds {
		fastest := 0.0
		for _, other := range b.turns {
			if other.tool != nil && other.workers == m.workers && slices.Contains(names, other.tool.name) {
				fastest = max(fastest, other.rounds[round].rate)
			}
		}
		ratios = append(ratios, f.rate/fastest)
	}
	slices.Sort(ratios)
	return ratios
}

func allocations(f figures) float64 { return f.allocs }

func (m measured) speed() float64 { return m.median(func(f figures) float64 { return f.rate }) }

// cost is CPU a sample.
func (m measured) cost() time.Duration {
	return time.Duration(m.median(func(f figures) float64 { return float64(f.cpu) }))
}

func (m measured) lateness() time.Duration {
	return time.Duration(m.median(func(f figures) float64 { return float64(f.lateness) }))
}

// samples of all rounds.
func (m measured) samples() int {
	n := 0
	for _, f := range m.rounds {
		n += f.samples
	}
	return n
}

// leftOut of all rounds.
func (m measured) leftOut() int {
	n := 0
	for _, f := range m.rounds {
		n += f.leftOut
	}
	return n
}

// middle is the median of an odd number of sorted values.
func middle(sorted []float64) float64 { return sorted[len(sorted)/2] }

// spread is the median with the least and the greatest.
func spread(sorted []float64) string {
	return fmt.Sprintf("%.2f (%.2f to %.2f)", middle(sorted), sorted[0], sorted[len(sorted)-1])
}

// micros is a time in microseconds.
func micros(d time.Duration) string {
	us := float64(d) / float64(time.Microsecond)
	if us < 10 {
		return fmt.Sprintf("%.1f µs", us)
	}
	return thousands(us) + " µs"
}

// thousands is a whole number.
func thousands(x float64) string { return page.Thousands(int(math.Round(x))) }
