package kube

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// read is the Lease as it is now, nil if there is none.
func (p *party) read(t *testing.T) *LeaseRecord {
	t.Helper()
	record, err := p.client.ReadLease(t.Context(), namespace, "lobby")
	require.NoError(t, err)
	return record
}

// eachStumble runs a test with one write that is not made, and with one that is made and
// nobody hears of. The test has begun stumbling when it has called the function.
func eachStumble(t *testing.T, test func(t *testing.T, l *leases, stumble func())) {
	t.Helper()
	for name, how := range map[string]stumble{"turned away": turnsAway, "answer lost": hangsUp} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLeases()
				test(t, l, func() { l.stumbles(how) })
				require.True(t, l.stumbled(), "nothing was written")
			})
		})
	}
}

func TestAcquireInsists(t *testing.T) {
	t.Parallel()
	eachStumble(t, func(t *testing.T, l *leases, stumble func()) { //nolint:thelper // it is the test
		stumble()
		p := l.party(on("a", 1))
		lease, held := p.must(t, Acquisition{})
		require.Equal(t, 1, p.read(t).Holder.PID)
		require.NoError(t, lease.Write(t.Context(), []byte("{}")))
		require.NoError(t, held.Err())
		require.NoError(t, lease.Release(t.Context(), true))

		stumble() // and now there is one to be taken
		next, _ := l.party(on("b", 2)).must(t, Acquisition{})
		require.JSONEq(t, "{}", string(next.State()), "what it remembered is not lost")
		require.NoError(t, next.Release(t.Context(), false))
	})
}

func TestWriteInsists(t *testing.T) {
	t.Parallel()
	eachStumble(t, func(t *testing.T, l *leases, stumble func()) { //nolint:thelper // it is the test
		p := l.party(on("a", 1))
		lease, held := p.must(t, Acquisition{})
		stumble()
		require.NoError(t, lease.Write(t.Context(), []byte(`{"stage":25}`)))
		require.JSONEq(t, `{"stage":25}`, string(p.read(t).State))
		require.NoError(t, held.Err())
		require.NoError(t, lease.Release(t.Context(), false))
		require.Nil(t, p.read(t))
	})
}

func TestReleaseInsists(t *testing.T) {
	t.Parallel()
	eachStumble(t, func(t *testing.T, l *leases, stumble func()) { //nolint:thelper // it is the test
		p := l.party(on("a", 1))
		lease, _ := p.must(t, Acquisition{})
		require.NoError(t, lease.Write(t.Context(), []byte("{}")))
		lease.Interrupted()
		stumble()
		require.NoError(t, lease.Release(t.Context(), true))
		record := p.read(t)
		require.False(t, record.Held)
		require.True(t, record.Cut)
		require.JSONEq(t, "{}", string(record.State))
	})
}

func TestDeletionInsists(t *testing.T) {
	t.Parallel()
	eachStumble(t, func(t *testing.T, l *leases, stumble func()) { //nolint:thelper // it is the test
		p := l.party(on("a", 1))
		lease, _ := p.must(t, Acquisition{})
		stumble()
		require.NoError(t, lease.Release(t.Context(), false))
		require.Nil(t, p.read(t))
	})
}

// The last write before the end was made, and nobody heard of it: what is deleted is not
// at the version that is known.
func TestDeletionLooksAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeases()
		p := l.party(on("a", 1))
		lease, _ := p.must(t, Acquisition{})
		ctx, cancel := context.WithCancel(t.Context())
		l.stumbles(hangsUp)
		cancel() // nobody waits for another try
		require.ErrorContains(t, lease.Write(ctx, []byte("{}")), "EOF")
		require.JSONEq(t, "{}", string(p.read(t).State))
		require.NoError(t, lease.Release(t.Context(), false))
		require.Nil(t, p.read(t))
	})
}

// Whoever comes between two tries of a release has the Lease.
func TestReleaseLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeases()
		lease, _ := l.party(on("a", 1)).must(t, Acquisition{})
		l.stumbles(hangsUp)
		released := make(chan error)
		go func() { released <- lease.Release(t.Context(), true) }()
		time.Sleep(tryAfter / 2)
		p := l.party(on("b", 2))
		next, held := p.must(t, Acquisition{})
		require.NoError(t, <-released)
		require.Equal(t, 2, p.read(t).Holder.PID)
		require.True(t, p.read(t).Held)
		require.NoError(t, held.Err())
		require.NoError(t, next.Release(t.Context(), false))
	})
}

// What does not pass is an error in the end, and soon.
func TestLeaseDoesNotInsistForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeases()
		lease, _ := l.party(on("a", 1)).must(t, Acquisition{})
		l.setDown(true)
		began := time.Now()
		require.ErrorContains(t, lease.Write(t.Context(), []byte("{}")), "down")
		require.Less(t, time.Since(began), insistFor+2*tryAfter)
		began = time.Now()
		require.ErrorContains(t, lease.Release(t.Context(), true), `releasing lease "l4-canary-lobby": down`)
		require.Less(t, time.Since(began), insistFor+2*tryAfter)

		require.False(t, again(t.Context(), &LockedError{}, time.Now()), "an answer that is none of the API server's")
	})
}
