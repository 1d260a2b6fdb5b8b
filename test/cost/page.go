package cost

import (
	"fmt"
	"runtime"
	"time"

	"github.com/org/l4-canary/test/page"
	"github.com/org/l4-canary/test/tally"
)

// Tables are the result in Markdown.
func (r Result) Tables() string {
	var t page.Table
	_, _ = fmt.Fprintf(&t, "%d cores, %s; rounds: %d.\n\n", runtime.NumCPU(), runtime.Version(), len(r.Ours))
	r.times(&t)
	t.WriteString("\nWhere the time goes, medians of the rounds:\n\n")
	r.parts(&t)
	t.WriteString("\nMemory and processor time:\n\n")
	r.resources(&t)
	return t.String()
}

// Tables are the counts in Markdown.
func (c Counts) Tables() string {
	var t page.Table
	t.WriteString("Calls of the API server by l4-canary, part by part:\n\n")
	c.traffic(&t)
	t.WriteString("\nThose of either way by what they do, with the bytes of both directions:\n\n")
	c.kinds(&t)
	return t.String()
}

// times are the ways beside each other, and the goals.
func (r Result) times(t *page.Table) {
	t.Head(1, "", "median", "least", "greatest", "goal", "met")
	row := func(name string, s Spread, format func(float64) string, goal ...string) {
		t.Row(append(append([]string{name}, s.cells(format)...), append(goal, "", "")[:2]...)...)
	}
	times := func(name string, runs []Run, took func(Run) time.Duration) {
		row(name, spreadOver(runs, func(run Run) float64 { return took(run).Seconds() }), secondsOf)
	}
	times("l4-canary", r.Ours, wall)
	times("its lower bound", r.Ours, func(run Run) time.Duration { return r.bound(run).Total() })
	times("by hand, which drains nothing", r.Hand, wall)
	over := r.overBound()
	row("l4-canary ÷ lower bound", over, ratio, fmt.Sprintf("at most %.2f", mostOverBound), yes(over.Median <= mostOverBound))
	over = r.against(slower)
	row("l4-canary ÷ by hand", over, ratio, fmt.Sprintf("less than %.2f", mostOverHand), yes(over.Median < mostOverHand))
	row("l4-canary ÷ by hand, if neither settled nor drained", r.against(func(ours, hand Run) float64 {
		return r.working(ours).Seconds() / r.unsettled(hand).Seconds()
	}), ratio)
}

func yes(met bool) string {
	if met {
		return "yes"
	}
	return "no"
}

// parts are what each part of the program's runs was spent on.
func (r Result) parts(t *page.Table) {
	t.Head(1, "part", "took", "pods start", "sampling", "settling", "pods leave", "beyond the bound", "flows")
	row := func(name string, took func(Run) time.Duration, bound func(Run) Bound, flows func(Run) int) {
		middle := func(figure func(Run) time.Duration) string {
			return secondsOf(spreadOver(r.Ours, func(run Run) float64 { return figure(run).Seconds() }).Median)
		}
		t.Row(
			name, middle(took),
			middle(func(run Run) time.Duration { return bound(run).Starts }),
			middle(func(run Run) time.Duration { return bound(run).Sampling }),
			middle(func(run Run) time.Duration { return bound(run).Settle }),
			middle(func(run Run) time.Duration { return bound(run).Drain }),
			middle(func(run Run) time.Duration { return took(run) - bound(run).Total() }),
			fmt.Sprintf("%.0f", spreadOver(r.Ours, func(run Run) float64 { return float64(flows(run)) }).Median),
		)
	}
	for i, part := range r.Ours[0].Parts {
		row(part.Name, func(run Run) time.Duration { return run.Parts[i].Took() }, func(run Run) Bound { return r.bounds(run)[i] },
			func(run Run) int { return run.Report.stage(part.Name).Flows() })
	}
	row("in all", wall, r.bound, func(run Run) int {
		n := 0
		for _, stage := range run.Report.Stages {
			n += stage.Flows()
		}
		return n
	})
}

// resources are memory and processor time of both ways.
func (r Result) resources(t *page.Table) {
	t.Head(1, "", "memory of the largest process at most", "least", "greatest", "processor time", "least", "greatest")
	for _, way := range []struct {
		name string
		runs []Run
	}{{"l4-canary", r.Ours}, {"by hand", r.Hand}} {
		memory := spreadOver(way.runs, func(run Run) float64 { return float64(run.Memory) })
		cpu := spreadOver(way.runs, func(run Run) float64 { return run.CPU.Seconds() })
		t.Row(append(append([]string{way.name}, memory.cells(mebibytes)...), cpu.cells(secondsOf)...)...)
	}
}

// traffic are the calls of the program, part by part.
func (c Counts) traffic(t *page.Table) {
	t.Head(1, "part", "calls", "reads", "trials", "writes", "watches begun", "sent", "received")
	row := func(name string, sum Traffic) {
		cells := []string{name, fmt.Sprint(sum.Total())}
		for _, sort := range []Sort{Read, Trial, Write, Watch} {
			cells = append(cells, fmt.Sprint(sum.Calls[sort]))
		}
		t.Row(append(cells, kibibytes(sum.Sent), kibibytes(sum.Received))...)
	}
	whole := Traffic{Calls: map[Sort]int{}}
	for _, part := range c.Parts {
		in := TrafficIn(part, c.Ours)
		row(part.Name, in)
		for sort, n := range in.Calls {
			whole.Calls[sort] += n
		}
		whole.Sent, whole.Received = whole.Sent+in.Sent, whole.Received+in.Received
	}
	row("in all", whole)
}

// kinds are the calls of both ways.
func (c Counts) kinds(t *page.Table) {
	t.Head(1, "call", "l4-canary", "bytes", "by hand", "bytes")
	ours, hand := tally.KindsOf(c.Ours), tally.KindsOf(c.Hand)
	row := func(name string, a, b tally.Amount) {
		t.Row(name, fmt.Sprint(a.Calls), kibibytes(a.Bytes), fmt.Sprint(b.Calls), kibibytes(b.Bytes))
	}
	for _, kind := range tally.Names(ours, hand) {
		row(kind, ours[kind], hand[kind])
	}
	row("in all", ours.Sum(), hand.Sum())
}
