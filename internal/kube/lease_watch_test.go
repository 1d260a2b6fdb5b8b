package kube

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	clienttesting "k8s.io/client-go/testing"

	"github.com/org/l4-canary/internal/rollout"
)

// watches is how often watching the Leases was asked for.
func (l *leases) watches() int {
	n := 0
	for _, action := range l.typed.Actions() {
		if action.Matches("watch", "leases") {
			n++
		}
	}
	return n
}

// TestLeaseIsWatchedOnce: its own renewals end no watch.
func TestLeaseIsWatchedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeases()
		lease, held := l.party(on("a", 1)).must(t, Acquisition{})
		time.Sleep(10 * time.Minute)
		require.Equal(t, 1, l.watches())
		rival, _ := l.party(on("b", 2)).must(t, Acquisition{Seize: true})
		synctest.Wait()
		_, taken := errors.AsType[*TakenOverError](context.Cause(held))
		require.True(t, taken, "that watch still tells: %v", context.Cause(held))
		require.NoError(t, lease.Release(t.Context(), true))
		die(rival)
	})
}

// TestLeaseTooOldToWatch: one that nobody has renewed for long is not at a version that
// can be watched from. It is watched from now, and expires as any other.
func TestLeaseTooOldToWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeases()
		lease, _ := l.party(on("a", 1)).must(t, Acquisition{})
		die(lease)
		old, before := lease.object.ResourceVersion, l.watches()
		l.typed.PrependWatchReactor("leases", func(action clienttesting.Action) (bool, watch.Interface, error) {
			if action.(clienttesting.WatchAction).GetWatchRestrictions().ResourceVersion == old {
				return true, nil, apierrors.NewResourceExpired("too old resource version")
			}
			return false, nil, nil
		})
		began := time.Now()
		party := l.party(on("b", 2))
		record, err := party.client.ReadLease(t.Context(), namespace, "lobby")
		require.NoError(t, err)
		record, err = party.client.expire(t.Context(), namespace, record, party.me, Acquisition{})
		require.NoError(t, err)
		require.NotNil(t, record)
		require.Equal(t, expiresIn, time.Since(began))
		require.Equal(t, 2, l.watches()-before, "one was refused, and one lasted")
	})
}

// TestLeaseThatGoesWhileNobodyWatches is heard of all the same.
func TestLeaseThatGoesWhileNobodyWatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeases()
		cut := watch.NewFake()
		l.typed.PrependWatchReactor("leases", func(clienttesting.Action) (bool, watch.Interface, error) { return true, cut, nil })
		lease, held := l.party(on("a", 1)).must(t, Acquisition{})
		time.Sleep(tryAfter)
		require.NoError(t, l.typed.Tracker().Delete(coordinationv1.SchemeGroupVersion.WithResource("leases"), namespace, LeaseName("lobby")))
		require.NoError(t, held.Err())
		cut.Stop()
		synctest.Wait()
		require.ErrorContains(t, context.Cause(held), "deleted")
		require.NoError(t, lease.Release(t.Context(), true))
	})
}

// TestLeaseWatchesThatAreCut: what stands before an API server may cut every watch at once.
// It is not asked without a pause then.
func TestLeaseWatchesThatAreCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const mostAsked = 500
		l, asked := newLeases(), 0
		l.typed.PrependWatchReactor("leases", func(clienttesting.Action) (bool, watch.Interface, error) {
			if asked++; asked > mostAsked {
				return true, nil, errors.New("asked without end")
			}
			cut := watch.NewFake()
			cut.Stop()
			return true, cut, nil
		})
		lease, held := l.party(on("a", 1)).must(t, Acquisition{})
		time.Sleep(time.Minute)
		require.LessOrEqual(t, l.watches(), int(time.Minute/tryAfter)+1)
		require.NoError(t, held.Err())
		require.NoError(t, l.typed.CoordinationV1().Leases(namespace).Delete(t.Context(), LeaseName("lobby"), metav1.DeleteOptions{}))
		time.Sleep(tryAfter)
		synctest.Wait()
		require.ErrorContains(t, context.Cause(held), "deleted", "and it is heard of all the same")
		require.NoError(t, lease.Release(t.Context(), true))
	})
}

// TestLeaseThatOthersHadMeanwhile: the next attempt of a job took it and gave it back while
// nobody watched. What it remembers is not ours any more.
func TestLeaseThatOthersHadMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		attempt := func(number string) Holder { return Holder{Run: "7", Job: "release", Attempt: number, Token: number} }
		l := newLeases()
		l.typed.PrependWatchReactor("leases", func(clienttesting.Action) (bool, watch.Interface, error) { return true, watch.NewFake(), nil })
		lease, held := l.party(attempt("1")).must(t, Acquisition{})
		next, _ := l.party(attempt("2")).must(t, Acquisition{})
		require.NoError(t, next.Write(t.Context(), []byte(`{"stage":50}`)))
		require.NoError(t, next.Release(t.Context(), true))

		_, taken := errors.AsType[*TakenOverError](lease.Write(t.Context(), []byte(`{"stage":25}`)))
		require.True(t, taken)
		require.ErrorIs(t, context.Cause(held), rollout.ErrLost)
		require.NoError(t, lease.Release(t.Context(), true))
		record, err := (&Client{Typed: l.typed}).ReadLease(t.Context(), namespace, "lobby")
		require.NoError(t, err)
		require.JSONEq(t, `{"stage":50}`, string(record.State))
	})
}
