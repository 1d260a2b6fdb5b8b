package kube

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLeaseIsSeized: a rollback marks it; the live run stops, says so, and the
// rollback goes on.
func TestLeaseIsSeized(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeases()
		lease, held := l.party(on("a", 1)).must(t, Acquisition{})
		who := l.party(on("b", 2))
		go l.stopWhenLost(t, lease, held, who.me)
		began := time.Now()
		next, _ := who.must(t, Acquisition{Seize: true})
		require.GreaterOrEqual(t, time.Since(began), time.Second, "not before the other had stopped")
		require.Less(t, time.Since(began), expiresIn)
		synctest.Wait()
		record, err := l.party(on("c", 9)).client.ReadLease(t.Context(), namespace, "lobby")
		require.NoError(t, err)
		require.Empty(t, record.Seized)
		die(next)
	})
}

// stopWhenLost is a live run that one of some others takes over.
func (l *leases) stopWhenLost(t *testing.T, lease *Lease, held context.Context, takers ...Holder) {
	t.Helper()
	ctx := context.WithoutCancel(held)
	<-held.Done()
	require.False(t, lease.valid())
	taken, ok := errors.AsType[*TakenOverError](context.Cause(held))
	require.True(t, ok, context.Cause(held))
	var names []string
	for _, taker := range takers {
		names = append(names, taker.String())
	}
	require.Contains(t, names, taken.By)
	time.Sleep(time.Second) // a last answer on its way
	require.NoError(t, lease.Release(ctx, true))
}

// TestRollbacksWaitForEachOther: of two rollbacks that want a live run's Lease one
// gets it, and is left alone until it is done, or gone for good.
func TestRollbacksWaitForEachOther(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, first *Lease){
		"done": func(t *testing.T, first *Lease) {
			t.Helper()
			require.NoError(t, first.Release(t.Context(), false))
		},
		"gone": func(_ *testing.T, first *Lease) { die(first) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLeases()
				lease, held := l.party(on("a", 1)).must(t, Acquisition{})
				require.NoError(t, lease.Write(t.Context(), []byte(`{"stage":25}`)))
				rollbacks := []*party{l.party(on("b", 2)), l.party(on("c", 3))}
				go l.stopWhenLost(t, lease, held, rollbacks[0].me, rollbacks[1].me)
				type holding struct {
					lease *Lease
					lost  func() error
					err   error
				}
				won := make(chan holding, len(rollbacks))
				for _, p := range rollbacks {
					go func() {
						lease, held, err := p.acquire(t, Acquisition{Seize: true})
						if err != nil {
							held = t.Context()
						}
						won <- holding{lease, held.Err, err}
					}()
				}
				first := <-won
				require.NoError(t, first.err)
				require.Less(t, l.written(), 120, "they fight over the mark")
				time.Sleep(5 * time.Minute)
				require.Empty(t, won)
				require.NoError(t, first.lost(), "a rollback is not taken over by another")
				end(t, first.lease)
				began := time.Now()
				second := <-won
				require.NoError(t, second.err)
				require.LessOrEqual(t, time.Since(began), expiresIn)
				require.Equal(t, name == "done", second.lease.State() == nil)
				die(second.lease)
			})
		})
	}
}

// written is the version of the last write.
func (l *leases) written() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.version
}
