//go:build e2e

// Package drill breaks rollouts on a real cluster at every single call, and
// requires what docs/rollback.md promises: traffic is safe with nobody there, the
// same command goes on, and a rollback brings everything back.
package drill

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

var (
	update = flag.Bool("update", false, "write the report into docs")
	only   = flag.String("only", "", "carry out only cases whose name matches this")
	way    = flag.String("mode", "", "carry out only cases of modes that match this")
)

// TestSome kills one rollout at every write, before and after in turn, and goes on
// or back in turn: what CI has time for.
func TestSome(t *testing.T) {
	l := harness.NewLab(t, "drill", "drill")
	m := modes()[0]
	writes, _ := healthy(t, l, m)
	var cases []drilled
	for i, at := range writes {
		cases = append(cases, kill{m, at, i%2 == 1, i/2%2 == 1})
	}
	publish(t, "", carryAll(t, l, cases))
}

// TestEvery kills every rollout at every write, before and after, and goes on and
// back; and kills the way back as well.
func TestEvery(t *testing.T) {
	l := harness.NewLab(t, "drill", "drill")
	var cases []drilled
	for _, m := range chosen(t) {
		writes, _ := healthy(t, l, m)
		for _, at := range writes {
			cases = append(cases, kill{m, at, false, false}, kill{m, at, true, true})
			if m.wholly {
				cases = append(cases, kill{m, at, false, true}, kill{m, at, true, false})
			}
		}
		if !m.wholly {
			continue
		}
		for _, at := range undone(t, l, m) {
			cases = append(cases, back{m, at, false}, back{m, at, true})
		}
	}
	publish(t, "docs/drill.md", aboutKills+carryAll(t, l, cases))
}

// TestFaults lets every call of a rollout go wrong once, in every way that an API
// server has.
func TestFaults(t *testing.T) {
	l := harness.NewLab(t, "faults", "drill")
	var cases []drilled
	for _, m := range chosen(t)[:1] {
		writes, reads := healthy(t, l, m)
		cases = append(cases, faults(m, writes, reads)...)
	}
	publish(t, "docs/drill-faults.md", aboutFaults+carryAll(t, l, cases))
}

// chosen are the modes that are asked for.
func chosen(t *testing.T) []mode {
	t.Helper()
	wanted, err := regexp.Compile(*way)
	require.NoError(t, err, "-mode")
	left := slices.DeleteFunc(modes(), func(m mode) bool { return !wanted.MatchString(m.kind) })
	require.NotEmpty(t, left, "-mode matches nothing")
	return left
}

// publish prints the report and, if asked to, writes it into a file of the checkout
// when nothing failed and nothing was left out.
func publish(t *testing.T, file, text string) {
	t.Helper()
	_, err := fmt.Fprintln(os.Stdout, text)
	require.NoError(t, err)
	if *update && file != "" && *only == "" && *way == "" && !t.Failed() {
		require.NoError(t, os.WriteFile(filepath.Join(harness.Root(t), file), []byte(text), 0o600))
	}
}

// healthy carries a rollout out that nothing happens to, and returns its calls.
func healthy(t *testing.T, l *harness.Lab, m mode) (writes, reads []point) {
	t.Helper()
	t.Run("healthy, "+m.kind, func(t *testing.T) {
		namespace := m.kind + "-healthy"
		m.deploy(t, l, namespace)
		u := attend(t, l, namespace)
		end, p := strike(t, l, point{}, false, func(kubeconfig string) []string {
			return m.arguments(kubeconfig, namespace, m.write(t, true))
		})
		require.Equal(t, "promoted", end.Outcome, end.Message)
		res := result{problems: m.promoted(m.look(t, l, namespace))}
		u.leave(t, &res)
		require.Empty(t, res.problems)
		writes, reads = p.writes(), p.read
		for i, at := range writes {
			t.Logf("write %d: %s", i+1, at)
		}
		for i, at := range reads {
			t.Logf("read %d: %s", i+1, at)
		}
	})
	require.NotEmpty(t, writes)
	return writes, reads
}

// undone carries a rollback out that nothing happens to, and returns its writes.
func undone(t *testing.T, l *harness.Lab, m mode) (writes []point) {
	t.Helper()
	t.Run("undone, "+m.kind, func(t *testing.T) {
		res, points := back{m, point{}, false}.undo(t, l, m.kind+"-undone")
		require.Empty(t, res.problems)
		writes = points
		for i, at := range writes {
			t.Logf("write %d: %s", i+1, at)
		}
	})
	require.NotEmpty(t, writes)
	return writes
}

// drilled is one case.
type drilled interface {
	place() place
	carry(t *testing.T, l *harness.Lab, namespace string) result // in a namespace of its own
}

// place is where a case stands in the report.
type place struct{ section, row, column string }

func (p place) String() string { return p.section + ": " + p.row + ": " + p.column }

// carryAll carries cases out, several at a time, and returns the report.
func carryAll(t *testing.T, l *harness.Lab, cases []drilled) string {
	t.Helper()
	began := time.Now()
	wanted, err := regexp.Compile(*only)
	require.NoError(t, err, "-only")
	cases = slices.DeleteFunc(cases, func(c drilled) bool { return !wanted.MatchString(c.place().String()) })
	require.NotEmpty(t, cases, "-only matches nothing")
	var mu sync.Mutex
	results := map[place]result{}
	t.Run("cases", func(t *testing.T) {
		for i, c := range cases {
			t.Run(c.place().String(), func(t *testing.T) {
				t.Parallel()
				res := result{outcome: "not carried out", problems: []string{"not carried out"}}
				defer func() {
					mu.Lock()
					defer mu.Unlock()
					results[c.place()] = res
				}()
				res = c.carry(t, l, fmt.Sprintf("case-%d", i+1))
				for _, problem := range res.problems {
					t.Error("problem: " + problem)
				}
			})
		}
	})
	return table(cases, results, time.Since(began))
}
