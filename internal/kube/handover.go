package kube

import (
	"context"
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Handover implements rollout.Successor: both Deployments are deleted while their
// ReplicaSets stay, and stable is made anew with the canary's template. Its
// selector matches both ReplicaSets, so the Deployment controller adopts them, and
// takes the canary's for the newest because its template is the same,
// https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/controller/deployment/util/deployment_util.go#L600
//
// ReplicaSets own every pod throughout. If the process ends between the steps,
// doing it again finishes them: what is missing is taken from Target.
func (c *Cluster) Handover(ctx context.Context, replicas int) error {
	canary, err := c.Typed.AppsV1().Deployments(c.Namespace).Get(ctx, c.Canary, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading deployment %q: %w", c.Canary, err)
	}
	stable, err := c.Typed.AppsV1().Deployments(c.Namespace).Get(ctx, c.Stable, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading deployment %q: %w", c.Stable, err)
	}
	for _, name := range []string{c.Stable, c.Canary} {
		if err = c.delete(ctx, name, metav1.DeletePropagationOrphan); err != nil {
			return err
		}
		if err = c.awaitGone(ctx, name); err != nil {
			return err
		}
	}
	options := metav1.CreateOptions{FieldManager: FieldManager}
	created, err := c.Typed.AppsV1().Deployments(c.Namespace).Create(ctx, successor(stable, canary, replicas), options)
	if err != nil {
		return fmt.Errorf("creating deployment %q with the pods of %q: %w", c.Stable, c.Canary, err)
	}
	c.wrote(c.Stable, version{uid: created.UID, generation: created.Generation})
	return nil
}

// successor is stable with the canary's template.
func successor(stable, canary *appsv1.Deployment, replicas int) *appsv1.Deployment {
	count := int32(replicas) //nolint:gosec // of a Deployment, where it is an int32 as well
	spec := *stable.Spec.DeepCopy()
	spec.Template = *canary.Spec.Template.DeepCopy()
	spec.Replicas = &count
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Name: stable.Name, Namespace: stable.Namespace,
			Labels: maps.Clone(stable.Labels), Annotations: maps.Clone(stable.Annotations),
			Finalizers: stable.Finalizers, OwnerReferences: stable.OwnerReferences,
		},
		Spec: spec,
	}
}

// awaitGone waits until a deleted Deployment is no more: the garbage collector
// has to orphan what it owned first.
func (c *Cluster) awaitGone(ctx context.Context, name string) error {
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		if _, err := c.deployments.Get(name); apierrors.IsNotFound(err) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting until deployment %q is gone: %w", name, ctx.Err())
		}
	}
}
