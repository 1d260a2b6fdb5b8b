package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A write of the Lease that the API server could not take, or whose answer was lost, is
// tried again so soon, until so long after the first. At the end of a run, when nothing
// else is waited for, each try has so long for an answer.
const (
	tryAfter   = 500 * time.Millisecond
	insistFor  = 10 * time.Second
	releasesIn = 5 * time.Second
)

// again reports whether a request for the Lease is worth another try, and waits for the
// time of that. Every write carries the resourceVersion that it was made of: one that was
// carried out, though nobody heard of it, is a conflict the next time and is not made twice.
//
// By then insistence has repeated the request for some seconds. This lasts longer, for
// without its Lease a rollout may not even go back, and adds what only a Lease allows: that
// a request which creates one is made again.
func again(ctx context.Context, err error, began time.Time) bool {
	switch {
	case err == nil:
		return false
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return true // it changed: look again
	case !Unreachable(err) || time.Since(began) >= insistFor:
		return false
	}
	return pause(ctx, tryAfter)
}

// Release gives the Lease back: with keep it stays, without a holder, as the record
// of the rollout; else it is deleted. One that is lost is left alone, except that a
// taker is told that we have stopped.
func (l *Lease) Release(ctx context.Context, keep bool) error {
	l.stop()
	l.done.Wait()
	l.mu.Lock()
	gone, cut := l.gone, l.cut
	object := l.object.DeepCopy()
	l.mu.Unlock()
	if gone != nil {
		if _, taken := errors.AsType[*TakenOverError](gone); taken {
			_ = l.letGo(ctx, object) // whoever took it goes on without our word
		}
		return nil
	}
	for began := time.Now(); ; {
		if cut && keep {
			metav1.SetMetaDataAnnotation(&object.ObjectMeta, cutAnnotation, "true")
		}
		err := l.giveBack(ctx, object, keep)
		if !again(ctx, err, began) {
			return err
		}
		record, err := l.client.ReadLease(ctx, l.namespace, strings.TrimPrefix(object.Name, leasePrefix))
		switch {
		case err != nil && !again(ctx, err, began):
			return err
		case err != nil:
		case record == nil || record.Holder.Token != l.me.Token:
			return nil // it is done, and others may have been here since
		default:
			object = record.object
		}
	}
}

// giveBack deletes the Lease, or lets it go.
func (l *Lease) giveBack(ctx context.Context, object *coordinationv1.Lease, keep bool) error {
	ctx, cancel := context.WithTimeout(ctx, releasesIn)
	defer cancel()
	if keep {
		return l.letGo(ctx, object)
	}
	err := l.client.Typed.CoordinationV1().Leases(l.namespace).Delete(ctx, object.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{ResourceVersion: &object.ResourceVersion},
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting lease %q: %w", object.Name, err)
	}
	return nil
}

// letGo writes that nobody holds the Lease.
func (l *Lease) letGo(ctx context.Context, object *coordinationv1.Lease) error {
	object.Spec.HolderIdentity = nil
	_, err := l.client.Typed.CoordinationV1().Leases(l.namespace).Update(ctx, object, metav1.UpdateOptions{FieldManager: FieldManager})
	if err != nil {
		return fmt.Errorf("releasing lease %q: %w", object.Name, err)
	}
	return nil
}
