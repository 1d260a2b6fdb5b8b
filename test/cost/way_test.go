//go:build e2e

package cost

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

// environment is what a program is told of where it runs: nothing of the CI system that
// this may run on.
func environment(t *testing.T, more ...string) []string {
	t.Helper()
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, more...)
}

// timed runs a program and measures it. GNU time forks it, so that its memory is not that
// of this process.
func timed(t *testing.T, environ []string, argv ...string) (Run, string) {
	t.Helper()
	used := filepath.Join(t.TempDir(), "used")
	cmd := exec.CommandContext(t.Context(), "time", append([]string{"--output", used, "--format", "%M %U %S"}, argv...)...)
	var said Log
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = harness.Root(t), environ, &said, &said
	began := time.Now()
	err := cmd.Run()
	ended := time.Now()
	require.NoError(t, err, said.String())
	data, err := os.ReadFile(used)
	require.NoError(t, err)
	memory, cpu, err := readUsed(string(data))
	require.NoError(t, err)
	return Run{Wall: ended.Sub(began), Memory: memory, CPU: cpu, Parts: said.Parts(began, ended)}, said.String()
}

// byProgram rolls out in a namespace that is prepared.
func byProgram(t *testing.T, l *harness.Lab, s scenario, kubeconfig, namespace string) Run {
	t.Helper()
	sight, stop := observe(t, l, namespace)
	name := filepath.Join(t.TempDir(), "report.json")
	argv := append([]string{"bin/l4-canary", "run", "--kubeconfig", kubeconfig, "--namespace", namespace, "--report-json", name}, s.args...)
	run, said := timed(t, environment(t), argv...)
	stop()
	run.Pods = sight.Pods()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	run.Report, err = ReadReport(data)
	require.NoError(t, err)
	require.Len(t, run.Report.Stages, s.stages)
	t.Logf("%s\n%s", argv, said)
	return run
}

// byScript does the same by hand, with as many flows as the program took.
func byScript(t *testing.T, s scenario, kubeconfig, namespace string, flows []int) Run {
	t.Helper()
	argv, flows := []string{"test/cost/" + s.script}, slices.Clone(flows)
	for _, n := range flows {
		argv = append(argv, strconv.Itoa(n))
	}
	kubectl := filepath.Join(harness.Root(t), "bin/kubectl") + " --kubeconfig " + kubeconfig
	run, said := timed(t, environment(t, "NAMESPACE="+namespace, "KUBECTL="+kubectl, fmt.Sprintf("SETTLE=%g", s.asked.Settle.Seconds())), argv...)
	t.Logf("%s\n%s", argv, said)
	answered, err := Answered(said)
	require.NoError(t, err, said)
	for i, n := range flows {
		flows[i] = n * s.ports
	}
	require.Equal(t, flows, answered, said)
	return run
}
