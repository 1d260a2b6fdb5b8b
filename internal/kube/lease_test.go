package kube

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/org/l4-canary/internal/rollout"
)

// leases is an API server's memory of Leases, with resourceVersions, which the
// fake does without.
type leases struct {
	typed *fake.Clientset

	mu      sync.Mutex
	version int
	down    bool    // updates fail
	stumble stumble // what happens to the next write
}

// stumble is what becomes of one write.
type stumble int

const (
	steady    stumble = iota // it is made
	turnsAway                // it is not made, as the answer says
	hangsUp                  // it is made, and nobody hears of it
)

func newLeases() *leases {
	l := &leases{typed: fake.NewClientset(), version: 100}
	l.typed.PrependReactor("*", "leases", l.react)
	return l
}

// react is what an API server does before it writes.
func (l *leases) react(action clienttesting.Action) (bool, runtime.Object, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch write := action.(type) {
	case clienttesting.CreateActionImpl:
		l.bump(write.Object)
	case clienttesting.UpdateActionImpl:
		if l.down {
			return true, nil, apierrors.NewServiceUnavailable("down")
		}
		object := write.Object.(*coordinationv1.Lease)
		if l.changed(object.Name, object.ResourceVersion) {
			return true, nil, apierrors.NewConflict(coordinationv1.Resource("leases"), object.Name, errors.New("changed"))
		}
		l.bump(object)
	case clienttesting.DeleteActionImpl:
		if p := write.DeleteOptions.Preconditions; p != nil && l.changed(write.Name, *p.ResourceVersion) {
			return true, nil, apierrors.NewConflict(coordinationv1.Resource("leases"), write.Name, errors.New("changed"))
		}
	default:
		return false, nil, nil
	}
	how := l.stumble
	l.stumble = steady
	switch how {
	case turnsAway:
		return true, nil, apierrors.NewServiceUnavailable("turned away")
	case hangsUp:
		_, _, err := clienttesting.ObjectReaction(l.typed.Tracker())(action)
		return true, nil, &url.Error{Op: action.GetVerb(), URL: "leases", Err: cmp.Or(err, io.EOF)}
	case steady:
	}
	return false, nil, nil
}

// changed reports whether a Lease is not at this version.
func (l *leases) changed(name, version string) bool {
	now, err := l.typed.Tracker().Get(coordinationv1.SchemeGroupVersion.WithResource("leases"), namespace, name)
	return err == nil && now.(*coordinationv1.Lease).ResourceVersion != version
}

func (l *leases) bump(object runtime.Object) {
	l.version++
	object.(*coordinationv1.Lease).ResourceVersion = strconv.Itoa(l.version)
}

func (l *leases) setDown(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

// stumbles has the next write go wrong.
func (l *leases) stumbles(how stumble) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stumble = how
}

// stumbled reports whether it has.
func (l *leases) stumbled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stumble == steady
}

// party is one process with a client of its own.
type party struct {
	client *Client
	me     Holder
}

func (l *leases) party(me Holder) *party { return &party{&Client{Typed: l.typed}, me} }

func (p *party) acquire(t *testing.T, how Acquisition) (*Lease, context.Context, error) {
	t.Helper()
	return p.client.Acquire(t.Context(), namespace, "lobby", p.me, how)
}

func (p *party) must(t *testing.T, how Acquisition) (*Lease, context.Context) {
	t.Helper()
	lease, held, err := p.acquire(t, how)
	require.NoError(t, err)
	return lease, held
}

// die ends a process without a word.
func die(l *Lease) {
	l.stop()
	l.done.Wait()
}

func on(host string, pid int) Holder {
	return Holder{Host: host, Boot: "b", PID: pid, Token: host + strconv.Itoa(pid)}
}

func TestLeaseIsHeldAndReleased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeases()
		lease, held := l.party(on("a", 1)).must(t, Acquisition{})
		require.Nil(t, lease.State())
		require.NoError(t, lease.Write(t.Context(), []byte(`{"stage":25}`)))
		time.Sleep(10 * time.Minute)
		require.NoError(t, held.Err())
		require.True(t, lease.valid())

		other := l.party(on("b", 2))
		record, err := other.client.ReadLease(t.Context(), namespace, "lobby")
		require.NoError(t, err)
		require.True(t, record.Held)
		require.Equal(t, "process 1 on a", record.Holder.String())
		require.Less(t, time.Since(record.Renewed), renewEvery+time.Second)

		began := time.Now()
		_, _, err = other.acquire(t, Acquisition{})
		locked, ok := errors.AsType[*LockedError](err)
		require.True(t, ok, err)
		require.Equal(t, 1, locked.Holder.PID)
		require.LessOrEqual(t, time.Since(began), renewEvery, "it was renewed while we looked")

		require.NoError(t, lease.Release(t.Context(), true))
		next, _ := other.must(t, Acquisition{})
		require.JSONEq(t, `{"stage":25}`, string(next.State()), "the record outlives its holder")
		require.NoError(t, next.Release(t.Context(), false))
		record, err = other.client.ReadLease(t.Context(), namespace, "lobby")
		require.NoError(t, err)
		require.Nil(t, record)
	})
}

