package main

import (
	"bytes"
	"io"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/page"
)

// small simulates some cells, a few hundred stages each.
func small(seed uint64, only string) bench {
	o := options{sizes: size{shared: 300, judged: 300}, seed: seed, Options: page.Options{Only: regexp.MustCompile(only)}}
	return simulateAll(o, io.Discard)
}

// text is everything that a bench prints.
func (b bench) text(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, b.print(options{}, &out))
	return out.String()
}

// TestReproducible: the tables depend on the seed, and on nothing else: not on how
// many cores there are, nor on which other cells are simulated. It sets the number of
// cores, so it is not parallel to anything.
func TestReproducible(t *testing.T) {
	const cells = `^10 ± 5 % at 95 %|^random, 25|^round robin, 10|^fewest connections, short ones, 10`
	cores := runtime.GOMAXPROCS(1)
	one := small(1, cells)
	runtime.GOMAXPROCS(8)
	eight := small(1, cells)
	runtime.GOMAXPROCS(cores)
	require.Equal(t, one.text(t), eight.text(t))
	require.NotEqual(t, one.text(t), small(2, cells).text(t))
	alone := small(1, `^10 ± 5 % at 95 %, truth 10 %`)
	require.Len(t, alone.shared, 1)
	require.Equal(t, one.questions()[0].at(0).sum, alone.shared[0].sum)
}

func TestEach(t *testing.T) {
	t.Parallel()
	var done [1000]atomic.Int32
	each(len(done), func(i int) { done[i].Add(1) })
	for i := range done {
		require.Equal(t, int32(1), done[i].Load(), "%d", i)
	}
}

// TestBatches: every stage is simulated once, also where the last batch is short.
func TestBatches(t *testing.T) {
	t.Parallel()
	cells := shareCells(prepared(95, 100, 5))
	for _, n := range []int{1, batch, batch + 1, 3*batch - 1} {
		sums := simulate([]cell{cells[3], cells[0]}, size{shared: n}, 1, io.Discard)
		require.Len(t, sums, 2)
		require.Equal(t, n, sums[0].total)
		require.Equal(t, map[int]int{299: n}, sums[0].flows)
		require.Equal(t, n, sums[1].total)
	}
}

func TestTicker(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	tick := ticker{to: &out, all: 4, began: time.Now().Add(-20 * time.Second), last: time.Now()}
	tick.tick("first")
	require.Empty(t, out.String(), "not before ten seconds are over")
	tick.last = tick.last.Add(-progressEvery)
	tick.tick("second")
	require.Equal(t, " 20 s, 50 % of the batches, now second\n", out.String())
}
