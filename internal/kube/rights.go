package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Right is one verb on one resource of the namespace.
type Right struct{ Verb, Group, Resource, Subresource string }

// String is the right as it stands in messages: "patch deployments/scale (apps)".
func (r Right) String() string {
	name := r.Resource
	if r.Subresource != "" {
		name += "/" + r.Subresource
	}
	if r.Group != "" {
		name += " (" + r.Group + ")"
	}
	return r.Verb + " " + name
}

// Use says which ways of moving pods a rollout takes, as far as rights depend on it.
type Use struct {
	Creates bool // a Deployment that is not there yet
	Deletes bool // a Deployment: the copy, or the old version
	Parks   bool // pods are patched
	Orphans bool // released pods are deleted
	Pauses  bool // autoscalers are paused
	Asks    bool // pods are asked directly
	Smokes  bool // one of them is made for that
	Inside  bool // flows are made by a Job in the cluster
}

// Rights are everything that a rollout of the target will ask for: the README's Role
// holds them all.
func (c *Client) Rights(target Target, use Use) []Right {
	rights := readRights()
	for _, verb := range []string{"get", "list", "watch", "create", "update", "delete"} {
		rights = append(rights, Right{verb, "coordination.k8s.io", "leases", ""})
	}
	for _, r := range []struct {
		needed bool
		right  Right
	}{
		{true, Right{"patch", "apps", "deployments", ""}},
		{true, Right{"patch", "apps", "deployments", "scale"}},
		{use.Creates, Right{"create", "apps", "deployments", ""}},
		{use.Deletes, Right{"delete", "apps", "deployments", ""}},
		{true, Right{"get", "", "pods", "log"}},
		{use.Asks, Right{"get", "", "pods", "portforward"}},
		{use.Asks, Right{"create", "", "pods", "portforward"}},
		{use.Parks, Right{"patch", "", "pods", ""}},
		{use.Smokes, Right{"create", "", "pods", ""}},
		{use.Orphans || use.Smokes, Right{"delete", "", "pods", ""}},
		{use.Inside, Right{"create", "batch", "jobs", ""}},
		{use.Inside, Right{"delete", "batch", "jobs", ""}},
		{use.Inside, Right{"create", "", "secrets", ""}},
		{use.Pauses, Right{"list", "autoscaling", "horizontalpodautoscalers", ""}},
		{use.Pauses, Right{"patch", "autoscaling", "horizontalpodautoscalers", ""}},
	} {
		if r.needed {
			rights = append(rights, r.right)
		}
	}
	// What is unknown is for the dry run to say, and ClusterRights has what is in no namespace.
	rights = append(rights, c.applyRights(slices.Concat(target.Surroundings, target.Autoscalers), meta.RESTScopeNameNamespace)...)
	slices.SortFunc(rights, func(a, b Right) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(rights)
}

// ClusterRights are those that objects outside of any namespace need, such as the
// Namespace itself: no Role can grant them.
func (c *Client) ClusterRights(target Target) []Right {
	return c.applyRights(target.Surroundings, meta.RESTScopeNameRoot)
}

// applyRights are those that it takes to apply the objects of one scope, each once.
func (c *Client) applyRights(objects []*unstructured.Unstructured, scope meta.RESTScopeName) []Right {
	var rights []Right
	for _, object := range objects {
		kind := object.GroupVersionKind()
		mapping, err := c.Mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil || mapping.Scope.Name() != scope {
			continue
		}
		for _, verb := range []string{"get", "create", "patch"} {
			if right := (Right{verb, mapping.Resource.Group, mapping.Resource.Resource, ""}); !slices.Contains(rights, right) {
				rights = append(rights, right)
			}
		}
	}
	return rights
}

// readRights are those of a rollout that only looks.
func readRights() []Right {
	var rights []Right
	for _, r := range []struct {
		group, resource string
		verbs           []string
	}{
		{"", "services", []string{"get", "list", "watch"}},
		{"apps", "deployments", []string{"get", "list", "watch"}},
		{"apps", "replicasets", []string{"list", "watch"}},
		{"", "pods", []string{"list", "watch"}},
		{"discovery.k8s.io", "endpointslices", []string{"list", "watch"}},
	} {
		for _, verb := range r.verbs {
			rights = append(rights, Right{verb, r.group, r.resource, ""})
		}
	}
	return rights
}

// Denied are those of the rights that the credentials lack, as the API server says; in
// the whole cluster where namespace is empty. It asks for several at a time: there are
// dozens, and one after another they would be the longest part of a preflight.
func (c *Client) Denied(ctx context.Context, namespace string, rights []Right) ([]string, error) {
	const atOnce = 8
	var group errgroup.Group
	group.SetLimit(atOnce)
	var broken atomic.Bool // nobody need ask any more
	allowed, failed := make([]bool, len(rights)), make([]error, len(rights))
	for i, right := range rights {
		group.Go(func() error {
			if broken.Load() {
				return nil
			}
			if allowed[i], failed[i] = c.allowed(ctx, namespace, right); failed[i] != nil {
				broken.Store(true)
			}
			return nil
		})
	}
	_ = group.Wait() // what failed is told in the order of the rights
	var denied []string
	for i, right := range rights {
		if failed[i] != nil {
			return nil, fmt.Errorf("asking whether the credentials may %s: %w", right, failed[i])
		}
		if !allowed[i] {
			denied = append(denied, right.String())
		}
	}
	return denied, nil
}

// allowed asks for one right.
func (c *Client) allowed(ctx context.Context, namespace string, right Right) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: right.Verb, Group: right.Group, Resource: right.Resource, Subresource: right.Subresource,
		},
	}}
	answer, err := c.Typed.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return answer.Status.Allowed, nil
}
