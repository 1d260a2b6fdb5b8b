package kube

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// Acquisition is how a Lease is acquired.
type Acquisition struct {
	Seize bool              // take it from whoever holds it: a rollback always wins, except over another one
	Alive func(Holder) bool // whether that process of this host still runs
}

// Acquire takes the Lease of a Service. The context it returns ends when the Lease
// is lost, with the reason as its cause. Errors are *LockedError, *SupersededError
// and the API server's.
//
// The clocks of other machines are never trusted: a Lease has expired when it did
// not change for a minute while we looked.
func (c *Client) Acquire(ctx context.Context, namespace, service string, me Holder, how Acquisition) (*Lease, context.Context, error) {
	me.Undoes = how.Seize
	for began := time.Now(); ; {
		record, err := c.ReadLease(ctx, namespace, service)
		if again(ctx, err, began) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if record != nil && !how.Seize && me.supersededBy(record.Holder) {
			return nil, nil, &SupersededError{record.Holder}
		}
		if free := record == nil || !record.Held || record.Holder.Token == me.Token || how.gone(me, record.Holder); !free {
			if record, err = c.expire(ctx, namespace, record, me, how); err != nil {
				return nil, nil, err
			}
			if record == nil {
				continue // it changed: look again
			}
		}
		lease, held, err := c.claim(ctx, namespace, service, me, record)
		if record == nil && apierrors.IsNotFound(err) {
			return nil, nil, err // there is no such namespace
		}
		if apierrors.IsAlreadyExists(err) || again(ctx, err, began) {
			continue // it changed, was deleted by who was done with it, or may be ours: look again
		}
		return lease, held, err
	}
}

// Tidy gives a Lease back whose holder is no more, as that would have done itself: it
// was killed with its very last words still to say. A Lease that may be held is left alone.
func (c *Client) Tidy(ctx context.Context, namespace, service string, me Holder, how Acquisition) error {
	record, err := c.ReadLease(ctx, namespace, service)
	if err != nil || record == nil || !record.Held || !how.gone(me, record.Holder) {
		return err
	}
	lease, _, err := c.claim(ctx, namespace, service, me, record)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // somebody else has it now
	}
	if err != nil {
		return err
	}
	return lease.Release(ctx, lease.Remembers())
}

// gone reports whether the holder will write nothing any more: its job is ours now, or
// it was a process of this host that is no more.
func (a Acquisition) gone(me, other Holder) bool {
	return me.succeeds(other) || me.neighbour(other) && a.Alive != nil && !a.Alive(other)
}

// expire waits until the Lease has not changed for as long as it lives, and returns
// it. It returns nil if the Lease changed hands meanwhile, and a *LockedError if it
// was renewed and may not be seized.
func (c *Client) expire(ctx context.Context, namespace string, record *LeaseRecord, me Holder, how Acquisition) (*LeaseRecord, error) {
	api := c.Typed.CoordinationV1().Leases(namespace)
	// Rollbacks want the same: two that take the Lease from each other would only
	// stop each other half-way.
	if how.Seize && record.Seized == "" && !record.Holder.Undoes {
		marked := record.object.DeepCopy()
		metav1.SetMetaDataAnnotation(&marked.ObjectMeta, seizedAnnotation, me.String())
		object, err := api.Update(ctx, marked, metav1.UpdateOptions{FieldManager: FieldManager})
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			return nil, nil //nolint:nilnil // it changed: look again
		}
		if err != nil {
			return nil, fmt.Errorf("taking lease %q over: %w", marked.Name, err)
		}
		record = recordOf(object)
	}
	limited, cancel := context.WithTimeout(ctx, expiresIn)
	defer cancel()
	changed, err := c.awaitLease(limited, namespace, record.object)
	switch {
	case limited.Err() != nil && ctx.Err() == nil:
		return record, nil
	case err != nil:
		return nil, err
	case !changed.Held || changed.Holder.Token != record.Holder.Token || how.Seize:
		return nil, nil //nolint:nilnil // it changed: look again
	}
	return nil, &LockedError{changed.Holder}
}

