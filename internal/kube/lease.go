package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/internal/rollout"
)

// The Lease of a Service, and what it carries.
const (
	leasePrefix      = "l4-canary-"
	holderAnnotation = "l4-canary.io/holder" // who holds it, or held it last
	stateAnnotation  = "l4-canary.io/state"  // what the rollout remembers
	seizedAnnotation = "l4-canary.io/taken-over-by"
	cutAnnotation    = "l4-canary.io/interrupted" // the last holder was told to stop, and left it undone

	renewEvery = 10 * time.Second
	validFor   = 40 * time.Second // the holder stops writing so long after a renewal
	expiresIn  = 60 * time.Second // a taker waits so long after the last change it saw

	maxState = 200 << 10
)

// LeaseName is the name of a Service's Lease.
func LeaseName(service string) string { return leasePrefix + service }

// LeaseRecord is what a Lease says.
type LeaseRecord struct {
	Held    bool   // by Holder, as far as it says itself
	Holder  Holder // or who held it last
	State   []byte // nil if there is none
	Renewed time.Time
	Seized  string // who is taking it over, empty if nobody is
	Cut     bool   // the last holder was interrupted; one that was killed still holds it

	object *coordinationv1.Lease
}

// ReadLease reads a Service's Lease, nil if there is none.
func (c *Client) ReadLease(ctx context.Context, namespace, service string) (*LeaseRecord, error) {
	object, err := c.Typed.CoordinationV1().Leases(namespace).Get(ctx, LeaseName(service), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	if err != nil {
		return nil, fmt.Errorf("reading lease %q: %w", LeaseName(service), err)
	}
	return recordOf(object), nil
}

// Leases are the Services of a namespace that have a Lease, sorted.
func (c *Client) Leases(ctx context.Context, namespace string) ([]string, error) {
	list, err := c.Typed.CoordinationV1().Leases(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing leases in namespace %q: %w", namespace, err)
	}
	var services []string
	for _, lease := range list.Items {
		if service, ours := strings.CutPrefix(lease.Name, leasePrefix); ours {
			services = append(services, service)
		}
	}
	return sorted(services), nil
}

func recordOf(object *coordinationv1.Lease) *LeaseRecord {
	r := &LeaseRecord{object: object, Seized: object.Annotations[seizedAnnotation]}
	_, r.Cut = object.Annotations[cutAnnotation]
	r.Held = object.Spec.HolderIdentity != nil && *object.Spec.HolderIdentity != ""
	// A holder that cannot be read is a stranger, who expires as any other.
	_ = json.Unmarshal([]byte(object.Annotations[holderAnnotation]), &r.Holder)
	if state, ok := object.Annotations[stateAnnotation]; ok {
		r.State = []byte(state)
	}
	if object.Spec.RenewTime != nil {
		r.Renewed = object.Spec.RenewTime.Time
	}
	return r
}

// Lease is the one right to write to the rollout of a Service, and its memory. It
// is renewed until it is released or lost.
type Lease struct {
	client    *Client
	namespace string
	me        Holder
	found     []byte
	lost      context.CancelCauseFunc
	stop      context.CancelFunc
	done      sync.WaitGroup

	mu      sync.Mutex
	object  *coordinationv1.Lease // as last written
	renewed time.Time             // when that was begun, by the monotonic clock
	gone    error                 // why it is not ours any more
	cut     bool                  // we were interrupted
}

// leaseKind is what a Lease is as an owner.
const leaseKind = "Lease"

// owner makes something go with the Lease.
func (l *Lease) owner() metav1.OwnerReference {
	l.mu.Lock()
	defer l.mu.Unlock()
	return metav1.OwnerReference{
		APIVersion: coordinationv1.SchemeGroupVersion.String(), Kind: leaseKind, Name: l.object.Name, UID: l.object.UID,
	}
}

// isLease reports whether something goes with a Lease.
func isLease(owner metav1.OwnerReference) bool { return owner.Kind == leaseKind }

// State is the memory of the rollout as it was found, nil if there was none.
func (l *Lease) State() []byte { return l.found }

// Write replaces the memory.
func (l *Lease) Write(ctx context.Context, state []byte) error {
	if len(state) > maxState {
		return fmt.Errorf("writing the state of the rollout: it is %d bytes, and a lease holds at most %d", len(state), maxState)
	}
	return l.update(ctx, func(object *coordinationv1.Lease) {
		metav1.SetMetaDataAnnotation(&object.ObjectMeta, stateAnnotation, string(state))
	})
}

// Forget removes the memory, for a rollout that was undone.
func (l *Lease) Forget(ctx context.Context) error {
	return l.update(ctx, func(object *coordinationv1.Lease) { delete(object.Annotations, stateAnnotation) })
}

// Remembers reports whether there is anything to remember.
func (l *Lease) Remembers() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, remembers := l.object.Annotations[stateAnnotation]
	return remembers
}

