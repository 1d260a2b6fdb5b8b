package kube

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/preflight"
)

// lobbyFacts are facts of the tests' Service alone.
func lobbyFacts(t *testing.T) preflight.Facts {
	t.Helper()
	lobby := service()
	lobby.Spec.Selector = map[string]string{"app": "lobby"}
	return preflight.Facts{Service: manifest.Object{Unstructured: asManifest(t, lobby, "v1", "Service")}}
}

func TestSurvey(t *testing.T) {
	t.Parallel()
	stranger := pod("x", "other")
	stranger.Labels = map[string]string{"app": "hall"}
	typed := fake.NewClientset(deployment("old", 1), replicaSet("old"), pod("o1", "old"), stranger,
		&policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "keep", Namespace: namespace}},
		&corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "elsewhere", Namespace: "other"}})
	facts := lobbyFacts(t)
	require.NoError(t, (&Client{Typed: typed}).Survey(t.Context(), namespace, &facts))
	require.Len(t, facts.Deployments, 1)
	require.Len(t, facts.ReplicaSets, 1)
	require.Len(t, facts.Pods, 1, "only those behind the Service")
	require.Len(t, facts.Budgets, 1)
	require.Empty(t, facts.Quotas)
	require.Empty(t, facts.Unread)
}

// TestSurveyForbidden: what no rollout needs may be out of reach.
func TestSurveyForbidden(t *testing.T) {
	t.Parallel()
	for resource, needed := range map[string]bool{"pods": true, "replicasets": true, "networkpolicies": false, "limitranges": false} {
		typed := fake.NewClientset()
		typed.PrependReactor("list", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no"))
		})
		facts := lobbyFacts(t)
		err := (&Client{Typed: typed}).Survey(t.Context(), namespace, &facts)
		if needed {
			require.ErrorContains(t, err, `listing `+resource+` in namespace "game"`)
			require.True(t, Forbidden(err))
			continue
		}
		require.NoError(t, err)
		require.Equal(t, []string{resource}, facts.Unread)
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, meta.RESTScopeNamespace)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, meta.RESTScopeRoot)
	client := &Client{Mapper: mapper}
	var target Target
	for _, kind := range []string{"ConfigMap", "ConfigMap", "Namespace", "Unknown"} {
		target.Surroundings = append(target.Surroundings, &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind}})
	}
	names := func(rights []Right) (names []string) {
		for _, right := range rights {
			names = append(names, right.String())
		}
		return names
	}
	least := names(client.Rights(Target{}, Use{}))
	require.NotContains(t, least, "patch pods")
	require.NotContains(t, least, "create deployments (apps)")
	require.Contains(t, least, "patch deployments/scale (apps)")
	require.Contains(t, least, "update leases (coordination.k8s.io)")
	most := names(client.Rights(target, Use{Creates: true, Deletes: true, Parks: true, Orphans: true}))
	var more []string
	for _, name := range most {
		if !slices.Contains(least, name) {
			more = append(more, name)
		}
	}
	require.Equal(t, []string{
		"create configmaps", "create deployments (apps)", "delete deployments (apps)", "delete pods", "get configmaps", "patch configmaps", "patch pods",
	}, more)
}

func TestDenied(t *testing.T) {
	t.Parallel()
	typed := fake.NewClientset()
	typed.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		create, _ := action.(clienttesting.CreateAction)
		review, _ := create.GetObject().(*authorizationv1.SelfSubjectAccessReview)
		asked := review.Spec.ResourceAttributes
		require.Equal(t, namespace, asked.Namespace)
		review.Status.Allowed = asked.Verb != "patch"
		return true, review, nil
	})
	denied, err := (&Client{Typed: typed}).Denied(t.Context(), namespace, []Right{{"get", "", "pods", "log"}, {"patch", "apps", "deployments", "scale"}, {"patch", "", "pods", ""}})
	require.NoError(t, err)
	require.Equal(t, []string{"patch deployments/scale (apps)", "patch pods"}, denied)
}

// TestDeniedKeepsTheOrder: many are asked for at a time, and told as they were named.
func TestDeniedKeepsTheOrder(t *testing.T) {
	t.Parallel()
	typed := fake.NewClientset()
	away := ""
	typed.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review, _ := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview)
		if away != "" && review.Spec.ResourceAttributes.Resource >= away {
			return true, nil, apierrors.NewServiceUnavailable("away")
		}
		return true, review, nil // allowed is false
	})
	var rights []Right
	var names []string
	for i := range 40 {
		rights = append(rights, Right{"get", "", fmt.Sprintf("r%02d", i), ""})
		names = append(names, rights[i].String())
	}
	client := &Client{Typed: typed}
	denied, err := client.Denied(t.Context(), namespace, rights)
	require.NoError(t, err)
	require.Equal(t, names, denied)
	require.Len(t, typed.Actions(), len(rights), "each once")

	typed.ClearActions()
	away = "r00"
	_, err = client.Denied(t.Context(), namespace, rights)
	require.ErrorContains(t, err, "asking whether the credentials may get r0")
	require.ErrorContains(t, err, "away")
	require.Less(t, len(typed.Actions()), 2*8, "the others are not asked for any more")
}
