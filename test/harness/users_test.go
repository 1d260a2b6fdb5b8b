//go:build e2e

package harness

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pod is a server that answers as the workload does, over TCP and UDP on one port, and can
// be told to end what it has.
type pod struct {
	address string
	mu      sync.Mutex
	name    string
	conns   []net.Conn
}

func newPod(t *testing.T, name string) *pod {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	datagrams, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", listener.Addr().String())
	require.NoError(t, err)
	p := &pod{address: listener.Addr().String(), name: name}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			done.Go(func() { p.converse(conn) })
		}
	})
	done.Go(func() { p.answer(datagrams) })
	t.Cleanup(func() {
		listener.Close()
		_ = datagrams.Close()
		p.cut("")
		done.Wait()
	})
	return p
}

func (p *pod) called() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.name
}

func (p *pod) converse(conn net.Conn) {
	defer conn.Close()
	p.mu.Lock()
	p.conns = append(p.conns, conn)
	p.mu.Unlock()
	_, _ = fmt.Fprintf(conn, "v1 %s\n", p.called())
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		_, _ = fmt.Fprintf(conn, "v1 %s\n", lines.Text())
	}
}

func (p *pod) answer(datagrams net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		_, peer, err := datagrams.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = datagrams.WriteTo(fmt.Appendf(nil, "v1 %s\n", p.called()), peer)
	}
}

// cut ends every connection; from then on another pod answers.
func (p *pod) cut(next string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name = next
	for _, conn := range p.conns {
		conn.Close()
	}
	p.conns = nil
}

// TestUsers: users come all the time; whose conversation ends begins another, and it is
// known which pod it was with.
func TestUsers(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"tcp", "udp"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "one")
			u := Attend(t, nil, protocol, p.address, 10*time.Millisecond, 2)
			met := gather(t, u, func(met Met) bool { return met.Opened > 20 })
			require.Empty(t, met.Lost)
			require.Empty(t, met.Ended)
			p.cut("two")
			met = gather(t, u, func(met Met) bool { return len(met.Ended) == 2 })
			for _, end := range met.Ended {
				require.Equal(t, "one", end.Pod)
				require.Equal(t, protocol, end.Protocol)
				require.True(t, end.Ended.After(end.Began))
				require.Error(t, end.Err)
			}
			gather(t, u, func(met Met) bool { return met.Opened > 20 }) // and the two have begun anew
			p.cut("three")
			met = gather(t, u, func(met Met) bool { return len(met.Ended) == 2 })
			require.Equal(t, "two", met.Ended[0].Pod, "they had begun anew")
			u.Leave()
			u.Take()
			require.Zero(t, u.Take(), "nobody is there any more")
		})
	}
}

// gather adds up what users meet until it is enough.
func gather(t *testing.T, u *Users, enough func(Met) bool) Met {
	t.Helper()
	var sum Met
	require.Eventually(t, func() bool {
		met := u.Take()
		sum.Opened += met.Opened
		sum.Lost, sum.Ended = append(sum.Lost, met.Lost...), append(sum.Ended, met.Ended...)
		return enough(sum)
	}, 20*time.Second, 10*time.Millisecond)
	return sum
}

// TestUsersLose: a flow that nobody answers is a loss, and not a node's.
func TestUsersLose(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	listener.Close()
	u := Attend(t, nil, "tcp", address, 10*time.Millisecond, 0)
	met := gather(t, u, func(met Met) bool { return len(met.Lost) > 3 })
	require.ErrorContains(t, met.Lost[0].Err, "connection refused")
	require.Empty(t, met.Lost[0].Pod)
	astray, rare := met.Astray()
	require.Zero(t, astray)
	require.True(t, rare)
}

// TestMetAstray: what a rollout loses does not pass for what a node does.
func TestMetAstray(t *testing.T) {
	t.Parallel()
	met := Met{Opened: 500, Lost: []Loss{{Hole: "one"}, {}, {Hole: "one"}}}
	count, rare := met.Astray()
	require.Equal(t, 2, count)
	require.True(t, rare, "both fell into one hole")
	met.Lost[1].Hole = "another"
	count, rare = met.Astray()
	require.Equal(t, 3, count)
	require.False(t, rare)
}

// TestDepartures: a pod is spared what it has not had of its drain yet.
func TestDepartures(t *testing.T) {
	t.Parallel()
	left := time.Now()
	d := &Departures{at: map[string]time.Time{"a": left}}
	require.True(t, d.Spared("a", left.Add(2*time.Second), 2*time.Second))
	require.False(t, d.Spared("a", left.Add(time.Second), 2*time.Second), "too soon")
	require.False(t, d.Spared("b", left.Add(time.Hour), 2*time.Second), "it never left")
}

// TestTalkEnds: a conversation ends with its user, which is no error.
func TestTalkEnds(t *testing.T) {
	t.Parallel()
	p := newPod(t, "one")
	ctx, cancel := context.WithCancel(t.Context())
	c, err := Converse(ctx, nil, "tcp", p.address)
	require.NoError(t, err)
	require.Equal(t, "one", c.Pod)
	time.AfterFunc(time.Second, cancel)
	require.NoError(t, c.Talk(ctx))
}
