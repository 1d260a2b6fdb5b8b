//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/page"
)

// TestMain: the bench starts itself, which under test is the test.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "serve" || os.Args[1] == "sample") {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"-rounds", "4"}, "-rounds is an odd number"},
		{[]string{"-rounds", "-1"}, "-rounds is an odd number"},
		{[]string{"-seconds", "0"}, "-seconds one from 1"},
		{[]string{"-only", "("}, "missing closing )"},
		{[]string{"-only", "udp", "-update"}, "-update writes whole tables, and -only leaves turns out"},
		{[]string{"-quick"}, "flag provided but not defined"},
		{[]string{"quick"}, `"quick" is not a flag`},
	} {
		var stdout bytes.Buffer
		require.ErrorContains(t, run(t.Context(), row.args, nil, &stdout, io.Discard), row.want)
		require.Empty(t, stdout.String())
	}
}

// TestMissing: every program that is not there is named, before anything is measured.
func TestMissing(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	err := run(t.Context(), []string{"-fortio", filepath.Join(t.TempDir(), "fortio")}, nil, io.Discard, &stderr)
	require.ErrorContains(t, err, "fortio is missing")
	require.Empty(t, stderr.String(), "nothing was measured")
	require.ErrorContains(t, missing([]tool{{name: "a", program: "no-such-a"}, {name: "b", program: "no-such-b"}}), "b is missing")
	require.NoError(t, missing([]tool{{name: "sh", program: "sh"}}))
}

// small is a bench of three rounds in which everything is as asked for.
func small() bench {
	all := tools("fortio")
	b := bench{options: options{rounds: 3, seconds: 2}, programs: []string{"wrk 4", "ab 2", "fortio 1"}}
	for _, at := range turns(all) {
		m := measured{turn: at}
		for round := range 3 {
			f := figures{samples: 1000 * (round + 1), rate: 9000 + float64(round)*1000, cpu: 40 * time.Microsecond, allocs: 3.06, lateness: time.Duration(900+round) * time.Microsecond}
			if at.tool != nil && at.tool.name == "ab" {
				f.rate *= 1.1
			}
			if at.tool != nil && at.tool.name == "fortio" {
				f.rate /= 2
			}
			if at.rate > 0 {
				f.rate, f.leftOut = at.rate, round
			}
			m.rounds = append(m.rounds, f)
		}
		b.turns = append(b.turns, m)
	}
	return b
}

func TestTables(t *testing.T) {
	t.Parallel()
	text := small().tables()
	for _, line := range []string{
		"wrk 4, ab 2, fortio 1. Medians of 3 rounds, 2 s a run.",
		"| tcp | 16 | 10,000 | – | – | 40 µs | 3.1 | 6,000 | 0 |",
		"| http | 1 | 10,000 | 0.91 (0.91 to 0.91) | 2.00 (2.00 to 2.00) | 40 µs | 3.1 | 6,000 | 0 |",
		"| ab | 16 | 11,000 | 40 µs | 6,000 |",
		"| 5,000 | 901 µs | 902 µs | 40 µs | 6,000 | 3 | 0 |",
		"| TCP samples a second | 1 | at least 5,000 | 10,000 | yes |",
		"| UDP samples a second | 16 | at least 12,000 | 10,000 | no |",
		"| HTTP, the faster of wrk and ab | 1 | at least 0.80 × | 0.91 × | yes |",
		"| HTTP, fortio | 16 | at least 1.00 × | 2.00 × | yes |",
		"| CPU of a TCP sample, µs | 16 | at most 150 | 40 | yes |",
		"| allocations of a TCP sample | 16 | at most 30.0 | 3.1 | yes |",
	} {
		require.Contains(t, text, line+"\n")
	}
	require.NotContains(t, text, "| wrk | 1 | 10,000 | 40 µs | 6,000 | 0 |", "others lose nothing that we could count")
}

// TestPairs: a ratio is that of one round, and not of two medians.
func TestPairs(t *testing.T) {
	t.Parallel()
	wrk, ab := tool{name: "wrk"}, tool{name: "ab"}
	at := func(rates ...float64) (all []figures) {
		for _, rate := range rates {
			all = append(all, figures{rate: rate})
		}
		return all
	}
	ours := measured{turn{kind: request, workers: 16}, at(90, 10, 200)}
	b := bench{turns: []measured{
		ours, {turn{kind: request, workers: 16, tool: &wrk}, at(100, 5, 250)}, {turn{kind: request, workers: 16, tool: &ab}, at(80, 20, 100)},
		{turn{kind: request, workers: 1, tool: &ab}, at(1e6, 1e6, 1e6)},
	}}
	require.InDeltaSlice(t, []float64{0.5, 0.8, 0.9}, b.against(ours, "wrk", "ab"), 1e-9)
	require.InDeltaSlice(t, []float64{0.5, 1.125, 2}, b.against(ours, "ab"), 1e-9)
	require.Equal(t, "0.80 (0.50 to 0.90)", spread(b.against(ours, "wrk", "ab")))
	require.InDelta(t, 90, ours.speed(), 0)
}

// TestOnly: the targets of turns that were not played are left out.
func TestOnly(t *testing.T) {
	t.Parallel()
	b := small()
	b.turns = b.turns[:1]
	require.NotContains(t, b.tables(), "target | measured")
	require.NotContains(t, b.tables(), "UDP samples")
}

func TestFormats(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"0", "999", "1,000", "28,232", "1,234,567"},
		[]string{thousands(0), thousands(999), thousands(999.6), thousands(28232), thousands(1234567)})
	require.Equal(t, []string{"1.5 µs", "40 µs", "1,500 µs"},
		[]string{micros(1500 * time.Nanosecond), micros(40 * time.Microsecond), micros(1500 * time.Microsecond)})
}

// TestPageHasItsPlace: there is one for the tables.
func TestPageHasItsPlace(t *testing.T) {
	t.Parallel()
	ours, err := os.ReadFile("../../docs/speed.md")
	require.NoError(t, err)
	_, err = page.Insert(string(ours), map[string]string{measuredMark: small().tables()})
	require.NoError(t, err)
}

// TestTurns: in each round everything has its turn once.
func TestTurns(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for _, at := range turns(tools("fortio")) {
		seen[at.String()]++
	}
	for _, workers := range []int{1, 16} {
		for _, name := range []string{"samples over tcp", "samples over udp", "samples over http", "wrk over http", "ab over http", "fortio over http"} {
			require.Equal(t, 1, seen[fmt.Sprintf("%s, %d workers", name, workers)], name)
		}
	}
	for _, rate := range []string{"50", "500", "5000"} {
		require.Equal(t, 1, seen["samples over tcp at "+rate+"/s"])
	}
	require.Len(t, seen, 15)
	require.False(t, strings.Contains(fmt.Sprint(seen), "%!"))
}
