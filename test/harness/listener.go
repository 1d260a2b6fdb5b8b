//go:build e2e

package harness

import (
	"bufio"
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

// answer is what one new connection heard.
type answer struct {
	at      time.Time // when it was opened
	version string    // empty if it heard nothing
}

// Listener asks a Service fifty times a second which version answers.
type Listener struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu    sync.Mutex
	heard []answer
}

// Listen begins to ask an address, until End or the end of the test.
func Listen(t *testing.T, address string) *Listener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &Listener{stop: cancel}
	s.done.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for tick(ctx, ticker) {
			s.done.Go(func() { s.ask(context.WithoutCancel(ctx), address) })
		}
	})
	t.Cleanup(func() { cancel(); s.done.Wait() })
	return s
}

func (s *Listener) ask(ctx context.Context, address string) {
	heard := answer{at: time.Now()}
	if conn, err := dial(ctx, address); err == nil {
		_ = conn.SetDeadline(time.Now().Add(patience))
		line, _ := bufio.NewReader(conn).ReadString('\n')
		heard.version, _, _ = strings.Cut(line, " ")
		conn.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, heard)
}

// End stops asking and gives the first and the last time a version answered after a
// moment, and how many connections heard nothing.
func (s *Listener) End(version string, after time.Time) (first, last time.Time, silent int) {
	s.stop()
	s.done.Wait()
	for _, heard := range s.heard {
		switch {
		case heard.version == "":
			silent++
		case heard.version == version && heard.at.After(after):
			if first.IsZero() || heard.at.Before(first) {
				first = heard.at
			}
			if heard.at.After(last) {
				last = heard.at
			}
		}
	}
	return first, last, silent
}
