package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/org/l4-canary/test/page"
)

// bench is everything that was simulated.
type bench struct {
	shared []shareRow
	judged []judgedRow
	sizes  size
	seed   uint64
}

// shareRow is what became of a share cell, beside its exact law, that of a test
// without a reserve for later windows, and that of the naive rule: to our budget, and
// for as long as it is watched.
type shareRow struct {
	shareCell
	sum
	exact, whole, naiveExact, watched course
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
	var cells []cell
	for _, q := range questions() {
		for _, c := range shareCells(q) {
			if o.Only.MatchString(c.name()) {
				b.shared = append(b.shared, shareRow{shareCell: c})
				cells = append(cells, c)
			}
		}
	}
	for _, c := range judgedCells() {
		if o.Only.MatchString(c.name()) {
			b.judged = append(b.judged, judgedRow{judgedCell: c})
			cells = append(cells, c)
		}
	}
	b.reckon()
	for i, s := range simulate(cells, o.sizes, o.seed, progress) {
		if i < len(b.shared) {
			b.shared[i].sum = s
		} else {
			b.judged[i-len(b.shared)].sum = s
		}
	}
	return b
}

// reckon makes the tables of all questions, and the exact figures.
func (b bench) reckon() {
	var asked []*question
	for _, r := range b.shared {
		if !slices.Contains(asked, r.question) {
			asked = append(asked, r.question)
		}
	}
	each(len(asked), func(i int) { asked[i].prepare() })
	each(len(b.shared), func(i int) {
		r := &b.shared[i]
		r.exact = r.ours.follow(r.truth, r.test.MaxSize)
		if r.off == 0 {
			r.whole = r.question.whole.follow(r.truth, r.test.MaxSize)
		}
		r.naiveExact = r.peeked.follow(r.truth, r.test.MaxSize)
		if r.onEdge() {
			r.watched = r.peeked.follow(r.truth, patience*r.test.PlannedSize)
		}
	})
	each(len(b.judged), func(i int) {
		if r := &b.judged[i]; r.exact {
			q := newQuestion(judgedConfidence, r.share, judgedTolerance)
			q.prepare()
			r.law = q.ours.follow(q.test.Expected, q.test.MaxSize)
		}
	})
}

// print writes the tables to stdout, or into the page with the picture beside it.
func (b bench) print(o options, stdout io.Writer) error {
	if !o.Update {
		for _, part := range []string{b.right(), b.wrong(), b.cells(), b.balancers(), b.judgements()} {
			if _, err := fmt.Fprintln(stdout, part); err != nil {
				return err
			}
		}
		return nil
	}
	if err := page.Update(o.Page, b.parts()); err != nil {
		return err
	}
	drawn := filepath.Join(filepath.Dir(o.Page), "images", "verdict.svg")
	return os.WriteFile(drawn, []byte(picture(b.seed)), 0o644)
}
