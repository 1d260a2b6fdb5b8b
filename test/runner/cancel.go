//go:build e2e

package runner

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Cancel does to the step what a runner does when its job is cancelled: SIGINT to the
// docker client, SIGTERM after a while, and in the end it kills the client. The container
// is not the client: it may go on.
func (c *Container) Cancel(t *testing.T) Result {
	t.Helper()
	for _, stage := range []struct {
		signal   os.Signal
		patience time.Duration
	}{
		{syscall.SIGINT, c.step.Runner.AfterInterrupt},
		{syscall.SIGTERM, c.step.Runner.AfterTerminate},
	} {
		c.sent = append(c.sent, stage.signal.String())
		require.NoError(t, c.cmd.Process.Signal(stage.signal))
		select {
		case err := <-c.ended:
			return c.finish(t, err)
		case <-time.After(stage.patience):
		}
	}
	c.sent = append(c.sent, "killed")
	require.NoError(t, c.cmd.Process.Kill())
	return c.finish(t, <-c.ended)
}
