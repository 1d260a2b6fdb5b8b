package main

import (
	"fmt"
	"strings"

	"github.com/org/l4-canary/internal/rollout"
	"github.com/org/l4-canary/internal/stats"
)

// regenerate is the command that the page names.
const regenerate = "make sim SIM_FLAGS=-update"

// parts are the generated parts of the page, by their markers.
func (b bench) parts() map[string]string {
	return map[string]string{
		"simulated right":     b.right(),
		"simulated wrong":     b.wrong(),
		"simulated balancers": b.balancers(),
	}
}

// insert puts the parts between their markers.
func insert(page string, parts map[string]string) (string, error) {
	for marker, text := range parts {
		begin, end := "<!-- "+marker+" -->\n", "<!-- /"+marker+" -->"
		head, rest, opened := strings.Cut(page, begin)
		_, tail, closed := strings.Cut(rest, end)
		if !opened || !closed {
			return "", fmt.Errorf("the page has no place between %q and %q", strings.TrimSpace(begin), end)
		}
		page = head + begin + "\n" + text + "\n" + end + tail
	}
	return page, nil
}

// table is Markdown.
type table struct{ strings.Builder }

func (t *table) row(cells ...string) {
	t.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// head begins a table: the first left columns lead to the left, the others to the right.
func (t *table) head(left int, columns ...string) {
	t.row(columns...)
	for i := range columns {
		if i < left {
			t.WriteString("|:--")
		} else {
			t.WriteString("|--:")
		}
	}
	t.WriteString("|\n")
}

// right are the stages whose share is as expected.
func (b bench) right() string {
	var t table
	fmt.Fprintf(&t, "%s stages a row, seed %d. In brackets: exact.\n\n", count(float64(b.sizes.shared)), b.seed)
	t.head(2, "confidence", "expected", "planned", "pass", "wrongly fail", "inconclusive",
		"flows, mean", "half ended by", "nine of ten by", "in turns")
	for _, r := range b.shared {
		if r.off != 0 {
			continue
		}
		t.row(r.confidence(), r.asked(), count(float64(r.test.PlannedSize)),
			beside(share(r.verdicts[rollout.Pass], r.total), percent(r.exact.pass)),
			beside(share(r.verdicts[rollout.Fail], r.total), percent(r.exact.fail)),
			beside(share(r.verdicts[rollout.Inconclusive], r.total), percent(r.exact.inconclusive)),
			beside(count(r.mean()), count(r.exact.mean)),
			beside(count(float64(r.quantile(0.5))), count(float64(r.exact.median))),
			beside(count(float64(r.quantile(0.9))), count(float64(r.exact.p90))),
			count(float64(r.ours.takingTurns(r.test.Expected))))
	}
	return t.String()
}

// confidence is that of the question, such as "95 %".
func (q *question) confidence() string { return number(100*q.test.Confidence) + " %" }

// wrong are the stages whose share is off.
func (b bench) wrong() string {
	var t table
	t.head(2, "confidence", "expected", "half off: pass", "lower edge: pass", "upper edge: pass",
		"watched Wilson, lower", "watched Wilson, upper", "twice off: fail", "flows for that")
	for len(b.shared) > 0 {
		n := 1
		for n < len(b.shared) && b.shared[n].question == b.shared[0].question {
			n++
		}
		t.row(offRow(b.shared[:n])...)
		b.shared = b.shared[n:]
	}
	return t.String()
}

// offRow is the row of one question.
func offRow(rows []shareRow) []string {
	at := map[float64]*shareRow{}
	for i := range rows {
		at[rows[i].off] = &rows[i]
	}
	show := func(off float64, what func(*shareRow) string) string {
		if at[off] == nil {
			return "–"
		}
		return what(at[off])
	}
	passes := func(r *shareRow) string {
		return beside(share(r.verdicts[rollout.Pass], r.total), percent(r.exact.pass))
	}
	naive := func(r *shareRow) string {
		return beside(share(r.sum.naive[stats.Pass], r.total), percent(r.naiveExact.pass))
	}
	fails := func(r *shareRow) string {
		return beside(share(r.verdicts[rollout.Fail], r.total), percent(r.exact.fail))
	}
	flows := func(r *shareRow) string { return beside(count(r.mean()), count(r.exact.mean)) }
	far := 2.0 // the side that exists
	if at[far] == nil {
		far = -2
	}
	half := show(-0.5, passes)
	if at[0.5] != nil {
		half += ", " + passes(at[0.5])
	}
	return []string{rows[0].confidence(), rows[0].asked(), half, show(-1, passes), show(1, passes),
		show(-1, naive), show(1, naive), show(far, fails), show(far, flows)}
}

// balancers are the stages that the judge saw: how most of them ended, and all
// figures below.
func (b bench) balancers() string {
	var t table
	columns := []string{"balancer"}
	for _, share := range shares() {
		columns = append(columns, number(float64(share))+" %")
	}
	t.head(1, columns...)
	var all table
	all.head(2, "balancer", "share", "expected", "pass", "fail", "inconclusive", "invalid", "flows, mean", "nine of ten by")
	for rows := b.judged; len(rows) > 0; {
		cells := []string{rows[0].title}
		title := rows[0].title
		for _, share := range shares() {
			if len(rows) == 0 || rows[0].title != title || rows[0].share != share {
				cells = append(cells, "–")
				continue
			}
			cells = append(cells, rows[0].most())
			all.row(rows[0].figures()...)
			rows = rows[1:]
		}
		t.row(cells...)
	}
	fmt.Fprintf(&t, "\n<details><summary>All figures, %s stages a row</summary>\n\n%s\n</details>\n", count(float64(b.sizes.judged)), all.String())
	return t.String()
}

// most is the commonest ending.
func (r judgedRow) most() string {
	var best rollout.Reason
	for reason, n := range r.reasons {
		if n > r.reasons[best] || n == r.reasons[best] && reason < best {
			best = reason
		}
	}
	return fmt.Sprintf("`%s` %s", best, share(r.reasons[best], r.total))
}

func (r judgedRow) figures() []string {
	mean := count(r.mean())
	if r.kind.exact {
		mean = beside(mean, count(r.law.mean))
	}
	verdict := func(v rollout.Verdict) string { return share(r.verdicts[v], r.total) }
	return []string{r.title, number(float64(r.share)) + " %", number(float64(*r.options.Expected)) + " %",
		verdict(rollout.Pass), verdict(rollout.Fail), verdict(rollout.Inconclusive), verdict(rollout.Invalid),
		mean, count(float64(r.quantile(0.9)))}
}
