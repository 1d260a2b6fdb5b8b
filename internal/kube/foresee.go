package kube

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/csaupgrade"
)

// foresee is what an apply would make of an object, without keeping it. What kubectl
// wrote client-side becomes ours before a real apply, which no dry run can do: an apply
// alone would leave there what the manifest has dropped, as a port whose number
// changes. So the API server is asked what kubectl itself would ask, with the
// configuration that was applied last.
func (c *Cluster) foresee(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	api, err := c.resource(object)
	if err != nil {
		return nil, err
	}
	live, err := api.Get(ctx, object.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return c.apply(ctx, object, true)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", describe(object), err)
	}
	last := live.GetAnnotations()[corev1.LastAppliedConfigAnnotation]
	upgrade, err := csaupgrade.UpgradeManagedFieldsPatch(live, clientSide(), FieldManager)
	if err != nil || upgrade == nil || last == "" {
		return c.apply(ctx, object, true)
	}
	applied, err := patchThreeWays(ctx, api, []byte(last), object, live)
	if err != nil {
		return nil, fmt.Errorf("applying %s: %w", describe(object), err)
	}
	return applied, nil
}

// patchThreeWays tries what "kubectl apply" would do,
// https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/#how-apply-calculates-differences-and-merges-changes
func patchThreeWays(ctx context.Context, api dynamic.ResourceInterface, last []byte, wanted, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	modified, err := json.Marshal(wanted)
	if err != nil {
		return nil, err
	}
	current, err := json.Marshal(live)
	if err != nil {
		return nil, err
	}
	kind, patch := types.StrategicMergePatchType, []byte(nil)
	typed, err := scheme.Scheme.New(wanted.GroupVersionKind())
	switch {
	case runtime.IsNotRegisteredError(err):
		kind = types.MergePatchType
		patch, err = jsonmergepatch.CreateThreeWayJSONMergePatch(last, modified, current)
	case err == nil:
		var lookup strategicpatch.PatchMetaFromStruct
		if lookup, err = strategicpatch.NewPatchMetaFromStruct(typed); err == nil {
			patch, err = strategicpatch.CreateThreeWayMergePatch(last, modified, current, lookup, true)
		}
	}
	if err != nil {
		return nil, err
	}
	return api.Patch(ctx, wanted.GetName(), kind, patch, metav1.PatchOptions{FieldManager: FieldManager, DryRun: []string{metav1.DryRunAll}})
}
