package kube

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/internal/probe"
)

func TestRestAfter(t *testing.T) {
	t.Parallel()
	for took, want := range map[time.Duration]time.Duration{
		0: 0, 50 * time.Microsecond: 200 * time.Microsecond, 10 * time.Millisecond: 40 * time.Millisecond, time.Second: longestRest,
	} {
		require.Equal(t, want, restAfter(took), took)
	}
}

// TestNextRests: many changes are seen in one look, and none is missed.
func TestNextRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := parkable(t, pod("a", "old", isReady))
		before := w.now(t)
		w.cluster.looked(10 * time.Millisecond)
		began := time.Now()
		for _, name := range []string{"b", "c"} {
			_, err := w.typed.CoreV1().Pods(namespace).Create(t.Context(), pod(name, "old", isReady), metav1.CreateOptions{})
			require.NoError(t, err)
		}
		state, err := w.cluster.Next(t.Context(), before.Revision)
		require.NoError(t, err)
		require.Equal(t, 40*time.Millisecond, time.Since(began))
		require.Equal(t, 3, state.Stable.Pods)

		w.cluster.looked(time.Second)
		limited, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err = w.cluster.Next(limited, 0)
		require.ErrorIs(t, err, context.DeadlineExceeded, "a rest outlasts nobody's patience")
	})
}

// TestLean: pods are kept without their history; a Deployment's tells who scaled it.
func TestLean(t *testing.T) {
	t.Parallel()
	written := []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	p, set, s, d := pod("a", "old"), replicaSet("old"), slice("lobby-1", discoveryv1.AddressTypeIPv4), deployment("old", 1)
	for _, object := range []metav1.Object{p, set, s, d} {
		object.SetManagedFields(written)
	}
	for _, object := range []any{p, set, s} {
		same, err := lean(object)
		require.NoError(t, err)
		require.Same(t, object, same)
	}
	_, err := lean(d)
	require.NoError(t, err)
	require.Equal(t, [][]metav1.ManagedFieldsEntry{nil, nil, nil, written},
		[][]metav1.ManagedFieldsEntry{p.ManagedFields, set.ManagedFields, s.ManagedFields, d.ManagedFields})

	synctest.Test(t, func(t *testing.T) {
		p := pod("a", "old", isReady)
		p.ManagedFields = written
		d := deployment("old", 1)
		d.ManagedFields = []metav1.ManagedFieldsEntry{{
			Manager: "kubectl", Operation: metav1.ManagedFieldsOperationUpdate,
			FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`),
		}}
		w := begin(t, p, d, replicaSet("old"))
		require.Equal(t, `"kubectl"`, w.now(t).Stable.Author)
		pods, err := w.cluster.podsOf(probe.Stable)
		require.NoError(t, err)
		require.Len(t, pods, 1)
		require.Empty(t, pods[0].ManagedFields)
	})
}
