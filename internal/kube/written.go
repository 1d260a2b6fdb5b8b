package kube

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/org/l4-canary/internal/rollout"
)

// version is what our last write made of a Deployment. The API server counts the
// changes of a spec: whatever is above our generation is somebody else's.
type version struct {
	uid        types.UID
	generation int64
	others     int64 // changes by others that came before it
	gone       bool  // we deleted it
	seen       bool  // a cache has held it: if it is not there any more, somebody else deleted it
}

// seenBy reports whether a cache that holds d, or nothing, has seen the write.
func (v version) seenBy(d *appsv1.Deployment) bool {
	switch {
	case v == version{} || v.seen:
		return true
	case v.gone || d == nil:
		return v.gone && d == nil
	}
	return d.UID == v.uid && d.Generation >= v.generation
}

// foreign is how many changes of the Deployment are not ours, and the last of them
// in words.
func (v version) foreign(d *appsv1.Deployment) (int, string) {
	switch {
	case v.gone || !v.seen:
		return 0, ""
	case d == nil:
		return 1, "was deleted"
	case d.UID != v.uid:
		return 1, "was deleted and made anew"
	}
	changes := v.others + max(0, d.Generation-v.generation)
	if changes == 0 {
		return 0, ""
	}
	return int(changes), meddled(d.ManagedFields)
}

// deployment reads one from the cache, nil if there is none. What it is when it is
// first seen is where we begin to count.
func (c *Cluster) deployment(name string) (d *appsv1.Deployment, fresh bool, err error) {
	d, err = c.deployments.Get(name)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, false, fmt.Errorf("reading deployment %q: %w", name, err)
	}
	if err != nil {
		d = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	written := c.written[name]
	switch fresh = written.seenBy(d); {
	case written == version{} && d != nil:
		c.written[name] = version{uid: d.UID, generation: d.Generation, seen: true}
	case fresh && d != nil && !written.seen:
		written.seen = true
		c.written[name] = written
	}
	return d, fresh, nil
}

// compare takes note of what somebody else did to a Deployment.
func (c *Cluster) compare(pods *rollout.Pods, name string, d *appsv1.Deployment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pods.Foreign, pods.Change = c.written[name].foreign(d)
}

// wrote remembers our own write.
func (c *Cluster) wrote(name string, v version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written[name] = v
}

// wroteSpec remembers a write of ours that took a Deployment from one generation to
// another. What somebody else has done to it before stays somebody else's.
func (c *Cluster) wroteSpec(name string, uid types.UID, from, to int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := version{uid: uid, generation: to}
	if was := c.written[name]; was.uid == uid {
		v.others = was.others + max(0, from-was.generation)
	}
	c.written[name] = v
}

// meddled says what of a Deployment's spec another manager set last, and which.
func meddled(entries []metav1.ManagedFieldsEntry) string {
	entry := latest(entries, func(e metav1.ManagedFieldsEntry) bool { return e.Manager != FieldManager && len(specFields(e)) > 0 })
	if entry == nil {
		return "was changed"
	}
	return fmt.Sprintf("was changed by %q (of its spec that set %s)", entry.Manager, strings.Join(specFields(*entry), ", "))
}

// latest is the newest of the entries that count, nil if none does.
func latest(entries []metav1.ManagedFieldsEntry, counts func(metav1.ManagedFieldsEntry) bool) *metav1.ManagedFieldsEntry {
	var newest *metav1.ManagedFieldsEntry
	for i, entry := range entries {
		older := newest != nil && newest.Time != nil && entry.Time != nil && entry.Time.Before(newest.Time)
		if counts(entry) && !older {
			newest = &entries[i]
		}
	}
	return newest
}

// specFields are the fields of a spec that an entry has set.
func specFields(entry metav1.ManagedFieldsEntry) []string {
	var fields struct {
		Spec map[string]json.RawMessage `json:"f:spec"`
	}
	if entry.FieldsV1 == nil || json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil {
		return nil
	}
	names := slices.Sorted(maps.Keys(fields.Spec))
	for i := range names {
		names[i] = strings.TrimPrefix(names[i], "f:")
	}
	return names
}
