package manifest

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Live is a Deployment in the cluster.
type Live struct {
	Name     string
	Labels   map[string]string // of its pod template
	Replicas int               // spec.replicas
	Ready    int               // status.readyReplicas
	Object   Object            // the whole of it
}

// Serves reports whether it has pods that answer.
func (l Live) Serves() bool { return l.Replicas > 0 && l.Ready > 0 }

// Role is stable or the canary: in the manifests, in the cluster, or in both.
type Role struct {
	Name     string
	Manifest *Object // nil if only live
	Live     *Live   // nil if only in the manifests
}

// Serves reports whether it has pods that answer.
func (r Role) Serves() bool { return r.Live != nil && r.Live.Serves() }

// Object is what the role is, or is to become: the manifest where there is one, else
// the live object.
func (r Role) Object() Object {
	switch {
	case r.Manifest != nil:
		return *r.Manifest
	case r.Live != nil && r.Live.Object.Unstructured != nil:
		return r.Live.Object
	}
	return Object{Unstructured: &unstructured.Unstructured{Object: map[string]any{}}}
}

// Current is what the role's pods are made from right now: a serving template is never
// applied, so the live one counts.
func (r Role) Current() Object {
	if r.Serves() && r.Live.Object.Unstructured != nil {
		return r.Live.Object
	}
	return r.Object()
}

// Labels are those of the role's pods.
func (r Role) Labels() map[string]string {
	if r.Serves() {
		return r.Live.Labels
	}
	return TemplateLabels(r.Object())
}

// Mode is how stable and canary come about.
type Mode string

// The modes of the contract.
const (
	Pair      Mode = "pair"      // two Deployments, whose roles alternate
	Single    Mode = "single"    // one, and a copy of it while it is rolled out
	Bootstrap Mode = "bootstrap" // the first one; there is no canary
)

// Roles say which Deployment is which.
type Roles struct {
	Mode    Mode
	Stable  Role
	Canary  Role
	Fresh   bool     // stable does not serve: it is applied first, at its manifest's replicas
	Notices []string // about names that decided nothing and Deployments left out
}

// AssignRoles works out which Deployment behind the Service is stable and which is
// the canary. The one that serves is stable, whatever the names. The names given
// decide only when neither or both serve. live may hold Deployments that are not
// behind the Service: they are ignored. The error is [Problems].
func AssignRoles(selection Selection, live []Live, stable, canary string) (Roles, error) {
	sides, notices := candidates(selection, live)
	if len(sides) == 1 && sides[0].Manifest != nil && !selection.wantsPair(sides[0], stable, canary) {
		return selection.one(sides[0], live)
	}
	if problems := selection.countProblems(sides, stable, canary); len(problems) > 0 {
		return Roles{}, problems
	}
	roles := Roles{Mode: Pair, Stable: sides[0], Canary: sides[1], Notices: notices}
	first, second := sides[0].Serves(), sides[1].Serves()
	if first != second {
		if second {
			roles.Stable, roles.Canary = sides[1], sides[0]
		}
		roles.Notices = append(roles.Notices, roles.ignoredNames(stable, canary)...)
	} else {
		swap, problems := selection.byName(sides, stable, canary, first)
		if len(problems) > 0 {
			return Roles{}, problems
		}
		if swap {
			roles.Stable, roles.Canary = sides[1], sides[0]
		}
	}
	roles.Fresh = !roles.Stable.Serves()
	return roles, roles.problems().orNil()
}

// candidates are the Deployments of the manifests and of the cluster behind the
// Service, by name. One that is only live and scaled to zero is an older release, kept
// on purpose, and takes no part.
func candidates(selection Selection, live []Live) ([]Role, []string) {
	var sides []Role
	var notices []string
	for i, object := range selection.Deployments {
		sides = append(sides, Role{Name: object.GetName(), Manifest: &selection.Deployments[i]})
	}
	for i, l := range live {
		at := slices.IndexFunc(sides, func(r Role) bool { return r.Name == l.Name })
		switch {
		case at >= 0:
			sides[at].Live = &live[i]
		case !selects(Selector(selection.Service), l.Labels), isCopy(l):
		case l.Replicas == 0:
			notices = append(notices, fmt.Sprintf("Deployment %q is behind the Service too, with 0 replicas and in no manifest: it takes no part", l.Name))
		default:
			sides = append(sides, Role{Name: l.Name, Live: &live[i]})
		}
	}
	slices.SortFunc(sides, func(a, b Role) int { return strings.Compare(a.Name, b.Name) })
	return sides, notices
}
