package main

import (
	"fmt"
	"io"
	"os"

	"github.com/org/l4-canary/internal/rollout"
)

// bench is everything that was simulated.
type bench struct {
	shared []shareRow
	judged []judgedRow
	sizes  size
	seed   uint64
}

// shareRow is what became of a share cell, beside its exact law and that of the
// naive rule.
type shareRow struct {
	shareCell
	sum
	exact, naiveExact course
}

// judgedRow is what became of a judged cell, beside the exact law of its share
// test, which holds where flows are independent.
type judgedRow struct {
	judgedCell
	sum
	law course
}

// simulateAll simulates every cell that is wanted.
func simulateAll(o options, progress io.Writer) bench {
	b := bench{sizes: o.sizes, seed: o.seed}
	asked := questions()
	var cells []cell
	for _, q := range asked {
		for _, c := range shareCells(q) {
			if o.only.MatchString(c.name()) {
				b.shared = append(b.shared, shareRow{shareCell: c})
				cells = append(cells, c)
			}
		}
	}
	for _, c := range judgedCells() {
		if o.only.MatchString(c.name()) {
			b.judged = append(b.judged, judgedRow{judgedCell: c, law: lawOf(asked, c.share)})
			cells = append(cells, c)
		}
	}
	for i, s := range simulate(cells, o.sizes, o.seed, progress) {
		if i < len(b.shared) {
			r := &b.shared[i]
			r.sum = s
			r.exact, r.naiveExact = r.ours.follow(r.truth), r.question.naive.follow(r.truth)
			continue
		}
		b.judged[i-len(b.shared)].sum = s
	}
	return b
}

// lawOf is the exact law at the expected share of what the judge is asked: the
// first question of a share has the widest tolerance, which is the judge's.
func lawOf(asked []*question, share rollout.Percent) course {
	for _, q := range asked {
		if q.test.Confidence == judgedConfidence.Fraction() && q.test.Expected == share.Fraction() {
			return q.ours.follow(q.test.Expected)
		}
	}
	return course{}
}

// print writes the tables to stdout, or into the page.
func (b bench) print(o options, stdout io.Writer) error {
	if !o.update {
		_, err := fmt.Fprintln(stdout, b.right()+"\n"+b.wrong()+"\n"+b.balancers())
		return err
	}
	page, err := os.ReadFile(o.page)
	if err != nil {
		return err
	}
	text, err := insert(string(page), b.parts())
	if err != nil {
		return fmt.Errorf("%s: %w", o.page, err)
	}
	return os.WriteFile(o.page, []byte(text), 0o644)
}