// awaitLease waits until the Lease is not what it was.
func (c *Client) awaitLease(ctx context.Context, namespace string, was *coordinationv1.Lease) (*LeaseRecord, error) {
	var changed *LeaseRecord
	err := c.followLease(ctx, namespace, was, func(record *LeaseRecord) bool {
		changed = record
		return true
	})
	return changed, err
}

// followLease tells of every state of the Lease after what it was, until enough says so:
// one watch for as long as that lasts, and no more than one in tryAfter, whatever stands
// before the API server makes of watches. A Lease that is no more is an empty record, and
// enough.
func (c *Client) followLease(ctx context.Context, namespace string, was *coordinationv1.Lease, enough func(*LeaseRecord) bool) error {
	from := was.ResourceVersion
	for {
		next := time.After(tryAfter)
		events, err := c.Typed.CoordinationV1().Leases(namespace).Watch(ctx, metav1.ListOptions{
			FieldSelector: "metadata.name=" + was.Name, ResourceVersion: from,
		})
		if err != nil && !apierrors.IsResourceExpired(err) {
			return fmt.Errorf("watching lease %q: %w", was.Name, err)
		}
		if err == nil {
			was, err = hear(ctx, events, was, enough)
			events.Stop()
			if was == nil || err != nil {
				return err
			}
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
		var now *LeaseRecord
		if now, from, err = c.listLease(ctx, namespace, was.Name); err != nil {
			return err
		}
		if now.object == nil || now.object.ResourceVersion != was.ResourceVersion {
			if enough(now) || now.object == nil {
				return nil
			}
		}
		was = now.object
	}
}

// hear tells of what a watch brings until that is enough, which is nil, or the watch is
// cut: then it returns what the Lease was last.
func hear(ctx context.Context, events watch.Interface, was *coordinationv1.Lease, enough func(*LeaseRecord) bool) (*coordinationv1.Lease, error) {
	for {
		next, err := nextLease(ctx, events)
		if next == nil || err != nil {
			return was, err
		}
		if enough(next) || next.object == nil {
			return nil, nil //nolint:nilnil // that was enough
		}
		was = next.object
	}
}

// listLease reads a Lease, an empty record if there is none, and says from where to watch
// it: one that has not changed for long is too old for that itself, and a watch of it
// would be refused again and again.
func (c *Client) listLease(ctx context.Context, namespace, name string) (record *LeaseRecord, from string, err error) {
	list, err := c.Typed.CoordinationV1().Leases(namespace).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		return nil, "", fmt.Errorf("reading lease %q: %w", name, err)
	}
	for i := range list.Items {
		if list.Items[i].Name == name {
			return recordOf(&list.Items[i]), list.ResourceVersion, nil
		}
	}
	return &LeaseRecord{}, list.ResourceVersion, nil
}

// nextLease is the next state that a watch tells of, nil if it was cut.
func nextLease(ctx context.Context, events watch.Interface) (*LeaseRecord, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case event, open := <-events.ResultChan():
			if !open || event.Type == watch.Error {
				return nil, nil //nolint:nilnil // the watch was cut
			}
			if event.Type == watch.Deleted {
				return &LeaseRecord{}, nil
			}
			if object, ok := event.Object.(*coordinationv1.Lease); ok && event.Type != watch.Bookmark {
				return recordOf(object), nil
			}
		}
	}
}

// claim writes our name into a Lease that is free.
func (c *Client) claim(ctx context.Context, namespace, service string, me Holder, record *LeaseRecord) (*Lease, context.Context, error) {
	lease := &Lease{client: c, namespace: namespace, me: me}
	object := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: LeaseName(service), Namespace: namespace}}
	if record != nil {
		object, lease.found = record.object.DeepCopy(), record.State
	}
	delete(object.Annotations, seizedAnnotation)
	delete(object.Annotations, cutAnnotation)
	if err := lease.write(ctx, object); err != nil {
		return nil, nil, fmt.Errorf("acquiring lease %q: %w", object.Name, err)
	}
	held, lost := context.WithCancelCause(ctx)
	lease.lost = lost
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	lease.stop = stop
	lease.done.Go(func() { lease.keep(renewing) })
	lease.done.Go(func() { lease.guard(renewing) })
	c.held.Store(lease)
	return lease, held, nil
}
