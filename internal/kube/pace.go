package kube

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// A look at the caches costs what there are pods. Each of a thousand that come changes
// several times, so that looking at all of them with every change would keep a core busy
// that the runner, or the rest of this program, has use for.
const (
	restsFor    = 4                      // times as long as a look took
	longestRest = 250 * time.Millisecond // whatever it took
)

// restAfter is how long nobody looks again after a look that took so long: with ten pods less
// than a millisecond.
func restAfter(took time.Duration) time.Duration { return min(restsFor*took, longestRest) }

// looked notes that somebody has looked.
func (c *Cluster) looked(took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = time.Now().Add(restAfter(took))
}

// lean leaves out of what the caches keep who wrote which field, which nobody asks but of
// Deployments.
func lean(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.Pod:
		o.ManagedFields = nil
	case *appsv1.ReplicaSet:
		o.ManagedFields = nil
	case *discoveryv1.EndpointSlice:
		o.ManagedFields = nil
	}
	return object, nil
}

// pause reports whether it was not cut short.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
