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

// each calls do with 0 to n-1, on all cores.
func each(n int, do func(i int)) {
	queue := make(chan int)
	var crew sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		crew.Go(func() {
			for i := range queue {
				do(i)
			}
		})
	}
	for i := range n {
		queue <- i
	}
	close(queue)
	crew.Wait()
}

// work is a batch of one cell.
type work struct{ cell, from, to int }

// simulate runs all cells. The sums are in the order of the cells, and the same
// whatever the number of cores.
func simulate(cells []cell, sizes size, seed uint64, progress io.Writer) []sum {
	var todo []work
	sums := make([]sum, len(cells))
	for i, c := range cells {
		sums[i] = newSum()
		n := c.stages(sizes)
		for from := 0; from < n; from += batch {
			todo = append(todo, work{i, from, min(from+batch, n)})
		}
	}
	done := &ticker{to: progress, all: len(todo), last: time.Now(), began: time.Now()}
	var merging sync.Mutex
	each(len(todo), func(i int) {
		w := todo[i]
		part := w.do(cells[w.cell], seed)
		merging.Lock()
		defer merging.Unlock()
		sums[w.cell].merge(part)
		done.tick(cells[w.cell].name())
	})
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
		_, _ = fmt.Fprintf(t.to, "%3.0f s, %2d %% of the batches, now %s\n", now.Sub(t.began).Seconds(), 100*t.done/t.all, name)
	}
}
