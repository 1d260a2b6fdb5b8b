//go:build e2e

package harness

import (
	"context"
	"sync"
	"testing"
	"time"
)

// Loss is a flow that did not come about, or a conversation that ended.
type Loss struct {
	Began, Ended time.Time
	Protocol     string
	Pod          string // of a conversation; empty: nobody answered
	Hole         string // where a node's kernel lost it, whatever a rollout did; empty: it did not
	Err          error
}

// Met is what users met in a while.
type Met struct {
	Opened int // new flows that have been answered, or were not
	Lost   []Loss
	Ended  []Loss // conversations
}

// Astray are the new flows that a node lost, and whether they are few enough for it to have
// been the node.
func (t Met) Astray() (count int, rare bool) {
	holes := map[string]bool{}
	for _, loss := range t.Lost {
		if loss.Hole != "" {
			count++
			holes[loss.Hole] = true
		}
	}
	return count, few(len(holes), t.Opened)
}

// Users use a Service all the time, and for as long as they like: new flows come every so
// often, and conversations that end are begun anew.
type Users struct {
	network *Network
	stop    context.CancelFunc
	done    sync.WaitGroup

	mu  sync.Mutex
	met Met
}

// Attend begins to use an address over a protocol, until the test ends.
func Attend(t *testing.T, network *Network, protocol, address string, every time.Duration, conversations int) *Users {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	u := &Users{network: network, stop: cancel}
	for range conversations {
		u.done.Go(func() { u.stay(ctx, protocol, address, every) })
	}
	u.done.Go(func() { u.come(ctx, protocol, address, every) })
	t.Cleanup(u.Leave)
	return u
}

// Leave ends the users.
func (u *Users) Leave() {
	u.stop()
	u.done.Wait()
}

// Take returns what the users met since they were asked last.
func (u *Users) Take() Met {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := u.met
	u.met = Met{}
	return taken
}

// come opens flows until ctx ends.
func (u *Users) come(ctx context.Context, protocol, address string, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for tick(ctx, ticker) {
		u.done.Go(func() {
			if c := u.meet(context.WithoutCancel(ctx), protocol, address); c != nil {
				c.Close()
			}
		})
	}
}

// stay holds one conversation after the other.
func (u *Users) stay(ctx context.Context, protocol, address string, pause time.Duration) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for tick(ctx, ticker) {
		began := time.Now()
		c := u.meet(ctx, protocol, address)
		if c == nil {
			continue
		}
		if err := c.Talk(ctx); err != nil {
			u.mu.Lock()
			u.met.Ended = append(u.met.Ended, Loss{Began: began, Ended: time.Now(), Protocol: protocol, Pod: c.Pod, Err: err})
			u.mu.Unlock()
		}
	}
}

// meet opens one flow, and counts it. Nil: nobody answered.
func (u *Users) meet(ctx context.Context, protocol, address string) *Conversation {
	began := time.Now()
	c, err := Converse(ctx, u.network, protocol, address)
	if ctx.Err() != nil && err != nil {
		return nil // the user left
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.met.Opened++
	if err == nil {
		return c
	}
	u.met.Lost = append(u.met.Lost, Loss{Began: began, Ended: time.Now(), Protocol: protocol, Hole: holeOf(err), Err: err})
	return nil
}

// tick waits, and reports whether ctx goes on.
func tick(ctx context.Context, ticker *time.Ticker) bool {
	select {
	case <-ctx.Done():
		return false
	case <-ticker.C:
		return true
	}
}
