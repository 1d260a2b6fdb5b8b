//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// clients use a Service all the time, as its users would.
type clients struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu     sync.Mutex
	opened int
	failed []string
	cuts   []cut
}

// cut is the end of an established connection.
type cut struct {
	at  time.Time
	pod string
}

// use opens a hundred new connections a second to the Service's first TCP port,
// and holds some that echo a line five times a second. The connections begin
// before it returns.
func (l *lab) use(t *testing.T, namespace string, held int) *clients {
	t.Helper()
	service, err := l.CoreV1().Services(namespace).Get(t.Context(), "lobby", metav1.GetOptions{})
	require.NoError(t, err)
	address := net.JoinHostPort(service.Status.LoadBalancer.Ingress[0].IP, fmt.Sprint(service.Spec.Ports[0].Port))
	ctx, cancel := context.WithCancel(t.Context())
	c := &clients{stop: cancel}
	for range held {
		conn, err := dial(ctx, address)
		require.NoError(t, err)
		reader := bufio.NewReader(conn)
		greeting, err := reader.ReadString('\n')
		require.NoError(t, err)
		c.done.Go(func() { c.hold(ctx, conn, reader, greeting) })
	}
	c.done.Go(func() { c.come(ctx, address) })
	t.Cleanup(func() { cancel(); c.done.Wait() })
	return c
}

// come opens connections until ctx ends.
func (c *clients) come(ctx context.Context, address string) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		c.done.Go(func() {
			err := visit(context.WithoutCancel(ctx), address)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.opened++
			if err != nil {
				c.failed = append(c.failed, fmt.Sprintf("%s %v", time.Now().Format("15:04:05.000"), err))
			}
		})
	}
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 3 * time.Second}
	return dialer.DialContext(ctx, "tcp", address)
}

// visit makes one connection and reads the greeting.
func visit(ctx context.Context, address string) error {
	conn, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err = conn.SetDeadline(time.Now().Add(3 * time.Second)); err != nil {
		return err
	}
	_, err = bufio.NewReader(conn).ReadString('\n')
	return err
}

// hold echoes on a connection until it is cut.
func (c *clients) hold(ctx context.Context, conn net.Conn, reader *bufio.Reader, greeting string) {
	defer conn.Close()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
		_, err := fmt.Fprintln(conn, "still there?")
		if err == nil {
			_, err = reader.ReadString('\n')
		}
		if err != nil {
			var version, pod string
			_, _ = fmt.Sscan(greeting, &version, &pod)
			c.mu.Lock()
			c.cuts = append(c.cuts, cut{time.Now(), pod})
			c.mu.Unlock()
			return
		}
	}
}

// requireNoneLost ends the clients: no new connection failed.
func (c *clients) requireNoneLost(t *testing.T) {
	t.Helper()
	c.stop()
	c.done.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Logf("clients: %d new connections, %d failed; %d held ones ended", c.opened, len(c.failed), len(c.cuts))
	require.Positive(t, c.opened)
	require.Empty(t, c.failed)
}
