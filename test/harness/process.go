//go:build e2e

package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Process is a server that runs until the test ends.
type Process struct {
	PID int
	Log string // the file of what it prints

	cmd   *exec.Cmd
	ended chan struct{}
}

// Start runs a program in a directory, which gets its log.
func Start(t *testing.T, dir string, argv ...string) *Process {
	t.Helper()
	p := &Process{Log: filepath.Join(dir, "log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	defer func() { require.NoError(t, log.Close()) }()
	p.cmd = exec.Command(argv[0], argv[1:]...) //nolint:noctx // Stop ends it, politely
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, log, log
	require.NoError(t, p.cmd.Start())
	p.PID = p.cmd.Process.Pid
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // it was told to end
	}()
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			said, _ := os.ReadFile(p.Log) // a test that failed fails anyway
			t.Logf("%s:\n%s", argv[0], said)
		}
	})
	return p
}

// Stop ends it, if it has not ended: with SIGKILL when ten seconds were too little.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}
