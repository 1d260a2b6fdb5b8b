//go:build linux

package main

import (
	"fmt"

	"github.com/org/l4-canary/test/page"
)

// target is what a figure should be on two cores that have nothing else to do.
type target struct {
	kind   kind
	what   string
	limit  float64
	most   bool // the limit is the most that it may be; else the least
	format func(float64) string
	figure func(b bench, m measured) float64
}

// aims are all targets.
func aims() []target {
	factor := func(x float64) string { return fmt.Sprintf("%.2f ×", x) }
	number := func(x float64) string { return fmt.Sprintf("%.1f", x) }
	return []target{
		{kind: greeting, what: "TCP samples a second, 16 workers", limit: 5000, format: thousands,
			figure: func(b bench, m measured) float64 { return m.speed() }},
		{kind: datagram, what: "UDP samples a second, 16 workers", limit: 12000, format: thousands,
			figure: func(b bench, m measured) float64 { return m.speed() }},
		{kind: greeting, what: "CPU of a TCP sample, 16 workers, µs", limit: 150, most: true, format: thousands,
			figure: func(b bench, m measured) float64 { return float64(m.cost().Microseconds()) }},
		{kind: greeting, what: "allocations of a TCP sample", limit: 30, most: true, format: number,
			figure: func(b bench, m measured) float64 { return m.median(allocations) }},
		{kind: request, what: "HTTP, 16 workers, the faster of wrk and ab", limit: 0.8, format: factor,
			figure: func(b bench, m measured) float64 { return middle(b.against(m, "wrk", "ab")) }},
		{kind: request, what: "HTTP, 16 workers, fortio", limit: 1, format: factor,
			figure: func(b bench, m measured) float64 { return middle(b.against(m, "fortio")) }},
	}
}

// of is the sampler's turn with sixteen workers.
func (b bench) of(k kind) (measured, bool) {
	for _, m := range b.turns {
		if m.tool == nil && m.kind == k && m.workers == 16 {
			return m, true
		}
	}
	return measured{}, false
}

// targets holds the figures against what they should be.
func (b bench) targets(t *page.Table) {
	t.Head(1, "target", "wanted", "measured", "met")
	for _, a := range aims() {
		m, played := b.of(a.kind)
		if !played { // as -only said
			continue
		}
		wanted, got, met := "at least "+a.format(a.limit), a.figure(b, m), "no"
		if a.most {
			wanted = "at most " + a.format(a.limit)
		}
		if got >= a.limit && !a.most || got <= a.limit && a.most {
			met = "yes"
		}
		t.Row(a.what, wanted, a.format(got), met)
	}
}
