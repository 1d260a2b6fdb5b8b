//go:build e2e

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

// TestRepeated makes rollouts one after the other in this one process, promoted ones and
// one that is rolled back, with flows held open: none of them leaves a goroutine or a file
// behind. Not parallel, because it counts.
func TestRepeated(t *testing.T) {
	const namespace = "repeat"
	l := harness.NewLab(t, "repeat", "repeat")
	manifests := filepath.Join(harness.Root(t), "testdata/manifests/single")
	l.Do(t, "kubectl", "--", "create", "namespace", namespace)
	l.Do(t, "kubectl", "--", "-n", namespace, "apply", "-f", manifests)
	harness.Serve(t, l, namespace)
	const image = "registry.example/lobby"
	release := func(from, to, pulled string, want ExitCode) {
		var output bytes.Buffer
		getenv := func(name string) string { return map[string]string{"HOME": t.TempDir()}[name] }
		command := Command{Stdin: strings.NewReader(""), Stdout: &output, Stderr: &output, Getenv: getenv, Dir: harness.Root(t)}
		code := command.Run(t.Context(), []string{
			"run", "--kubeconfig", l.Kubeconfig, "--manifests", manifests, "--namespace", namespace, "--images", image + "=" + pulled + ":" + to,
			"--stable-pattern", "^" + regexp.QuoteMeta(from) + " ", "--canary-pattern", "^" + regexp.QuoteMeta(to) + " ", "--steps", "50,100", "--hold-open", "20",
			"--settle", "0s", "--drain", "1s", "--rate", "200", "--tolerance", "20", "--max-probes", "20000",
		})
		require.Equal(t, want, code, output.String())
	}
	release("1.0.0", "1.1.0", image, ExitOK) // what is made once, such as a pool of connections, is there now
	before := settled(t, kept{}, 10*time.Second)
	release("1.1.0", "1.2.0", image, ExitOK)
	release("1.2.0", "1.3.0", "registry.example/missing/lobby", ExitFailed)
	release("1.2.0", "1.4.0", image, ExitOK)
	after := settled(t, before, idle+10*time.Second)
	t.Logf("after one rollout %+v, after four %+v", before, after)
	if after.goroutines > before.goroutines || after.files > before.files {
		var stacks bytes.Buffer
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&stacks, 1))
		require.Fail(t, "something is left behind", stacks.String())
	}
}

// kept is what a process holds.
type kept struct{ goroutines, files int }

// idle is how long the pool keeps a connection that nobody uses. There may be more of them
// than after the first rollout.
const idle = 90 * time.Second

// settled counts when what ends by itself has ended: at once when there is no more than was
// wanted, and otherwise when the limit is over.
func settled(t *testing.T, wanted kept, limit time.Duration) kept {
	t.Helper()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(limit); ; <-ticker.C {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", os.Getpid()))
		require.NoError(t, err)
		now := kept{runtime.NumGoroutine(), len(open)}
		if now.goroutines <= wanted.goroutines && now.files <= wanted.files || time.Now().After(end) {
			return now
		}
	}
}
