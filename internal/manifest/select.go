package manifest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const kindDeployment = "Deployment"

// ErrNoService says that no Service of the manifests fits.
var ErrNoService = errors.New("no such Service in the manifests")

// Set are the objects of all manifests, in the order they were read.
type Set struct {
	Objects []Object
}

// Selection is a Set seen from one Service.
type Selection struct {
	Service     Object
	Deployments []Object // behind the Service
	Others      []Object // to be applied before the first stage, in dependency order; the Service too if it is in the manifests
	Skipped     []Object // workloads not behind the Service
}

// Service is the one with a name, or the only LoadBalancer Service. If there is none
// the error is [ErrNoService]; a live Service may then take its place.
func (s Set) Service(name string) (Object, error) {
	var named, balancers, all []Object
	for _, object := range s.Objects {
		if object.GetKind() != "Service" || group(object) != "" {
			continue
		}
		all = append(all, object)
		if object.GetName() == name {
			named = append(named, object)
		}
		if IsLoadBalancer(object) {
			balancers = append(balancers, object)
		}
	}
	found := balancers
	if name != "" {
		found = named
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return Object{}, fmt.Errorf("%d Services of type LoadBalancer: %s: write one of them in input \"service\"", len(found), titles(found))
	case name != "":
		return Object{}, fmt.Errorf("%w: %q%s", ErrNoService, name, candidatesText(all))
	}
	return Object{}, fmt.Errorf("%w: none is of type LoadBalancer%s; name one, of the manifests or live, in input \"service\"", ErrNoService, candidatesText(all))
}

// HasService reports whether the manifests hold a Service of any kind.
func (s Set) HasService() bool {
	return slices.ContainsFunc(s.Objects, func(o Object) bool { return o.GetKind() == "Service" && group(o) == "" })
}

func candidatesText(services []Object) string {
	if len(services) == 0 {
		return "; they hold no Service at all"
	}
	return "; they hold " + titles(services)
}

// titles lists objects with their places.
func titles(objects []Object) string {
	var words []string
	for _, object := range objects {
		words = append(words, fmt.Sprintf("%q (%s)", object.GetName(), object.Place))
	}
	return conjoin(words)
}

// Behind sorts the set by what a Service, of the manifests or live, selects. The error
// is [Problems]: pods behind the Service that no Deployment makes cannot be counted.
func (s Set) Behind(service Object) (Selection, error) {
	selection := Selection{Service: service, Others: s.Others()}
	selector := Selector(service)
	var problems Problems
	if len(selector) == 0 {
		problems = append(problems, Problem{Place: service.Place, Message: service.Title() + " has no selector: there are no pods to count behind it"})
	}
	for _, object := range s.Objects {
		behind := isWorkload(object) && selects(selector, TemplateLabels(object)) && object.GetNamespace() == service.GetNamespace()
		switch {
		case !isWorkload(object):
		case !behind:
			selection.Skipped = append(selection.Skipped, object)
		case object.GetKind() == kindDeployment:
			selection.Deployments = append(selection.Deployments, object)
		default:
			problems = append(problems, Problem{Place: object.Place,
				Message: fmt.Sprintf("%s is behind %s: its pods take part of the flows, and only Deployments can be rolled out", object.Title(), service.Title()),
				Hint:    fmt.Sprintf("give its pods other labels than %s, or the Service a narrower selector", labelText(selector))})
		}
	}
	return selection, problems.orNil()
}

// Others are the objects that make no pods, in dependency order.
func (s Set) Others() []Object {
	var others []Object
	for _, object := range s.Objects {
		if !isWorkload(object) {
			others = append(others, object)
		}
	}
	slices.SortStableFunc(others, func(a, b Object) int { return rank(a) - rank(b) })
	return others
}

// labelText is labels as kubectl writes them, sorted.
func labelText(labels map[string]string) string {
	if len(labels) == 0 {
		return "(none)"
	}
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, key+"="+labels[key])
	}
	return strings.Join(pairs, ",")
}
