package kube

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/preflight"
	"github.com/org/l4-canary/internal/rollout"
)

// TestMarks: rollouts of other Services that are at work, or unfinished, on one of our
// Deployments.
func TestMarks(t *testing.T) {
	t.Parallel()
	const of = `{"schemaVersion":1,"stable":"blue","canary":"red","phase":"`
	held := func(holder string) *string { return &holder }
	for name, row := range map[string]struct {
		lease  string
		holder *string
		state  string
		want   []preflight.Mark
	}{
		"at work":          {"l4-canary-hall", held("x"), of + `promoted"}`, []preflight.Mark{{Deployment: "blue", Service: "hall", Lease: "l4-canary-hall", Holder: "job 7"}}},
		"unfinished":       {"l4-canary-hall", nil, of + `held"}`, []preflight.Mark{{Deployment: "blue", Service: "hall", Lease: "l4-canary-hall"}}},
		"ended":            {"l4-canary-hall", nil, of + `promoted"}`, nil},
		"our own":          {"l4-canary-lobby", held("x"), of + `stages"}`, nil},
		"not a Service's":  {"leader", held("x"), of + `stages"}`, nil},
		"no state":         {"l4-canary-hall", held("x"), "", nil},
		"a later version":  {"l4-canary-hall", held("x"), `{"schemaVersion":99,"stable":"blue"}`, nil},
		"other Deployment": {"l4-canary-hall", held("x"), `{"schemaVersion":1,"stable":"a","canary":"b","phase":"stages"}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lease := &coordinationv1.Lease{
				ObjectMeta: metav1.ObjectMeta{Name: row.lease, Namespace: namespace, Annotations: map[string]string{
					holderAnnotation: `{"run":"job 7"}`, stateAnnotation: row.state,
				}},
				Spec: coordinationv1.LeaseSpec{HolderIdentity: row.holder},
			}
			if row.state == "" {
				delete(lease.Annotations, stateAnnotation)
			}
			facts := lobbyFacts(t)
			facts.Roles = manifest.Roles{Stable: manifest.Role{Name: "blue"}, Canary: manifest.Role{Name: "green"}}
			require.NoError(t, (&Client{Typed: fake.NewClientset(lease)}).Survey(t.Context(), namespace, &facts))
			for i := range row.want {
				if row.want[i].Holder != "" {
					row.want[i].Holder = recordOf(lease).Holder.String()
				}
			}
			require.Equal(t, row.want, facts.Marks)
		})
	}
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

// TestSettle makes the Namespace that the manifests bring, and touches none that is
// there.
func TestSettle(t *testing.T) {
	t.Parallel()
	ours := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}}}
	other := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "other"}}}
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		a := w.applying(t)
		target := Target{Namespace: namespace, Surroundings: []*unstructured.Unstructured{other, ours}}
		require.NoError(t, w.cluster.Settle(t.Context(), target))
		require.Len(t, a.sent, 1)
		require.Equal(t, namespace, a.sent[0].GetName())
		a.fail[namespace] = errors.New("no")
		require.ErrorContains(t, w.cluster.Settle(t.Context(), target), `making namespace "game": applying Namespace "game" (v1): no`)
	})
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		a := w.applying(t)
		require.NoError(t, w.cluster.Settle(t.Context(), Target{Namespace: namespace, Surroundings: []*unstructured.Unstructured{ours}}))
		require.Empty(t, a.sent)
	})
}

// TestLacksRight: RBAC and admission answer with the same status.
func TestLacksRight(t *testing.T) {
	t.Parallel()
	pods := schema.GroupResource{Resource: "pods"}
	require.True(t, lacksRight(apierrors.NewForbidden(pods, "a", errors.New(`User "ci" cannot patch resource "pods" in API group "" in the namespace "game"`))))
	require.False(t, lacksRight(apierrors.NewForbidden(pods, "a", errors.New("labels are fixed here"))))
	require.False(t, lacksRight(errors.New(`cannot patch resource "pods"`)))
}

// TestClusterRights: of each kind outside of namespaces once.
func TestClusterRights(t *testing.T) {
	t.Parallel()
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, meta.RESTScopeNamespace)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, meta.RESTScopeRoot)
	var target Target
	for _, kind := range []string{"ConfigMap", "Namespace", "Namespace", "Unknown"} {
		target.Surroundings = append(target.Surroundings, &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind}})
	}
	require.Equal(t, []Right{{"get", "", "namespaces", ""}, {"create", "", "namespaces", ""}, {"patch", "", "namespaces", ""}},
		(&Client{Mapper: mapper}).ClusterRights(target))
}
