package kube

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"

	"github.com/org/l4-canary/internal/rollout"
)

// applied answers applies as an API server that keeps nothing, and remembers what
// it was sent.
type applied struct {
	dynamic *dynamicfake.FakeDynamicClient
	sent    []*unstructured.Unstructured
	options []metav1.PatchOptions
	fail    map[string]error // by name
}

func (w *world) applying(t *testing.T, live ...runtime.Object) *applied {
	t.Helper()
	a := &applied{dynamic: dynamicfake.NewSimpleDynamicClient(scheme.Scheme, live...), fail: map[string]error{}}
	a.dynamic.PrependReactor("patch", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		patch, ok := action.(clienttesting.PatchActionImpl)
		if !ok || patch.PatchType != types.ApplyPatchType {
			return true, nil, errors.New("only server-side apply is allowed")
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(patch.Patch); err != nil {
			return true, nil, err
		}
		a.sent, a.options = append(a.sent, object), append(a.options, patch.PatchOptions)
		answer := object.DeepCopy()
		answer.SetGeneration(2)
		return true, answer, a.fail[object.GetName()]
	})
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, meta.RESTScopeNamespace)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "Service"}, meta.RESTScopeNamespace)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, meta.RESTScopeRoot)
	w.cluster.Dynamic, w.cluster.Mapper = a.dynamic, mapper
	return a
}

func TestApplyNeverMovesCounts(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name string
		live []runtime.Object
		want int64
	}{
		{"a new Deployment begins without pods", nil, 0},
		{"a live one keeps its pods, whatever the manifest says", []runtime.Object{deployment("new", 4)}, 4},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := begin(t, deployment("old", 2))
				a := w.applying(t, row.live...)
				w.cluster.CanaryManifest = asManifest(t, deployment("new", 10), "apps/v1", "Deployment")
				require.NoError(t, w.cluster.Apply(t.Context(), rollout.CanaryDeployment))
				require.Len(t, a.sent, 1)
				count, found, err := unstructured.NestedInt64(a.sent[0].Object, "spec", "replicas")
				require.NoError(t, err)
				require.True(t, found)
				require.Equal(t, row.want, count)
				require.Equal(t, FieldManager, a.options[0].FieldManager)
				require.True(t, *a.options[0].Force)
				require.Empty(t, a.options[0].DryRun)
				kept, _, _ := unstructured.NestedInt64(w.cluster.CanaryManifest.Object, "spec", "replicas")
				require.EqualValues(t, 10, kept, "the manifest itself is left alone")
			})
		})
	}
}

func TestNextIsNeverOlderThanOurLastApply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, deployment("old", 2))
		w.applying(t)
		w.cluster.CanaryManifest = asManifest(t, deployment("new", 10), "apps/v1", "Deployment")
		require.NoError(t, w.cluster.Apply(t.Context(), rollout.CanaryDeployment))
		created := deployment("new", 0)
		created.Generation = 2
		time.AfterFunc(time.Minute, func() {
			_, err := w.typed.AppsV1().Deployments(namespace).Create(t.Context(), created, metav1.CreateOptions{})
			require.NoError(t, err)
		})
		began := time.Now()
		state, err := w.cluster.Next(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(began))
		require.True(t, state.Canary.Exists)
	})
}

func TestApplySurroundingsInOrderUntilOneFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		a := w.applying(t)
		ns := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}}}
		odd := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.com/v1", "kind": "Widget", "metadata": map[string]any{"name": "odd"}}}
		w.cluster.Surroundings = []*unstructured.Unstructured{ns, asManifest(t, service(), "v1", "Service")}
		require.NoError(t, w.cluster.Apply(t.Context(), rollout.Surroundings))
		require.Len(t, a.sent, 2)
		require.Equal(t, "Namespace", a.sent[0].GetKind())
		require.Equal(t, "Service", a.sent[1].GetKind())

		a.fail[namespace] = errors.New("quota")
		require.EqualError(t, w.cluster.Apply(t.Context(), rollout.Surroundings), `applying Namespace "game" (v1): quota`)
		require.Len(t, a.sent, 3, "it stopped at the first failure")
		w.cluster.Surroundings = []*unstructured.Unstructured{odd}
		require.ErrorContains(t, w.cluster.Apply(t.Context(), rollout.Surroundings), `finding the API of Widget "odd" (example.com/v1)`)
		require.ErrorContains(t, w.cluster.Apply(t.Context(), "kitchen sink"), `there is no part "kitchen sink"`)
	})
}

