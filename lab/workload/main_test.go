package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// asProgram makes the test binary be the workload, so that signals and exit
// statuses are tried on a real process.
const asProgram = "WORKLOAD_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// command is the workload on free ports of loopback.
func command(t *testing.T, args []string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append([]string{
		asProgram + "=1", "VERSION=new", "HOSTNAME=web-1",
		"HTTP_ADDR=" + anyPort, "TCP_ADDR=" + anyPort, "UDP_ADDR=" + anyPort, "HEALTH_ADDR=" + anyPort,
	}, env...)
	return cmd
}

// begin starts cmd and waits until its log has the given text. What comes after
// it can be read from the result.
func begin(t *testing.T, cmd *exec.Cmd, text string) *bufio.Reader {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(stderr)
	for line := ""; !strings.Contains(line, text); line = readLine(t, lines) {
	}
	return lines
}

func TestProgramExits(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		args   []string
		env    string
		status int
		stderr string
	}{
		{"bad value", nil, "DELAY=fast", 2, `DELAY="fast": allowed is a duration of zero or more, such as 250ms or 2s`},
		{"bad argument", []string{"serve"}, "", 2, `unknown arguments ["serve"]: allowed are none, to serve, or "pause"`},
		{"crash", nil, "CRASH_AFTER=1ms", 1, `msg="crashing as told" crash_after=1ms`},
		{"no such address", nil, "HTTP_ADDR=192.0.2.1:80", 1, "listening on TCP 192.0.2.1:80"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, tc.args, tc.env)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			var exit *exec.ExitError
			require.ErrorAs(t, cmd.Run(), &exit)
			require.Equal(t, tc.status, exit.ExitCode())
			require.Contains(t, stderr.String(), tc.stderr)
		})
	}
}

func TestProgramEndsBySIGTERM(t *testing.T) {
	t.Parallel()
	cmd := command(t, nil)
	log := begin(t, cmd, "msg=serving")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	rest, err := io.ReadAll(log)
	require.NoError(t, err)
	require.Contains(t, string(rest), "msg=stopped")
	require.NoError(t, cmd.Wait())
}

func TestProgramIgnoresSIGTERM(t *testing.T) {
	t.Parallel()
	cmd := command(t, nil, "IGNORE_SIGTERM=true")
	log := begin(t, cmd, "msg=serving")
	require.NotZero(t, ignored(t, cmd.Process.Pid)&(1<<(syscall.SIGTERM-1)))
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Process.Signal(os.Interrupt)) // which it still hears
	rest, err := io.ReadAll(log)
	require.NoError(t, err)
	require.Contains(t, string(rest), "msg=draining")
	require.NoError(t, cmd.Wait())
}

// ignored is the mask of the signals that the kernel keeps from a process.
func ignored(t *testing.T, pid int) uint64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(status), "SigIgn:\t")
	require.True(t, found)
	mask, err := strconv.ParseUint(strings.Fields(rest)[0], 16, 64)
	require.NoError(t, err)
	return mask
}

func TestPauseWaitsForASignal(t *testing.T) {
	t.Parallel()
	cmd := command(t, []string{"pause"})
	log := begin(t, cmd, "msg=pausing")
	require.NoError(t, cmd.Process.Signal(syscall.SIGCHLD))
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	_, err := io.Copy(io.Discard, log)
	require.NoError(t, err)
	require.NoError(t, cmd.Wait())
}
