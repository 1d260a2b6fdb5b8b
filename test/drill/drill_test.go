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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

var (
	update = flag.Bool("update", false, "write docs/drill.md")
	only   = flag.String("only", "", "carry out only cases whose name contains this")
)

// TestKillSome kills one rollout at every write, before and after in turn, and
// goes on or back in turn: what CI has time for.
func TestKillSome(t *testing.T) {
	l := harness.NewLab(t, "drill", "drill")
	m := modes()[0]
	var cases []kill
	for i, at := range healthy(t, l, m) {
		cases = append(cases, kill{m, at, i%2 == 1, i/2%2 == 1})
	}
	carryAll(t, l, cases)
}

// TestKillEvery kills every rollout at every write, before and after, and goes on
// and back.
func TestKillEvery(t *testing.T) {
	l := harness.NewLab(t, "drill", "drill")
	var cases []kill
	for _, m := range modes() {
		for _, at := range healthy(t, l, m) {
			for _, after := range []bool{false, true} {
				for _, rollback := range []bool{false, true} {
					cases = append(cases, kill{m, at, after, rollback})
				}
			}
		}
	}
	text := carryAll(t, l, cases)
	if *update && !t.Failed() {
		require.NoError(t, os.WriteFile(filepath.Join(harness.Root(t), "docs/drill.md"), []byte(text), 0o600))
	}
}

// healthy carries a rollout out that nothing happens to, and returns its writes.
func healthy(t *testing.T, l *harness.Lab, m mode) []point {
	t.Helper()
	var points []point
	t.Run("healthy, "+m.kind, func(t *testing.T) {
		namespace := m.kind + "-healthy"
		m.deploy(t, l, namespace)
		u := attend(t, l, namespace)
		p := newProxy(t, l, nil)
		end := newRunner().run(t, m.arguments(p.kubeconfig, namespace, m.write(t, true))...)
		require.Equal(t, "promoted", end.Outcome, end.Message)
		res := result{problems: m.promoted(m.look(t, l, namespace))}
		u.leave(&res)
		require.Empty(t, res.problems)
		points = p.writes()
		for i, at := range points {
			t.Logf("write %d: %s", i+1, at)
		}
	})
	require.NotEmpty(t, points)
	return points
}

// carryAll carries cases out, several at a time, and returns the report.
func carryAll(t *testing.T, l *harness.Lab, cases []kill) string {
	t.Helper()
	began := time.Now()
	var mu sync.Mutex
	results := map[kill]result{}
	t.Run("killed", func(t *testing.T) {
		for i, k := range cases {
			name := k.kind + ": " + k.String()
			if !strings.Contains(name, *only) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				res := result{outcome: "not carried out", problems: []string{"not carried out"}}
				defer func() {
					mu.Lock()
					defer mu.Unlock()
					results[k] = res
				}()
				res = k.carry(t, l, fmt.Sprintf("%s-%d", k.kind, i+1))
				for _, problem := range res.problems {
					t.Error(problem)
				}
			})
		}
	})
	cases = slices.DeleteFunc(cases, func(k kill) bool { _, done := results[k]; return !done })
	text := table(cases, results, time.Since(began))
	t.Log("\n" + text)
	return text
}
