package kube

import (
	"encoding/json"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// parkable is a world with stable pods that can be parked by label app.
func parkable(t *testing.T, objects ...runtime.Object) *world {
	t.Helper()
	w := begin(t, append(objects, deployment("old", 3), deployment("new", 1), replicaSet("old"), replicaSet("new"))...)
	w.cluster.StableParkLabel, w.cluster.CanaryParkLabel = "app", "app"
	w.now(t)
	w.typed.ClearActions()
	return w
}

// settled is the state once the watches have told of every write: objects of the
// fake have no resourceVersion by which to know.
func (w *world) settled(t *testing.T) rollout.State {
	t.Helper()
	synctest.Wait()
	return w.now(t)
}

// patches are the pods that were patched, in order.
func (w *world) patches() []clienttesting.PatchActionImpl {
	var patches []clienttesting.PatchActionImpl
	for _, action := range w.typed.Actions() {
		if patch, ok := action.(clienttesting.PatchActionImpl); ok && patch.Resource.Resource == "pods" {
			patches = append(patches, patch)
		}
	}
	return patches
}

func (w *world) pod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	p, err := w.typed.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	return p
}

func TestParkTakesReadyPodsOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		costly := func(p *corev1.Pod) { p.Annotations = map[string]string{deletionCost: "7"} }
		w := parkable(t, pod("a", "old"), pod("b", "old", isReady, costly), pod("c", "old", isReady, terminating), pod("n", "new", isReady))
		require.NoError(t, w.cluster.Park(t.Context(), probe.Stable, 1))
		require.Len(t, w.patches(), 1, "neither the unready one, nor the one that goes, nor the canary")
		patch := w.patches()[0]
		require.Equal(t, "b", patch.Name)
		require.Equal(t, FieldManager, patch.PatchOptions.FieldManager)
		var sent struct{ Metadata struct{ UID types.UID } }
		require.NoError(t, json.Unmarshal(patch.Patch, &sent))
		require.Equal(t, types.UID("b"), sent.Metadata.UID, "not another pod of that name")

		b := w.pod(t, "b")
		require.Equal(t, map[string]string{"run": "old"}, b.Labels)
		require.Equal(t, parkedCost, b.Annotations[deletionCost])
		require.Equal(t, parking{Deployment: "old", Label: "app", Value: "lobby", Cost: "7"}, parkingOf(b))
		require.Equal(t, 1, w.settled(t).Stable.Parked)

		require.NoError(t, w.cluster.Park(t.Context(), probe.Stable, 1), "it is out already")
		require.Len(t, w.patches(), 1)
		require.ErrorIs(t, w.cluster.Park(t.Context(), probe.Stable, 2), errFewPods)
		require.Len(t, w.patches(), 1)

		require.NoError(t, w.cluster.Unpark(t.Context(), probe.Stable))
		b = w.pod(t, "b")
		require.Equal(t, map[string]string{"run": "old", "app": "lobby"}, b.Labels)
		require.Equal(t, map[string]string{deletionCost: "7"}, b.Annotations)
		require.Zero(t, w.settled(t).Stable.Parked)
	})
}

// TestReleasedPodsBelongToTheLease: whatever becomes of the process, they do not
// outlive the rollout. A pod that its ReplicaSet keeps belongs to nobody else.
func TestReleasedPodsBelongToTheLease(t *testing.T) {
	t.Parallel()
	for _, label := range []string{"app", "run"} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := parkable(t, pod("a", "old", isReady), pod("b", "old", isReady))
				w.cluster.StableParkLabel = label
				lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "l4-canary-lobby", UID: "lease"}}
				w.cluster.held.Store(&Lease{object: lease})
				require.NoError(t, w.cluster.Park(t.Context(), probe.Stable, 2))
				require.Len(t, w.patches(), 2)
				for _, name := range []string{"a", "b"} {
					owners := w.pod(t, name).OwnerReferences
					require.Equal(t, controlledBy("old-5d4f")[0], owners[0])
					if label == "app" {
						require.Len(t, owners, 1)
						continue
					}
					want := metav1.OwnerReference{APIVersion: "coordination.k8s.io/v1", Kind: "Lease", Name: "l4-canary-lobby", UID: "lease"}
					require.Equal(t, []metav1.OwnerReference{want}, owners[1:])
				}
				synctest.Wait()
				require.NoError(t, w.cluster.Unpark(t.Context(), probe.Stable))
				require.Equal(t, controlledBy("old-5d4f"), w.pod(t, "a").OwnerReferences)
			})
		})
	}
}

func TestParkOutlivesPodsThatGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := parkable(t, pod("a", "old", isReady))
		w.reacts("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewNotFound(corev1.Resource("pods"), "a") // the cache does not know yet
		})
		require.NoError(t, w.cluster.Park(t.Context(), probe.Stable, 1))
	})
}

func TestDiscardDeletesWhatWasReleased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := parkable(t, pod("a", "old", isReady, parked), pod("b", "old", parked, orphan), pod("c", "new", parked, orphan), pod("d", "old", orphan))
		require.Equal(t, 1, w.now(t).Stable.Released)
		require.NoError(t, w.cluster.Discard(t.Context(), probe.Stable))
		require.Zero(t, w.settled(t).Stable.Released)
		list, err := w.typed.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		var left []string
		for _, p := range list.Items {
			left = append(left, p.Name)
		}
		require.ElementsMatch(t, []string{"a", "c", "d"}, left)
	})
}

func TestLeavingSparesLonelyPods(t *testing.T) {
	t.Parallel()
	pods := []*corev1.Pod{
		pod("a1", "old", onNode("a")), pod("a2", "old", onNode("a")), pod("a3", "old", onNode("a")), pod("b1", "old", onNode("b")),
	}
	var order []string
	for _, p := range leaving(pods, 4) {
		order = append(order, p.Name)
	}
	require.Equal(t, []string{"a1", "a2", "a3", "b1"}, order)
}
