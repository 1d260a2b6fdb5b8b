//go:build e2e

package scale

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
	"github.com/org/l4-canary/test/tally"
)

// process is one run of the program, and what it took.
type process struct {
	took, cpu time.Duration
	memory    int64 // bytes that were resident at most
	calls     []tally.Call
	report    report
}

// report is what the program says at its end.
type report struct {
	Outcome, Removal, Message string
	Stages                    []stage
}

// launch runs the program to its end.
func launch(t *testing.T, l *harness.Lab, args ...string) process {
	t.Helper()
	counted, kubeconfig := harness.NewTally(t, l.Config)
	file := filepath.Join(t.TempDir(), "report.json")
	if args[0] != "plan" {
		args = append(args, "--report-json", file)
	}
	cmd := harness.Command(t.Context(), harness.Root(t), "bin/l4-canary", append(args, "--kubeconfig", kubeconfig)...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	p := process{took: time.Since(began), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), calls: counted.Calls()}
	require.NoError(t, err, string(out))
	t.Logf("%s: %s\n%s", args[0], p.took, out)
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	require.True(t, ok)
	p.memory = usage.Maxrss << 10
	if args[0] != "plan" {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &p.report))
	}
	return p
}

// kinds are its calls by what they do.
func (p process) kinds() tally.Kinds { return tally.KindsOf(p.calls) }

// park is the request that parks a pod.
const park = "patch pods"

// parking is how many pods were parked at once, at most, and how long that took from the
// first request to the last answer. Pods that are parked together have no second between
// them.
func (p process) parking() (pods int, took time.Duration) {
	var first, last time.Time
	count := 0
	for _, call := range p.calls {
		if call.Kind() != park {
			continue
		}
		if call.Began.Sub(last) > time.Second {
			first, count = call.Began, 0
		}
		count++
		if end := call.Began.Add(call.Took); end.After(last) {
			last = end
		}
		if count >= pods {
			pods, took = count, last.Sub(first)
		}
	}
	return pods, took
}