// TestLeaseExpires by the taker's own clock: what the Lease says of time is
// another machine's.
func TestLeaseExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeases()
		lease, _ := l.party(on("a", 1)).must(t, Acquisition{})
		die(lease)
		time.Sleep(time.Hour)
		began := time.Now()
		next, _ := l.party(on("b", 2)).must(t, Acquisition{})
		require.Equal(t, expiresIn, time.Since(began))
		die(next)
	})
}

func TestLeaseIsTakenOverAtOnce(t *testing.T) {
	t.Parallel()
	ci := func(run, attempt, job string, number int) Holder {
		return Holder{Run: run, Attempt: attempt, Job: job, Workflow: "release.yml", Number: number, Token: run + attempt + job}
	}
	nobody := Acquisition{Alive: func(Holder) bool { return false }}
	rows := []struct {
		name       string
		first, who Holder
		how        Acquisition
		superseded bool
		waits      bool
	}{
		{name: "another attempt of the same job", first: ci("7", "1", "release", 7), who: ci("7", "2", "release", 7)},
		{name: "another job of the same run", first: ci("7", "1", "release", 7), who: ci("7", "1", "other", 7), waits: true},
		{name: "a dead process of this host", first: on("a", 1), who: on("a", 2), how: nobody},
		{name: "a process of another host, alive or not", first: on("b", 1), who: on("a", 2), how: nobody, waits: true},
		{name: "an older run", first: ci("8", "1", "release", 8), who: ci("7", "1", "release", 7), superseded: true},
		{name: "an older run that rolls back", first: ci("8", "1", "release", 8), who: ci("7", "1", "release", 7), how: Acquisition{Seize: true}, waits: true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLeases()
				lease, _ := l.party(row.first).must(t, Acquisition{})
				die(lease)
				began := time.Now()
				next, _, err := l.party(row.who).acquire(t, row.how)
				if row.superseded {
					newer, ok := errors.AsType[*SupersededError](err)
					require.True(t, ok, err)
					require.Equal(t, 8, newer.Holder.Number)
					return
				}
				require.NoError(t, err)
				require.Equal(t, row.waits, time.Since(began) >= expiresIn)
				die(next)
			})
		})
	}
}

// TestTidy: a Lease whose holder is no more is given back, and no other.
func TestTidy(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		host    string
		alive   bool
		state   string
		held    bool
		remains bool
	}{
		{name: "it ended, with something to remember", host: "a", state: "{}", remains: true},
		{name: "it ended, with nothing to remember", host: "a"},
		{name: "it lives", host: "a", alive: true, state: "{}", held: true, remains: true},
		{name: "nobody knows whether it lives", host: "b", state: "{}", held: true, remains: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLeases()
				lease, _ := l.party(on(row.host, 1)).must(t, Acquisition{})
				if row.state != "" {
					require.NoError(t, lease.Write(t.Context(), []byte(row.state)))
				}
				die(lease)
				me := l.party(on("a", 2))
				how := Acquisition{Alive: func(Holder) bool { return row.alive }}
				for range 2 { // the second time there is nothing to do
					require.NoError(t, me.client.Tidy(t.Context(), namespace, "lobby", me.me, how))
				}
				record, err := me.client.ReadLease(t.Context(), namespace, "lobby")
				require.NoError(t, err)
				require.Equal(t, row.remains, record != nil)
				if record != nil {
					require.Equal(t, row.held, record.Held)
					require.Equal(t, row.state, string(record.State))
				}
			})
		})
	}
}

// TestLeaseIsNotTrustedWithoutRenewals: whoever cannot renew stops writing before
// anybody else may begin.
func TestLeaseIsNotTrustedWithoutRenewals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeases()
		lease, held := l.party(on("a", 1)).must(t, Acquisition{})
		time.Sleep(25 * time.Second)
		l.setDown(true)
		time.Sleep(20 * time.Second)
		require.True(t, lease.valid(), "an outage of 20 s does no harm")
		l.setDown(false)
		time.Sleep(renewEvery)
		l.setDown(true)
		time.Sleep(validFor)
		require.False(t, lease.valid())
		time.Sleep(renewEvery)
		require.ErrorContains(t, context.Cause(held), "the lease could not be renewed for 40s, and from then on anybody may take the rollout over: down")
		require.ErrorIs(t, context.Cause(held), rollout.ErrLost)
		require.ErrorIs(t, context.Cause(held), rollout.ErrAway)
		require.Error(t, lease.Write(t.Context(), []byte("{}")))
		require.NoError(t, lease.Release(t.Context(), true))
	})
}

func TestLeaseThatWasDeletedIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLeases()
		lease, held := l.party(on("a", 1)).must(t, Acquisition{})
		synctest.Wait() // watches of the fake begin now, not at a resourceVersion
		require.NoError(t, l.typed.CoordinationV1().Leases(namespace).Delete(t.Context(), LeaseName("lobby"), metav1.DeleteOptions{}))
		synctest.Wait()
		require.ErrorContains(t, context.Cause(held), "deleted")
		require.NoError(t, lease.Release(t.Context(), true))
	})
}

func TestLeaseHoldsOnlySoMuch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lease, _ := newLeases().party(on("a", 1)).must(t, Acquisition{})
		require.ErrorContains(t, lease.Write(t.Context(), bytes.Repeat([]byte("x"), maxState+1)), "at most")
		die(lease)
	})
}
