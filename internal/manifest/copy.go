package manifest

import (
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// ReleaseLabel marks the pods of a copy with the release they are of. It is all that
// the copy's selector asks for, so that its pods can lose any label of the Service and
// still be its own.
const ReleaseLabel = "l4-canary.io/release"

// copySuffix is what a copy's name ends in.
const copySuffix = "-canary"

// copyOf is the Deployment that carries the new version while the one it is named
// after serves. It is no canary yet: see [Roles.Stamp].
func copyOf(o Object) Object {
	result := o.copied()
	result.SetName(o.GetName() + copySuffix)
	return result
}

// Stamp marks the copy of single mode with its release and with the attempt at it.
// In other modes it does nothing. A release that was handed over, rolled back and
// handed over again would else leave two ReplicaSets of one template behind, and
// the Deployment controller would move all pods to the older.
func (r *Roles) Stamp(release, attempt string) {
	if r.Mode != Single {
		return
	}
	value := release[:min(len(release), 16)] + "-" + attempt
	stamped := r.Canary.Manifest.copied()
	own := map[string]any{ReleaseLabel: value}
	set(stamped.Object, map[string]any{"matchLabels": own}, "spec", "selector")
	set(stamped.Object, value, "spec", "template", "metadata", "labels", ReleaseLabel)
	set(stamped.Object, value, "metadata", "labels", ReleaseLabel)
	r.Canary.Manifest = &stamped
}

// isCopy reports whether a live Deployment is a copy that a rollout made.
func isCopy(l Live) bool {
	if l.Object.Unstructured == nil {
		return false
	}
	_, ours := l.Object.GetLabels()[ReleaseLabel]
	return ours
}

// one works out the roles where a single Deployment of the manifests is behind the
// Service: the first version, or a new one of it.
func (s Selection) one(side Role, live []Live) (Roles, error) {
	if !side.Serves() {
		return Roles{Mode: Bootstrap, Stable: side, Fresh: true}, nil
	}
	copied := copyOf(*side.Manifest)
	roles := Roles{Mode: Single, Stable: side, Canary: Role{Name: copied.GetName(), Manifest: &copied}}
	for i, l := range live {
		if l.Name != copied.GetName() {
			continue
		}
		if !isCopy(l) {
			return Roles{}, Problems{{Place: side.Manifest.Place,
				Message: fmt.Sprintf("the new version of Deployment %q would run as %q, but there is a Deployment of that name that is none of ours", side.Name, l.Name),
				Hint:    "rename or delete it"}}
		}
		roles.Canary.Live = &live[i]
	}
	if selector, err := podMatcher(side.Current()); err == nil && selector.Matches(labels.Set(TemplateLabels(*side.Manifest))) {
		roles.Notices = append(roles.Notices, fmt.Sprintf(
			"the selector of Deployment %q matches the pods of %q too; that is harmless, because ReplicaSets own their pods", side.Name, roles.Canary.Name))
	}
	return roles, nil
}

// SameTemplate reports whether the pods of two Deployments are of the same version,
// whatever release they came with. Both must come from an API server, which makes
// defaults explicit.
func SameTemplate(a, b Object) bool { return reflect.DeepEqual(versionOf(a), versionOf(b)) }

// versionOf is a pod template without what no version is told by.
func versionOf(o Object) any {
	bare := o.copied()
	unstructured.RemoveNestedField(bare.Object, "spec", "template", "metadata", "labels", ReleaseLabel)
	unstructured.RemoveNestedField(bare.Object, "spec", "template", "metadata", "creationTimestamp")
	return field(bare.Object, "spec", "template")
}

// RecallRoles are the roles of a rollout that is under way: then what serves no
// longer tells which side is which. It is false if the manifests no longer hold
// what that rollout was about.
func RecallRoles(selection Selection, live []Live, mode Mode, stable, canary string) (Roles, bool) {
	roles := Roles{Mode: mode, Stable: Role{Name: stable}, Canary: Role{Name: canary}}
	for i, object := range selection.Deployments {
		switch object.GetName() {
		case stable:
			roles.Stable.Manifest = &selection.Deployments[i]
		case canary:
			roles.Canary.Manifest = &selection.Deployments[i]
		}
	}
	for i, l := range live {
		switch l.Name {
		case stable:
			roles.Stable.Live = &live[i]
		case canary:
			roles.Canary.Live = &live[i]
		}
	}
	if mode == Single && roles.Stable.Manifest != nil {
		copied := copyOf(*roles.Stable.Manifest)
		roles.Canary.Manifest = &copied
	}
	return roles, roles.Canary.Manifest != nil
}
