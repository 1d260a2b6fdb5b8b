package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/org/l4-canary/internal/preflight"
	"github.com/org/l4-canary/internal/probe"
)

// Try has the API server check everything that will be applied, and how a pod would
// be parked, without keeping anything. The facts get what it refused, what would
// change in live objects, and which fields would be taken from other managers.
func (c *Client) Try(ctx context.Context, target Target, facts *preflight.Facts) error {
	cluster := &Cluster{Client: c, Target: target}
	for _, object := range target.Surroundings {
		if err := cluster.try(ctx, object, facts); err != nil {
			return err
		}
	}
	// Autoscalers take effect when the rollout has ended: they change nothing now.
	for _, object := range append(slices.Clone(target.Autoscalers), target.StableManifest, target.CanaryManifest) {
		if object == nil {
			continue
		}
		if _, err := cluster.tryApply(ctx, object, facts); err != nil {
			return err
		}
	}
	if facts.Parks && !facts.Resuming {
		return cluster.tryPark(ctx, facts)
	}
	return nil
}

// try applies one object beside the Deployments and notes what it would change.
func (c *Cluster) try(ctx context.Context, object *unstructured.Unstructured, facts *preflight.Facts) error {
	applied, err := c.tryApply(ctx, object, facts)
	if applied == nil || err != nil {
		return err
	}
	api, err := c.resource(object)
	if err != nil {
		return err
	}
	live, err := api.Get(ctx, object.GetName(), metav1.GetOptions{})
	change := preflight.Change{Kind: object.GetKind(), Name: object.GetName()}
	if apierrors.IsNotFound(err) {
		facts.Changes = append(facts.Changes, change)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", describe(object), err)
	}
	if change.Fields = differences(live, applied); len(change.Fields) > 0 {
		facts.Changes = append(facts.Changes, change)
	}
	return nil
}

// tryApply is nil where the API server refuses.
func (c *Cluster) tryApply(ctx context.Context, object *unstructured.Unstructured, facts *preflight.Facts) (*unstructured.Unstructured, error) {
	facts.Taken = append(facts.Taken, c.taken(ctx, object)...)
	applied, err := c.foresee(ctx, object)
	switch {
	case err == nil:
		return applied, nil
	case !refuses(ctx, err):
		return nil, err
	case onlySelector(err):
		return nil, nil //nolint:nilnil // a rule of its own says it better
	}
	facts.Trials = append(facts.Trials, preflight.Trial{
		Message: err.Error(), Excuse: c.excuse(object, err), Object: fmt.Sprintf("%s %q", object.GetKind(), object.GetName()), Denied: lacksRight(err),
	})
	return nil, nil //nolint:nilnil // it is in the facts
}

// refuses reports whether the API server has answered, and said no. A webhook that
// fails is an internal error of its.
func refuses(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() == nil && (!Unreachable(err) || apierrors.IsInternalError(err))
}

// lacksRight reports whether RBAC refused, and not an admission plugin, which answers
// with the same status,
// https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go#L46
func lacksRight(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), `cannot `) && strings.Contains(err.Error(), ` resource "`)
}

// excuse says that an object is refused only for want of what the same manifests
// bring, or by a webhook that cannot be asked without consequences.
func (c *Cluster) excuse(object *unstructured.Unstructured, err error) string {
	group := object.GroupVersionKind().Group
	switch {
	case strings.Contains(err.Error(), "does not support dry run"):
		return "an admission webhook does not support dry runs"
	case meta.IsNoMatchError(err) && c.defines(group):
		return fmt.Sprintf("the manifests bring the API group %q themselves", group)
	case apierrors.IsNotFound(err) && c.brings(c.Namespace):
		return fmt.Sprintf("the manifests bring namespace %q themselves", c.Namespace)
	}
	return ""
}

// brings reports whether the manifests hold a Namespace.
func (c *Cluster) brings(namespace string) bool {
	return slices.ContainsFunc(c.Surroundings, func(object *unstructured.Unstructured) bool {
		return object.GetKind() == "Namespace" && object.GetName() == namespace
	})
}

// onlySelector reports whether an object is refused for the change of its selector
// alone.
func onlySelector(err error) bool {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok {
		return false
	}
	details := status.ErrStatus.Details
	return details != nil && len(details.Causes) > 0 && !slices.ContainsFunc(details.Causes, func(cause metav1.StatusCause) bool {
		return cause.Field != "spec.selector"
	})
}

// taken are the fields that another manager owns and that an apply takes.
func (c *Cluster) taken(ctx context.Context, object *unstructured.Unstructured) []string {
	api, err := c.resource(object)
	if err != nil {
		return nil // the apply says so too
	}
	options := metav1.ApplyOptions{FieldManager: FieldManager, DryRun: []string{metav1.DryRunAll}}
	_, err = api.Apply(ctx, object.GetName(), object, options)
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || !apierrors.IsConflict(err) || status.ErrStatus.Details == nil {
		return nil
	}
	var taken []string
	for _, cause := range status.ErrStatus.Details.Causes {
		if cause.Type == metav1.CauseTypeFieldManagerConflict {
			taken = append(taken, fmt.Sprintf("%s: %s: %s", describe(object), strings.TrimPrefix(cause.Field, "."), cause.Message))
		}
	}
	return taken
}

// tryPark parks one of stable's pods without keeping it.
func (c *Cluster) tryPark(ctx context.Context, facts *preflight.Facts) error {
	for i := range facts.Pods {
		pod := &facts.Pods[i]
		if pod.DeletionTimestamp != nil || isParked(pod) || pod.Status.Phase != corev1.PodRunning {
			continue
		}
		metadata, err := c.parkedMetadata(pod, probe.Stable)
		if err != nil {
			return err
		}
		_, err = c.mergePod(ctx, pod, metadata, metav1.DryRunAll)
		if err != nil && ctx.Err() == nil && !apierrors.IsNotFound(err) {
			facts.Trials = append(facts.Trials, preflight.Trial{
				Message: fmt.Sprintf("parking pod %q: %v", pod.Name, err), Denied: lacksRight(err),
				Hint: "let whatever refuses it allow changes of labels and annotations of pods, or set input \"removal\" to terminate",
			})
		}
		return ctx.Err()
	}
	return nil
}

// differences are the paths at which two states of an object differ, without what an
// API server keeps for itself.
func differences(was, is *unstructured.Unstructured) []string {
	var fields []string
	for _, key := range slices.Sorted(maps.Keys(is.Object)) {
		if key == "status" || key == "metadata" {
			continue
		}
		fields = append(fields, differ(key, was.Object[key], is.Object[key])...)
	}
	return fields
}

func differ(path string, was, is any) []string {
	before, okBefore := was.(map[string]any)
	after, okAfter := is.(map[string]any)
	if !okBefore || !okAfter {
		if reflect.DeepEqual(was, is) {
			return nil
		}
		return []string{path}
	}
	keys := map[string]bool{}
	for key := range before {
		keys[key] = true
	}
	for key := range after {
		keys[key] = true
	}
	var fields []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		fields = append(fields, differ(path+"."+key, before[key], after[key])...)
	}
	return fields
}
