package kube

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"github.com/org/l4-canary/internal/preflight"
)

// TestTryForeseesTheMigration: of an object that kubectl wrote client-side, the API
// server is asked without what the manifest has dropped; of any other, as ever.
func TestTryForeseesTheMigration(t *testing.T) {
	t.Parallel()
	service := map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "lobby"}}
	custom := map[string]any{"apiVersion": "games.example.com/v1", "kind": "Hall", "metadata": map[string]any{"name": "lobby"}}
	const last = `{"spec":{"ports":[{"name":"game","port":7000,"protocol":"TCP"}],"seats":8}}`
	for name, row := range map[string]struct {
		object    map[string]any
		manager   string
		last      string
		kind      types.PatchType
		want, not string
	}{
		"client-side":       {service, "kubectl-client-side-apply", last, types.StrategicMergePatchType, `{"$patch":"delete","port":7000}`, "force"},
		"a kind of its own": {custom, "kubectl-client-side-apply", last, types.MergePatchType, `"seats":null`, "$patch"},
		"by somebody else":  {service, "helm", last, types.ApplyPatchType, `"port":7001`, "$patch"},
		"nothing applied":   {service, "kubectl-client-side-apply", "", types.ApplyPatchType, `"port":7001`, "$patch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				with := func(port, seats int64) *unstructured.Unstructured {
					object := (&unstructured.Unstructured{Object: row.object}).DeepCopy()
					spec := map[string]any{"ports": []any{map[string]any{"name": "game", "port": port, "protocol": "TCP"}}}
					if seats > 0 {
						spec["seats"] = seats
					}
					object.Object["spec"] = spec
					return object
				}
				live := with(7000, 8)
				live.SetNamespace(namespace)
				live.SetManagedFields([]metav1.ManagedFieldsEntry{{
					Manager: row.manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: live.GetAPIVersion(),
					FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:ports":{}}}`),
				}})
				if row.last != "" {
					live.SetAnnotations(map[string]string{corev1.LastAppliedConfigAnnotation: row.last})
				}
				w := begin(t)
				a := w.applying(t, live)
				w.know(t, schema.GroupVersionKind{Group: "games.example.com", Version: "v1", Kind: "Hall"})
				var sent []clienttesting.PatchActionImpl
				a.dynamic.PrependReactor("patch", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
					patch, _ := action.(clienttesting.PatchActionImpl)
					sent = append(sent, patch)
					return true, with(7001, 0), nil
				})
				var facts preflight.Facts
				target := Target{Namespace: namespace, Surroundings: []*unstructured.Unstructured{with(7001, 0)}}
				require.NoError(t, w.cluster.Try(t.Context(), target, &facts))
				require.Empty(t, facts.Trials)
				require.NotEmpty(t, facts.Changes)
				asked := sent[len(sent)-1]
				require.Equal(t, row.kind, asked.PatchType)
				require.Equal(t, []string{metav1.DryRunAll}, asked.PatchOptions.DryRun)
				require.Contains(t, string(asked.Patch), row.want)
				require.NotContains(t, string(asked.Patch), row.not)
			})
		})
	}
}
