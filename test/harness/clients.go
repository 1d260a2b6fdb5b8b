//go:build e2e

package harness

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a client waits for a connection, and for a line.
const patience = 3 * time.Second

// Clients use a Service all the time, as its users would.
type Clients struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu     sync.Mutex
	opened int
	failed []string
	astray []string // that the node lost, whatever a rollout did
	holes  map[string]bool
	ended  int
}

// Use opens a new connection to an address every so often, and holds some that
// echo a line five times a second. Those begin before it returns.
func Use(t *testing.T, address string, every time.Duration, held int) *Clients {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := &Clients{stop: cancel, holes: map[string]bool{}}
	t.Cleanup(func() { c.Stop() })
	for range held {
		conn, err := dial(ctx, address)
		require.NoError(t, err)
		reader := bufio.NewReader(conn)
		_, err = reader.ReadString('\n')
		require.NoError(t, err)
		c.done.Go(func() { c.hold(ctx, conn, reader) })
	}
	c.done.Go(func() { c.come(ctx, address, every) })
	return c
}

// Stop ends the clients. It returns how many new connections there were, those
// that failed with the time and the error, and how many held ones were cut. Those that
// went [Clients.Astray] are not among the failed, unless they are too many for it.
func (c *Clients) Stop() (opened int, failed []string, ended int) {
	c.stop()
	c.done.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	failed = c.failed
	if !few(len(c.holes), c.opened) {
		failed = append(slices.Clone(failed), c.astray...)
	}
	return c.opened, failed, c.ended
}

// Astray are the new connections that a node's kernel lost, with the time and what the
// node knows of them.
func (c *Clients) Astray() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.astray)
}

// Opened is how many new connections have ended so far, one way or the other.
func (c *Clients) Opened() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened
}

// RequireNoneLost ends the clients: no new connection failed.
func (c *Clients) RequireNoneLost(t *testing.T) {
	t.Helper()
	opened, failed, ended := c.Stop()
	t.Logf("clients: %d new connections, %d failed; %d held ones ended", opened, len(failed), ended)
	for _, stray := range c.Astray() {
		t.Logf("clients: one went astray, %s", stray)
	}
	require.Positive(t, opened)
	require.Empty(t, failed)
}

// come opens connections until ctx ends.
func (c *Clients) come(ctx context.Context, address string, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for tick(ctx, ticker) {
		c.done.Go(func() {
			began := time.Now()
			err := visit(context.WithoutCancel(ctx), address)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.opened++
			if err == nil {
				return
			}
			said := fmt.Sprintf("%s, begun %s before: %v", time.Now().Format("15:04:05.000"), time.Since(began).Round(time.Millisecond), err)
			if hole := holeOf(err); hole != "" {
				c.holes[hole] = true
				c.astray = append(c.astray, said)
				return
			}
			c.failed = append(c.failed, said)
		})
	}
}

// visit makes one connection and reads the greeting.
func visit(ctx context.Context, address string) error {
	conn, err := dial(ctx, address)
	if err != nil {
		return err
	}
	return greeted(conn)
}

// greeted reads a line and ends the connection.
func greeted(conn net.Conn) error {
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := bufio.NewReader(conn).ReadString('\n')
	return err
}

// hold echoes on a connection until it is cut.
func (c *Clients) hold(ctx context.Context, conn net.Conn, reader *bufio.Reader) {
	defer conn.Close()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for tick(ctx, ticker) {
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, err := fmt.Fprintln(conn, "still there?")
		if err == nil {
			_, err = reader.ReadString('\n')
		}
		if err != nil {
			c.mu.Lock()
			c.ended++
			c.mu.Unlock()
			return
		}
	}
}
