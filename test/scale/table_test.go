//go:build e2e

package scale

import (
	"fmt"
	"runtime"
	"time"

	"github.com/org/l4-canary/test/page"
	"github.com/org/l4-canary/test/tally"
)

// tables are what the page shows, with a column a size.
func tables(rows []measured) string {
	var t page.Table
	_, _ = fmt.Fprintf(&t, "%d cores, which are the cluster's too; %s.\n\n", runtime.NumCPU(), runtime.Version())
	heads := []string{"pods a side"}
	for _, m := range rows {
		heads = append(heads, page.Thousands(m.size))
	}
	line := func(name string, cell func(measured) string) {
		cells := []string{name}
		for _, m := range rows {
			cells = append(cells, cell(m))
		}
		t.Row(cells...)
	}
	t.Head(1, heads...)
	for _, what := range []string{"plan", "run", "rollback"} {
		line("`"+what+"`: peak memory", func(m measured) string { return fmt.Sprintf("%d MB", m.processes()[what].memory>>20) })
		line("CPU time", func(m measured) string { return seconds(m.processes()[what].cpu) })
		line("wall time", func(m measured) string { return seconds(m.processes()[what].took) })
		line("requests", func(m measured) string { return page.Thousands(len(m.processes()[what].calls)) })
		line("sent and received", func(m measured) string { return size(m.processes()[what].kinds().Sum().Bytes) })
	}
	t.WriteString("\n")
	t.Head(1, heads...)
	line("the Deployment alone, to the first version's last pod", func(m measured) string { return seconds(m.alone) })
	for _, s := range rows[0].stages[1:] { // the first is the baseline, which moves nothing
		line("move to "+s.Name+" %", func(m measured) string {
			found := m.stageOf(s.Name)
			return fmt.Sprintf("%s (%s+%s)", seconds(found.moved()), page.Thousands(found.Stable), page.Thousands(found.Canary))
		})
	}
	line("pods parked at once, in the rollback", func(m measured) string {
		pods, took := m.rollback.parking()
		return fmt.Sprintf("%s in %s", page.Thousands(pods), seconds(took))
	})
	t.WriteString("\n")
	t.Head(1, append([]string{"requests of `run`, then of `rollback`"}, heads[1:]...)...)
	var all []tally.Kinds
	for _, m := range rows {
		all = append(all, m.run.kinds(), m.rollback.kinds())
	}
	for _, kind := range tally.Names(all...) {
		line(kind, func(m measured) string {
			run, back := m.run.kinds()[kind], m.rollback.kinds()[kind]
			return fmt.Sprintf("%s, %s (%s)", page.Thousands(run.Calls), page.Thousands(back.Calls), size(run.Bytes+back.Bytes))
		})
	}
	return t.String()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// size is a number of bytes for people.
func size(bytes int) string {
	if bytes < 10_000_000 {
		return page.Thousands((bytes+999)/1000) + " kB"
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}
