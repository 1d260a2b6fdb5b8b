//go:build e2e

package harness

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Engine is a Docker engine of the test's own. It touches nothing of the machine's
// network: containers are on that of the machine, or on none.
type Engine struct{ dir string }

// SocketFile is the path of the engine's socket.
func (e *Engine) SocketFile() string { return e.dir + "/s.sock" }

// Host is the engine's address, as a client takes it.
func (e *Engine) Host() string { return "unix://" + e.SocketFile() }

// Env is the client's environment.
func (e *Engine) Env() []string {
	return []string{"DOCKER_BUILDKIT=0", "DOCKER_CONFIG=" + e.dir, "DOCKER_HOST=" + e.Host()}
}

// Do runs the client and returns what it prints.
func (e *Engine) Do(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "docker", args...)
	cmd.Env = append(os.Environ(), e.Env()...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "docker %v\n%s", args, out)
	return string(out)
}

// Docker starts an engine, which ends with the test.
func Docker(t *testing.T) *Engine {
	t.Helper()
	_, err := exec.LookPath("dockerd")
	require.NoError(t, err, "the container action is tested with a Docker engine: apt-get install docker.io busybox-static")
	//nolint:usetesting // t.TempDir's path is too long for a socket
	dir, err := os.MkdirTemp("", "docker")
	require.NoError(t, err)
	t.Cleanup(func() { removeEngine(t, dir) })
	e := &Engine{dir}
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	daemon := exec.CommandContext(context.WithoutCancel(t.Context()), "dockerd", "--data-root", dir+"/data", "--exec-root", dir+"/exec", "-H", e.Host(),
		"--pidfile", dir+"/pid", "--iptables=false", "--ip6tables=false", "--bridge=none")
	daemon.Stdout, daemon.Stderr = log, log
	require.NoError(t, daemon.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = daemon.Wait() // it ends by a signal
	}()
	t.Cleanup(func() {
		require.NoError(t, daemon.Process.Signal(syscall.SIGTERM))
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Error("dockerd did not end")
			require.NoError(t, daemon.Process.Kill())
		}
		require.NoError(t, log.Close())
	})
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return exec.CommandContext(ctx, "docker", "-H", e.Host(), "version").Run() == nil
	}, time.Minute, 200*time.Millisecond, "dockerd does not answer: see %s", log.Name())
	return e
}

// removeEngine removes an engine's folder, and first what it leaves mounted in
// there: the namespace of --network host.
func removeEngine(t *testing.T, dir string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	for line := range strings.Lines(string(mounts)) {
		if point := strings.Fields(line)[1]; strings.HasPrefix(point, dir+"/") {
			require.NoError(t, syscall.Unmount(point, 0), point)
		}
	}
	require.NoError(t, os.RemoveAll(dir))
}
