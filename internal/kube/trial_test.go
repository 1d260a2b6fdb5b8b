package kube

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	clienttesting "k8s.io/client-go/testing"

	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/preflight"
)

func TestTryKeepsNothingAndNamesEveryFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		a := w.applying(t, deployment("old", 2))
		target := Target{
			Namespace: namespace, Surroundings: []*unstructured.Unstructured{asManifest(t, service(), "v1", "Service")},
			CanaryManifest: asManifest(t, deployment("new", 10), "apps/v1", "Deployment"),
		}
		var facts preflight.Facts
		require.NoError(t, w.cluster.Try(t.Context(), target, &facts))
		require.Equal(t, preflight.Facts{Changes: []preflight.Change{{Kind: "Service", Name: "lobby"}}}, facts)

		a.fail["lobby"], a.fail["new"] = errors.New("port is taken"), errors.New("no digest")
		require.NoError(t, w.cluster.Try(t.Context(), target, &facts))
		require.Equal(t, []preflight.Trial{
			{Message: `applying Service "lobby" (v1): port is taken`, Object: `Service "lobby"`},
			{Message: `applying Deployment "new" (apps/v1): no digest`, Object: `Deployment "new"`},
		}, facts.Trials)
		require.Len(t, a.sent, 8, "both manifests, unforced and forced, twice")
		for _, options := range a.options {
			require.Equal(t, []string{metav1.DryRunAll}, options.DryRun)
		}
	})
}

// TestTryNamesWhatChanges: of live objects, by path.
func TestTryNamesWhatChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		live := asManifest(t, service(), "v1", "Service")
		live.SetResourceVersion("7")
		require.NoError(t, unstructured.SetNestedField(live.Object, "Local", "spec", "externalTrafficPolicy"))
		wanted := live.DeepCopy()
		require.NoError(t, unstructured.SetNestedField(wanted.Object, "Cluster", "spec", "externalTrafficPolicy"))
		require.NoError(t, unstructured.SetNestedField(wanted.Object, "10.0.0.0/8", "spec", "range"))
		w.applying(t, live)
		var facts preflight.Facts
		require.NoError(t, w.cluster.Try(t.Context(), Target{Namespace: namespace, Surroundings: []*unstructured.Unstructured{wanted}}, &facts))
		require.Equal(t, []preflight.Change{{Kind: "Service", Name: "lobby", Fields: []string{"spec.externalTrafficPolicy", "spec.range"}}}, facts.Changes)
	})
}

// TestTryExcuses what only the manifests' own first part will make possible, and a
// change of the selector, of which a rule of the preflight speaks.
func TestTryExcuses(t *testing.T) {
	t.Parallel()
	forbidden := field.Invalid(field.NewPath("spec", "selector"), "run=new", "field is immutable")
	missing := apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, namespace)
	ours := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}}}
	for name, row := range map[string]struct {
		err          error
		surroundings []*unstructured.Unstructured
		want         []bool // of each trial, whether it is excused
	}{
		"a namespace to come":         {missing, []*unstructured.Unstructured{ours}, []bool{true}},
		"a namespace that is missing": {missing, nil, []bool{false}},
		"a webhook":                   {apierrors.NewBadRequest(`admission webhook "x" does not support dry run`), nil, []bool{true}},
		"a selector":                  {apierrors.NewInvalid(schema.GroupKind{Kind: "Deployment"}, "new", field.ErrorList{forbidden}), nil, nil},
		"a selector and more": {apierrors.NewInvalid(schema.GroupKind{Kind: "Deployment"}, "new",
			field.ErrorList{forbidden, field.Required(field.NewPath("spec", "template"), "")}), nil, []bool{false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := begin(t)
				w.applying(t).fail["new"] = row.err
				target := Target{Namespace: namespace, Surroundings: row.surroundings, CanaryManifest: asManifest(t, deployment("new", 1), "apps/v1", "Deployment")}
				var facts preflight.Facts
				require.NoError(t, w.cluster.Try(t.Context(), target, &facts))
				var excused []bool
				for _, trial := range facts.Trials {
					require.NotEmpty(t, trial.Message)
					excused = append(excused, trial.Excuse != "")
				}
				require.Equal(t, row.want, excused)
			})
		})
	}
}

// TestTryNamesTakenFields: an apply without force tells whose they are.
func TestTryNamesTakenFields(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		w.applying(t).fail["new"] = apierrors.NewApplyConflict([]metav1.StatusCause{{
			Type: metav1.CauseTypeFieldManagerConflict, Field: ".spec.replicas", Message: `conflict with "hpa" using apps/v1`,
		}}, "Apply failed")
		var facts preflight.Facts
		require.NoError(t, w.cluster.Try(t.Context(), Target{Namespace: namespace, CanaryManifest: asManifest(t, deployment("new", 1), "apps/v1", "Deployment")}, &facts))
		require.Equal(t, []string{`Deployment "new" (apps/v1): spec.replicas: conflict with "hpa" using apps/v1`}, facts.Taken)
	})
}

// TestTryParks one pod that runs, without keeping it.
func TestTryParks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		running := pod("o1", "old", isReady)
		w := begin(t, deployment("old", 1), running)
		var sent []clienttesting.PatchActionImpl
		w.reacts("patch", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
			patch, _ := action.(clienttesting.PatchActionImpl)
			sent = append(sent, patch)
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "o1", errors.New("labels are fixed"))
		})
		facts := preflight.Facts{Parks: true, Pods: []corev1.Pod{*pod("o0", "old", parked), *running}}
		target := Target{Namespace: namespace, StableParkLabel: "app"}
		require.NoError(t, w.cluster.Try(t.Context(), target, &facts))
		require.Len(t, sent, 1)
		require.Equal(t, "o1", sent[0].Name)
		require.Equal(t, []string{metav1.DryRunAll}, sent[0].PatchOptions.DryRun)
		require.Contains(t, string(sent[0].Patch), `"labels":{"app":null}`)
		require.Len(t, facts.Trials, 1)
		require.Contains(t, facts.Trials[0].Message, `parking pod "o1": pods "o1" is forbidden: labels are fixed`)
	})
}

// TestUnchanged: a manifest that the API server refuses is a change, of which the
// preflight speaks; a server that cannot be asked is an error.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		err     error
		same    bool
		problem string
	}{
		"the same":       {nil, true, ""},
		"refused":        {apierrors.NewBadRequest("no digest"), false, ""},
		"webhook failed": {apierrors.NewInternalError(errors.New("failed calling webhook")), false, ""},
		"unavailable":    {apierrors.NewServiceUnavailable("etcd is away"), false, "etcd is away"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := begin(t)
				wanted := asManifest(t, deployment("new", 1), "apps/v1", "Deployment")
				w.applying(t, deployment("new", 1)).fail["new"] = row.err
				same, err := w.cluster.Unchanged(t.Context(), namespace, manifest.Object{Unstructured: wanted})
				require.Equal(t, row.same, same)
				if row.problem == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, row.problem)
			})
		})
	}
}

// TestLacksRight: RBAC and admission answer with the same status.
func TestLacksRight(t *testing.T) {
	t.Parallel()
	pods := schema.GroupResource{Resource: "pods"}
	require.True(t, lacksRight(apierrors.NewForbidden(pods, "a", errors.New(`User "ci" cannot patch resource "pods" in API group "" in the namespace "game"`))))
	require.False(t, lacksRight(apierrors.NewForbidden(pods, "a", errors.New("labels are fixed here"))))
	require.False(t, lacksRight(errors.New(`cannot patch resource "pods"`)))
}
