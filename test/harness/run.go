//go:build e2e

package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Run is the program at work, in a process of its own.
type Run struct {
	cmd     *exec.Cmd
	name    string
	report  string
	output  bytes.Buffer
	began   time.Time
	ended   chan struct{}
	err     error         // after ended
	took    time.Duration // after ended
	patient func() bool   // whether it ended before it had to be killed
}

// Outcome is how a run of the program ended.
type Outcome struct {
	Exit                     int // -1: by a signal
	Outcome, Reason, Message string
	Stages                   []struct{ Name, Verdict string }
	Began                    time.Time
	Took                     time.Duration
}

// Begin starts the program. What does not end by itself within so long is killed.
func Begin(t *testing.T, limit time.Duration, arguments ...string) *Run {
	t.Helper()
	r := &Run{name: arguments[0], report: filepath.Join(t.TempDir(), "report.json"), ended: make(chan struct{}), began: time.Now()}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	r.patient = func() bool { return ctx.Err() == nil }
	r.cmd = Command(ctx, Root(t), "bin/l4-canary", append(arguments, "--report-json", r.report)...)
	r.cmd.Stdout, r.cmd.Stderr = &r.output, &r.output
	require.NoError(t, r.cmd.Start())
	go func() {
		defer close(r.ended)
		r.err = r.cmd.Wait()
		r.took = time.Since(r.began)
	}()
	t.Cleanup(func() { <-r.ended; cancel() })
	return r
}

// Process is for signals.
func (r *Run) Process() *os.Process { return r.cmd.Process }

// Ended is closed when the program has.
func (r *Run) Ended() <-chan struct{} { return r.ended }

// Wait returns when the program has ended.
func (r *Run) Wait(t *testing.T) Outcome {
	t.Helper()
	<-r.ended
	if _, ok := errors.AsType[*exec.ExitError](r.err); !ok {
		require.NoError(t, r.err)
	}
	end := Outcome{Exit: r.cmd.ProcessState.ExitCode(), Began: r.began, Took: r.took}
	if data, err := os.ReadFile(r.report); err == nil {
		require.NoError(t, json.Unmarshal(data, &end))
	}
	if !r.patient() {
		end.Message = "it did not end by itself"
	}
	t.Logf("%s: exit %d after %s\n%s", r.name, end.Exit, end.Took.Round(time.Millisecond), r.output.String())
	return end
}

// Passed reports whether a stage has, as far as the report can be read: it is written
// anew all the time.
func (r *Run) Passed(stage string) bool {
	var now Outcome
	data, err := os.ReadFile(r.report)
	return err == nil && json.Unmarshal(data, &now) == nil && slices.ContainsFunc(now.Stages, func(s struct{ Name, Verdict string }) bool {
		return s.Name == stage && s.Verdict == "pass"
	})
}

// Files is how many files the program has open now, sockets too; 0 once it has ended.
func (r *Run) Files() int {
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	return len(open)
}