// Interrupted has the Lease say, once it is released, that we were told to stop
// and left undone what it remembers.
func (l *Lease) Interrupted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
}

// valid reports whether a write may be sent now.
func (l *Lease) valid() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	// The monotonic clock stands still while a machine sleeps, the other does not.
	age := max(time.Since(l.renewed), time.Now().Round(0).Sub(l.renewed.Round(0)))
	return l.gone == nil && age < validFor
}

// keep renews the Lease.
func (l *Lease) keep(ctx context.Context) {
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		limited, cancel := context.WithTimeout(ctx, renewEvery)
		err := l.update(limited, func(*coordinationv1.Lease) {})
		cancel()
		if err != nil && !l.valid() && ctx.Err() == nil {
			l.lose(&UnrenewedError{err})
			return
		}
	}
}

// guard watches for somebody who takes the Lease over.
func (l *Lease) guard(ctx context.Context) {
	for ctx.Err() == nil {
		l.mu.Lock()
		object := l.object
		l.mu.Unlock()
		err := l.client.followLease(ctx, l.namespace, object, l.see)
		if err == nil {
			return // it is not ours any more
		}
		pause(ctx, time.Second) // the API server is away; renewals find out for how long
	}
}

// see takes note of what a Lease has become, and reports whether it is lost.
func (l *Lease) see(record *LeaseRecord) (lost bool) {
	switch {
	case record.object == nil:
		l.lose(fmt.Errorf("%w: the lease was deleted", rollout.ErrLost))
	case record.Holder.Token != l.me.Token: // also one that was given back since
		l.lose(&TakenOverError{record.Holder.String()})
	case record.Seized != "":
		l.mu.Lock()
		l.object = record.object
		l.mu.Unlock()
		l.lose(&TakenOverError{record.Seized})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone != nil
}

// lose ends the Lease for us.
func (l *Lease) lose(why error) {
	l.mu.Lock()
	first := l.gone == nil
	if first {
		l.gone = why
	}
	l.mu.Unlock()
	if first {
		l.lost(why)
	}
}

// update changes and renews the Lease. A conflict is read again: whoever changed it
// may have done no more than mark it.
func (l *Lease) update(ctx context.Context, change func(*coordinationv1.Lease)) error {
	for began := time.Now(); ; {
		l.mu.Lock()
		gone, object := l.gone, l.object.DeepCopy()
		l.mu.Unlock()
		if gone != nil {
			return gone
		}
		change(object)
		if err := l.write(ctx, object); !again(ctx, err, began) {
			return err
		}
		now, err := l.client.Typed.CoordinationV1().Leases(l.namespace).Get(ctx, object.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			l.see(&LeaseRecord{})
			continue
		case again(ctx, err, began):
			continue
		case err != nil:
			return fmt.Errorf("reading lease %q: %w", object.Name, err)
		}
		l.see(recordOf(now))
		l.mu.Lock()
		l.object = now
		l.mu.Unlock()
	}
}

// write sends the Lease with our name and the present time.
func (l *Lease) write(ctx context.Context, object *coordinationv1.Lease) error {
	holder, err := json.Marshal(l.me)
	if err != nil {
		return err
	}
	metav1.SetMetaDataAnnotation(&object.ObjectMeta, holderAnnotation, string(holder))
	began := time.Now()
	identity, renewed, lives := l.me.String(), metav1.NewMicroTime(began), int32(expiresIn/time.Second)
	object.Spec.HolderIdentity, object.Spec.RenewTime, object.Spec.LeaseDurationSeconds = &identity, &renewed, &lives
	api := l.client.Typed.CoordinationV1().Leases(l.namespace)
	var written *coordinationv1.Lease
	if object.ResourceVersion == "" {
		written, err = api.Create(ctx, object, metav1.CreateOptions{FieldManager: FieldManager})
	} else {
		written, err = api.Update(ctx, object, metav1.UpdateOptions{FieldManager: FieldManager})
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.object, l.renewed = written, began
	return nil
}
