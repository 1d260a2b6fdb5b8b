package kube

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// generation is stable's Deployment as a watch would bring it.
func generation(count int32, generation int64) *appsv1.Deployment {
	d := deployment("old", count)
	d.Generation = generation
	return d
}

// setBy is an entry of managedFields.
func setBy(manager, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: metav1.NewFieldsV1(fields)}
}

// TestForeignChanges: our own writes are none of somebody else's, and a write of ours
// hides nothing that was done before it.
func TestForeignChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, generation(2, 7), deployment("new", 0))
		w.scaling(t)
		stable := func() rollout.Pods { synctest.Wait(); return w.now(t).Stable }
		require.Zero(t, stable().Foreign, "what was there before is where counting begins")

		require.NoError(t, w.cluster.Scale(t.Context(), probe.Stable, 2, 1))
		w.update(t, generation(1, 8))
		require.Zero(t, stable().Foreign)

		w.update(t, generation(1, 9))
		require.Equal(t, 1, stable().Foreign)

		require.NoError(t, w.cluster.Scale(t.Context(), probe.Stable, 1, 0))
		w.requireStale(t)
		w.update(t, generation(0, 10))
		require.Equal(t, 1, stable().Foreign, "it was changed all the same")
		require.NotEmpty(t, stable().Change)
		require.Zero(t, w.now(t).Canary.Foreign)
	})
}

// TestMeddled: the last who set a field of the spec, but for us.
func TestMeddled(t *testing.T) {
	t.Parallel()
	ours, status := setBy(FieldManager, `{"f:spec":{"f:replicas":{}}}`), setBy("kube-controller-manager", `{"f:status":{}}`)
	set := setBy("kubectl-set", `{"f:spec":{"f:template":{"f:spec":{}},"f:paused":{}}}`)
	earlier := setBy("helm", `{"f:spec":{"f:strategy":{}}}`)
	before, after := metav1.NewTime(born.Add(-1)), born
	earlier.Time, set.Time = &before, &after
	require.Equal(t, `was changed by "kubectl-set" (of its spec that set paused, template)`, meddled([]metav1.ManagedFieldsEntry{set, earlier, ours, status}))
	require.Equal(t, "was changed", meddled([]metav1.ManagedFieldsEntry{ours, status}))
}

// requireStale: the watches have not told yet of our own last write.
func (w *world) requireStale(t *testing.T) {
	t.Helper()
	synctest.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := w.cluster.Next(ctx, 0)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// TestForeignDeletion: a Deployment that is gone, or another of its name, is news, and
// nothing to wait for.
func TestForeignDeletion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, deployment("old", 2), deployment("new", 0))
		require.Zero(t, w.now(t).Canary.Foreign)
		api := w.typed.AppsV1().Deployments(namespace)
		require.NoError(t, api.Delete(t.Context(), "new", metav1.DeleteOptions{}))
		synctest.Wait()
		state := w.now(t)
		require.False(t, state.Canary.Exists)
		require.Equal(t, "was deleted", state.Canary.Change)

		another := deployment("new", 3)
		another.UID = "another"
		_, err := api.Create(t.Context(), another, metav1.CreateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, "was deleted and made anew", w.now(t).Canary.Change)

		require.NoError(t, w.cluster.Delete(t.Context(), probe.Stable))
		synctest.Wait()
		require.Zero(t, w.now(t).Stable.Foreign, "that was us")
	})
}
