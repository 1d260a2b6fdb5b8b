package kube

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/org/l4-canary/internal/manifest"
)

// Handover implements rollout.Successor: both Deployments are deleted while their
// ReplicaSets stay, and stable is made anew with the canary's template. Its
// selector matches both ReplicaSets, so the Deployment controller adopts them, and
// takes the canary's for the newest because its template is the same,
// https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/controller/deployment/util/deployment_util.go#L600
//
// ReplicaSets own every pod throughout. If the process ends between the steps,
// doing it again finishes them: what is missing is taken from Target. It returns when
// the ReplicaSets are stable's: a Deployment of the canary that came before that would
// take its own back, and remove the pods.
func (c *Cluster) Handover(ctx context.Context, replicas int) error {
	api := c.Typed.AppsV1().Deployments(c.Namespace)
	heir, err := c.heir(replicas)
	if err != nil {
		return err
	}
	live, err := api.Get(ctx, c.Stable, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading deployment %q: %w", c.Stable, err)
	}
	if err == nil && release(live) == release(heir) {
		c.wrote(c.Stable, version{uid: live.UID, generation: live.Generation})
		if err = c.delete(ctx, c.Canary, metav1.DeletePropagationOrphan); err != nil {
			return err
		}
		return c.awaitAdopted(ctx, live)
	}
	for _, name := range []string{c.Stable, c.Canary} {
		if err = c.delete(ctx, name, metav1.DeletePropagationOrphan); err != nil {
			return err
		}
		if err = c.awaitGone(ctx, name); err != nil {
			return err
		}
	}
	created, err := api.Create(ctx, heir, metav1.CreateOptions{FieldManager: FieldManager})
	if err != nil {
		return fmt.Errorf("creating deployment %q with the pods of %q: %w", c.Stable, c.Canary, err)
	}
	c.wrote(c.Stable, version{uid: created.UID, generation: created.Generation})
	return c.awaitAdopted(ctx, created)
}

// release is what a Deployment's template was stamped with. Only a handover gives
// it to stable's.
func release(d *appsv1.Deployment) string { return d.Spec.Template.Labels[manifest.ReleaseLabel] }

// heir is stable as it was, with the canary's template.
func (c *Cluster) heir(replicas int) (*appsv1.Deployment, error) {
	var heir, canary appsv1.Deployment
	for object, typed := range map[*unstructured.Unstructured]*appsv1.Deployment{c.Original: &heir, c.CanaryManifest: &canary} {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
			return nil, fmt.Errorf("reading %s: %w", describe(object), err)
		}
	}
	count := int32(replicas) //nolint:gosec // of a Deployment, where it is an int32 as well
	heir.ResourceVersion, heir.UID = "", ""
	heir.Spec.Template, heir.Spec.Replicas = canary.Spec.Template, &count
	return &heir, nil
}

// awaitGone waits until a deleted Deployment is no more: the garbage collector
// has to orphan what it owned first.
func (c *Cluster) awaitGone(ctx context.Context, name string) error {
	return c.watchUntil(ctx, fmt.Sprintf("until deployment %q is gone", name), func() (bool, error) {
		_, err := c.deployments.Get(name)
		return apierrors.IsNotFound(err), nil
	})
}

// awaitAdopted waits until no ReplicaSet that a Deployment selects is without one.
func (c *Cluster) awaitAdopted(ctx context.Context, heir *appsv1.Deployment) error {
	selector, err := metav1.LabelSelectorAsSelector(heir.Spec.Selector)
	if err != nil {
		return fmt.Errorf("reading the selector of deployment %q: %w", heir.Name, err)
	}
	return c.watchUntil(ctx, fmt.Sprintf("until deployment %q has the pods of %q", heir.Name, c.Canary), func() (bool, error) {
		sets, err := c.sets.List(selector)
		if err != nil {
			return false, err
		}
		all, err := c.deployments.List(labels.Everything())
		if err != nil {
			return false, err
		}
		return !slices.ContainsFunc(sets, func(set *appsv1.ReplicaSet) bool {
			owner := controller(set)
			return owner != heir.UID && !slices.ContainsFunc(all, func(d *appsv1.Deployment) bool { return d.UID == owner })
		}), nil
	})
}

// watchUntil waits until the caches show something.
func (c *Cluster) watchUntil(ctx context.Context, what string, shown func() (bool, error)) error {
	for {
		changed := c.change()
		if done, err := shown(); done || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting %s: %w", what, ctx.Err())
		}
	}
}
