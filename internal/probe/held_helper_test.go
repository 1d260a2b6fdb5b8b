package probe

import (
	"bufio"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// How often held flows talk in these tests. Datagrams are asked for no more than three
// times, and a busy machine may need longer than that for an answer.
const (
	often  = 20 * time.Millisecond
	seldom = 300 * time.Millisecond
)

// holding opens flows, and closes them with the test.
func holding(t *testing.T, every time.Duration, count int, ports ...Port) *Held {
	t.Helper()
	h, err := hold(t.Context(), Options{
		Ports: ports, Addresses: loopback(), Classifier: oldAndNew(t), Count: count, Timeout: 3 * time.Second, Cursor: NewCursor(1),
	}, every)
	require.NoError(t, err)
	t.Cleanup(h.Close)
	return h
}

// requireEnd waits until every flow has ended like that, at that time or after it.
func requireEnd(t *testing.T, h *Held, how Ending, after time.Time) {
	t.Helper()
	for _, f := range h.flows {
		for h.state(f).How == "" {
			select {
			case <-time.After(often):
			case <-t.Context().Done():
			}
		}
		require.Equal(t, how, h.state(f).How)
		require.WithinRange(t, h.state(f).Ended, after.Add(-2*h.every), time.Now())
	}
}

func (h *Held) state(f *held) HeldFlow {
	h.mu.Lock()
	defer h.mu.Unlock()
	return f.seen
}

// requireAlive: all flows were opened and none has ended.
func requireAlive(t *testing.T, h *Held, version Version, pod string) {
	t.Helper()
	for _, f := range h.Flows() {
		require.NoError(t, f.Err)
		require.Equal(t, HeldFlow{Port: f.Port, Address: loopback()[0], Version: version, Pod: pod}, f)
	}
}

// lobby is a server of lines: it greets, echoes and counts until told to end every
// conversation.
type lobby struct {
	lines atomic.Int64
	mu    sync.Mutex
	conns []net.Conn
}

func (l *lobby) serve(conn net.Conn) {
	l.mu.Lock()
	l.conns = append(l.conns, conn)
	l.mu.Unlock()
	_, _ = fmt.Fprintln(conn, "old web-1")
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		l.lines.Add(1)
		_, _ = fmt.Fprintln(conn, "new", lines.Text()) // an echo says nothing of the version
	}
}

// each does something to all conversations.
func (l *lobby) each(do func(net.Conn)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		do(conn)
	}
}

// await blocks until so much more was said.
func await(t *testing.T, counter *atomic.Int64, more int64) {
	t.Helper()
	for goal := counter.Load() + more; counter.Load() < goal; {
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
		}
	}
}
