package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"

	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/rollout"
)

// Apply implements rollout.Cluster by server-side apply.
func (c *Cluster) Apply(ctx context.Context, part rollout.Part) error {
	switch part {
	case rollout.Surroundings:
		return c.applyAll(ctx, c.Surroundings)
	case rollout.AutoscalerManifests:
		return c.applyAll(ctx, c.Autoscalers)
	case rollout.StableDeployment:
		return c.applyDeployment(ctx, c.StableManifest)
	case rollout.CanaryDeployment:
		return c.applyDeployment(ctx, c.CanaryManifest)
	case rollout.OriginalStable:
		return c.restoreTemplate(ctx)
	default:
		return fmt.Errorf("there is no part %q to apply", part)
	}
}

// applyAll applies what is no Deployment.
func (c *Cluster) applyAll(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		if err := c.known(ctx, object); err != nil {
			return err
		}
		if _, err := c.live(ctx, object); err != nil {
			return err
		}
		if _, err := c.apply(ctx, object, false); err != nil {
			return err
		}
	}
	return nil
}

// definedIn outlasts the moment, less than a second as a rule, between a
// CustomResourceDefinition and the API that it defines.
var definedIn = wait.Backoff{Steps: 12, Duration: 50 * time.Millisecond, Factor: 1.6, Cap: 3 * time.Second}

// known waits until the API server knows the kind of an object, which an object
// before it may have defined just now. The mapper has to forget what it has asked.
func (c *Cluster) known(ctx context.Context, object *unstructured.Unstructured) error {
	var unknown error
	err := wait.ExponentialBackoffWithContext(ctx, definedIn, func(context.Context) (bool, error) {
		_, unknown = c.resource(object)
		if !meta.IsNoMatchError(unknown) || !c.defines(object.GroupVersionKind().Group) {
			return true, unknown
		}
		meta.MaybeResetRESTMapper(c.Mapper)
		return false, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return unknown
	}
	return err
}

// defines reports whether the manifests bring an API group of their own.
func (c *Cluster) defines(group string) bool {
	return slices.ContainsFunc(c.Surroundings, func(object *unstructured.Unstructured) bool {
		own, _, _ := unstructured.NestedString(object.Object, "spec", "group")
		return object.GetKind() == "CustomResourceDefinition" && own == group
	})
}

// EnsureNamespace makes the target's Namespace if the manifests bring it: not even a
// Lease can be without one.
func (c *Client) EnsureNamespace(ctx context.Context, target Target) error {
	cluster := &Cluster{Client: c, Target: target}
	for _, object := range target.Surroundings {
		if object.GetKind() != "Namespace" || object.GetName() != target.Namespace {
			continue
		}
		_, err := c.Typed.CoreV1().Namespaces().Get(ctx, target.Namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			_, err = cluster.apply(ctx, object, false)
		}
		if err != nil {
			return fmt.Errorf("making namespace %q: %w", target.Namespace, err)
		}
	}
	return nil
}

// restoreTemplate gives stable the template that it had before the rollout, whole:
// an apply would leave what other writers added.
func (c *Cluster) restoreTemplate(ctx context.Context) error {
	template, _, err := unstructured.NestedMap(c.Original.Object, "spec", "template")
	if err != nil {
		return fmt.Errorf("restoring the template of %s: %w", describe(c.Original), err)
	}
	patch, err := json.Marshal([]map[string]any{{"op": "replace", "path": "/spec/template", "value": template}})
	if err != nil {
		return fmt.Errorf("restoring the template of %s: %w", describe(c.Original), err)
	}
	options := metav1.PatchOptions{FieldManager: FieldManager}
	d, err := c.Typed.AppsV1().Deployments(c.Namespace).Patch(ctx, c.Stable, types.JSONPatchType, patch, options)
	if err != nil {
		return fmt.Errorf("restoring the template of %s: %w", describe(c.Original), err)
	}
	c.wrote(c.Stable, version{uid: d.UID, generation: d.Generation})
	return nil
}

// Unchanged reports whether a live Deployment's pods would stay as they are if the
// manifest were applied: the API server says so without keeping anything.
func (c *Client) Unchanged(ctx context.Context, namespace string, wanted manifest.Object) (bool, error) {
	cluster := &Cluster{Client: c, Target: Target{Namespace: namespace}}
	api, err := cluster.resource(wanted.Unstructured)
	if err != nil {
		return false, err
	}
	live, err := api.Get(ctx, wanted.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading %s: %w", describe(wanted.Unstructured), err)
	}
	applied, err := cluster.foresee(ctx, wanted.Unstructured)
	if refuses(ctx, err) {
		return false, nil // the preflight says why, beside everything else that is wrong
	}
	if err != nil {
		return false, err
	}
	return manifest.SameTemplate(manifest.Object{Unstructured: live}, manifest.Object{Unstructured: applied}), nil
}

// applyDeployment applies a Deployment with the replicas it has, or none if it
// is new. Leaving the field out would set the default, 1.
func (c *Cluster) applyDeployment(ctx context.Context, manifest *unstructured.Unstructured) error {
	live, err := c.live(ctx, manifest)
	if err != nil {
		return err
	}
	count := int64(0)
	if live != nil {
		if n, found, _ := unstructured.NestedInt64(live.Object, "spec", "replicas"); found {
			count = n
		}
	}
	object := manifest.DeepCopy()
	if err = unstructured.SetNestedField(object.Object, count, "spec", "replicas"); err != nil {
		return fmt.Errorf("setting the replicas of %s: %w", describe(manifest), err)
	}
	applied, err := c.apply(ctx, object, false)
	if err != nil {
		return err
	}
	if live == nil || live.GetUID() != applied.GetUID() {
		c.wrote(applied.GetName(), version{uid: applied.GetUID(), generation: applied.GetGeneration()})
		return nil
	}
	c.wroteSpec(applied.GetName(), applied.GetUID(), live.GetGeneration(), applied.GetGeneration())
	return nil
}

// apply sends one object, forced: the manifests decide about their own fields.
func (c *Cluster) apply(ctx context.Context, object *unstructured.Unstructured, dryRun bool) (*unstructured.Unstructured, error) {
	api, err := c.resource(object)
	if err != nil {
		return nil, err
	}
	options := metav1.ApplyOptions{FieldManager: FieldManager, Force: true}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	applied, err := api.Apply(ctx, object.GetName(), object, options)
	if err != nil {
		return nil, fmt.Errorf("applying %s: %w", describe(object), err)
	}
	return applied, nil
}

// resource is the API of an object's kind, in the target's namespace if it has one.
func (c *Cluster) resource(object *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	gvk := object.GroupVersionKind()
	mapping, err := c.Mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, fmt.Errorf("finding the API of %s: %w", describe(object), err)
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return c.Dynamic.Resource(mapping.Resource), nil
	}
	return c.Dynamic.Resource(mapping.Resource).Namespace(c.Namespace), nil
}

// describe is an object as users write it.
func describe(object *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %q (%s)", object.GetKind(), object.GetName(), object.GetAPIVersion())
}
