package kube

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"k8s.io/client-go/util/retry"
)

// clientSide are the managers under which kubectl wrote what its client-side apply
// owned. As long as they do, a server-side apply cannot remove a field that the
// manifest has dropped,
// https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply-to-server-side-apply
func clientSide() sets.Set[string] {
	return sets.New("kubectl-client-side-apply", "before-first-apply")
}

// live is an object as it is in the cluster, nil if there is none, after what
// client-side managers owned of it has become ours. That changes no field that a
// controller reads.
func (c *Cluster) live(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	api, err := c.resource(object)
	if err != nil {
		return nil, err
	}
	var live *unstructured.Unstructured
	err = retry.RetryOnConflict(retry.DefaultRetry, func() (err error) {
		if live, err = api.Get(ctx, object.GetName(), metav1.GetOptions{}); err != nil {
			return err
		}
		var patch []byte
		patch, err = csaupgrade.UpgradeManagedFieldsPatch(live, clientSide(), FieldManager)
		if err != nil || patch == nil {
			return err
		}
		_, err = api.Patch(ctx, object.GetName(), types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", describe(object), err)
	}
	return live, nil
}