// late is a mapper that knows a kind only after it was reset so many times.
type late struct {
	meta.RESTMapper
	kind   schema.GroupVersionKind
	resets int
}

func (l *late) Reset() { l.resets-- }

func (l *late) RESTMapping(gk schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	if gk == l.kind.GroupKind() && l.resets > 0 {
		return nil, &meta.NoKindMatchError{GroupKind: gk, SearchedVersions: versions}
	}
	return l.RESTMapper.RESTMapping(gk, versions...)
}

// know teaches the API server one more kind of a namespace.
func (w *world) know(t *testing.T, kind schema.GroupVersionKind) {
	t.Helper()
	known, ok := w.cluster.Mapper.(*meta.DefaultRESTMapper)
	require.True(t, ok)
	known.Add(kind, meta.RESTScopeNamespace)
}

// TestApplyWaitsForItsOwnKinds: an API that a CustomResourceDefinition of the manifests
// defines is there a moment after it. Nobody waits for one that nothing brings.
func TestApplyWaitsForItsOwnKinds(t *testing.T) {
	t.Parallel()
	kind := schema.GroupVersionKind{Group: "games.example.com", Version: "v1", Kind: "Hall"}
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "halls.games.example.com"},
		"spec": map[string]any{"group": kind.Group},
	}}
	hall := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "games.example.com/v1", "kind": "Hall", "metadata": map[string]any{"name": "main"}}}
	for name, row := range map[string]struct {
		resets  int
		objects []*unstructured.Unstructured
		took    time.Duration
		applied int
	}{
		"soon":  {3, []*unstructured.Unstructured{definition, hall}, time.Second, 2},
		"never": {1000, []*unstructured.Unstructured{definition, hall}, time.Minute, 1},
		"alien": {1, []*unstructured.Unstructured{hall}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := begin(t)
				a := w.applying(t)
				w.know(t, kind)
				known, _ := w.cluster.Mapper.(*meta.DefaultRESTMapper)
				known.Add(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}, meta.RESTScopeRoot)
				w.cluster.Mapper = &late{known, kind, row.resets}
				w.cluster.Surroundings = row.objects
				began := time.Now()
				err := w.cluster.Apply(t.Context(), rollout.Surroundings)
				require.LessOrEqual(t, time.Since(began), row.took)
				require.Len(t, a.sent, row.applied)
				if row.applied == len(row.objects) {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, `finding the API of Hall "main" (games.example.com/v1): no matches for kind "Hall"`)
			})
		})
	}
}

// TestEnsureNamespace makes the Namespace that the manifests bring, and touches none that is
// there.
func TestEnsureNamespace(t *testing.T) {
	t.Parallel()
	ours := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}}}
	other := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "other"}}}
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		a := w.applying(t)
		target := Target{Namespace: namespace, Surroundings: []*unstructured.Unstructured{other, ours}}
		require.NoError(t, w.cluster.EnsureNamespace(t.Context(), target))
		require.Len(t, a.sent, 1)
		require.Equal(t, namespace, a.sent[0].GetName())
		a.fail[namespace] = errors.New("no")
		require.ErrorContains(t, w.cluster.EnsureNamespace(t.Context(), target), `making namespace "game": applying Namespace "game" (v1): no`)
	})
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		a := w.applying(t)
		require.NoError(t, w.cluster.EnsureNamespace(t.Context(), Target{Namespace: namespace, Surroundings: []*unstructured.Unstructured{ours}}))
		require.Empty(t, a.sent)
	})
}
