package kube

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"github.com/org/l4-canary/internal/rollout"
)

// TestApplyMigrates: what kubectl's client-side apply owned becomes ours before we
// apply, or fields that the manifest has dropped would stay for ever.
func TestApplyMigrates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		was := deployment("new", 4)
		was.ManagedFields = []metav1.ManagedFieldsEntry{{
			Manager: "kubectl-client-side-apply", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "apps/v1",
			FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{},"f:paused":{}}}`),
		}}
		a := w.applying(t, asManifest(t, was, "apps/v1", "Deployment"))
		var patches []string
		conflicts := 1
		a.dynamic.PrependReactor("patch", "deployments", func(action clienttesting.Action) (bool, runtime.Object, error) {
			patch, _ := action.(clienttesting.PatchActionImpl)
			if patch.PatchType != types.JSONPatchType {
				return false, nil, nil
			}
			require.Empty(t, a.sent, "before the apply")
			if conflicts > 0 {
				conflicts--
				return true, nil, conflict()
			}
			patches = append(patches, string(patch.Patch))
			return true, asManifest(t, was, "apps/v1", "Deployment"), nil
		})
		w.cluster.CanaryManifest = asManifest(t, deployment("new", 10), "apps/v1", "Deployment")
		require.NoError(t, w.cluster.Apply(t.Context(), rollout.CanaryDeployment))
		require.Len(t, patches, 1, "a conflict is read again")
		require.Contains(t, patches[0], `"manager":"l4-canary","operation":"Apply"`)
		require.NotContains(t, patches[0], "kubectl-client-side-apply")
		require.Contains(t, patches[0], `"path":"/metadata/resourceVersion"`)
		require.Len(t, a.sent, 1)
	})
}
