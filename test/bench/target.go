//go:build linux

package main

import (
	"fmt"

	"github.com/org/l4-canary/test/page"
)

// target is what a figure should be on two cores that have nothing else to do.
type target struct {
	kind    kind
	workers int
	what    string
	limit   float64
	most    bool // the limit is the most that it may be; else the least
	format  func(float64) string
	figure  func(b bench, m measured) float64
}

// aims are all targets.
func aims() []target {
	factor := func(x float64) string { return fmt.Sprintf("%.2f ×", x) }
	number := func(x float64) string { return fmt.Sprintf("%.1f", x) }
	speed := func(_ bench, m measured) float64 { return m.speed() }
	beside := func(tools ...string) func(bench, measured) float64 {
		return func(b bench, m measured) float64 { return middle(b.against(m, tools...)) }
	}
	var all []target
	for _, workers := range []int{1, 16} {
		all = append(all,
			target{kind: greeting, workers: workers, what: "TCP samples a second", limit: 5000, format: thousands, figure: speed},
			target{kind: datagram, workers: workers, what: "UDP samples a second", limit: 12000, format: thousands, figure: speed},
			target{kind: request, workers: workers, what: "HTTP, the faster of wrk and ab", limit: 0.8, format: factor, figure: beside("wrk", "ab")},
			target{kind: request, workers: workers, what: "HTTP, fortio", limit: 1, format: factor, figure: beside("fortio")})
	}
	return append(all,
		target{kind: greeting, workers: 16, what: "CPU of a TCP sample, µs", limit: 150, most: true, format: thousands,
			figure: func(_ bench, m measured) float64 { return float64(m.cost().Microseconds()) }},
		target{kind: greeting, workers: 16, what: "allocations of a TCP sample", limit: 30, most: true, format: number,
			figure: func(_ bench, m measured) float64 { return m.median(allocations) }})
}

// of is the sampler's turn with so many workers.
func (b bench) of(k kind, workers int) (measured, bool) {
	for _, m := range b.turns {
		if m.tool == nil && m.kind == k && m.workers == workers {
			return m, true
		}
	}
	return measured{}, false
}

// targets holds the figures against what they should be.
func (b bench) targets(t *page.Table) {
	t.Head(1, "target", "workers", "wanted", "measured", "met")
	for _, a := range aims() {
		m, played := b.of(a.kind, a.workers)
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
		t.Row(a.what, fmt.Sprint(a.workers), wanted, a.format(got), met)
	}
}
