package main

import (
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"
)

const (
	// batch is how many stages of a cell are simulated in one go.
	batch = 250
	// progressEvery is how often the bench says how far it is.
	progressEvery = 10 * time.Second
)

// work is a batch of one cell.
type work struct{ cell, from, to int }

// simulate runs all cells on all cores. The sums are in the order of the cells, and
// the same whatever the number of cores.
func simulate(cells []cell, sizes size, seed uint64, progress io.Writer) []sum {
	var todo []work
	for i, c := range cells {
		n := c.stages(sizes)
		for from := 0; from < n; from += batch {
			todo = append(todo, work{i, from, min(from+batch, n)})
		}
	}
	sums := make([]sum, len(cells))
	for i := range sums {
		sums[i] = newSum()
	}
	queue := make(chan work)
	done := &ticker{to: progress, all: len(todo), last: time.Now(), began: time.Now()}
	var crew sync.WaitGroup
	var merging sync.Mutex
	for range runtime.GOMAXPROCS(0) {
		crew.Go(func() {
			for w := range queue {
				part := w.do(cells[w.cell], seed)
				merging.Lock()
				sums[w.cell].merge(part)
				done.tick(cells[w.cell].name())
				merging.Unlock()
			}
		})
	}
	for _, w := range todo {
		queue <- w
	}
	close(queue)
	crew.Wait()
	return sums
}

func (w work) do(c cell, seed uint64) sum {
	part := newSum()
	name := c.name()
	for stage := w.from; stage < w.to; stage++ {
		part.add(c.stage(chanceOf(seed, name, stage)))
	}
	return part
}

// ticker tells how far the bench is.
type ticker struct {
	to          io.Writer
	done, all   int
	began, last time.Time
}

func (t *ticker) tick(name string) {
	t.done++
	if now := time.Now(); now.Sub(t.last) >= progressEvery {
		t.last = now
		fmt.Fprintf(t.to, "%3.0f s, %2d %% of the batches, now %s\n", now.Sub(t.began).Seconds(), 100*t.done/t.all, name)
	}
}
