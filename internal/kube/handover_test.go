package kube

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/org/l4-canary/internal/manifest"
)

// TestHandover has one row for every state in which a handover can be begun or
// gone on with. All of them end with stable alone, made from what the rollout
// remembers, and no Deployment takes its ReplicaSets along when it goes.
func TestHandover(t *testing.T) {
	t.Parallel()
	stamped := func(d *appsv1.Deployment) *appsv1.Deployment {
		d.Spec.Template.Labels[manifest.ReleaseLabel] = "abc"
		return d
	}
	rows := []struct {
		name string
		live []runtime.Object
		made bool
		gone []string
	}{
		{"from the beginning", []runtime.Object{deployment("old", 0), stamped(deployment("new", 3))}, true, []string{"old", "new"}},
		{"stable is gone already", []runtime.Object{stamped(deployment("new", 3))}, true, []string{"old", "new"}},
		{"both are gone", nil, true, []string{"old", "new"}},
		{"it is done already", []runtime.Object{stamped(deployment("old", 3))}, false, []string{"new"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := begin(t, row.live...)
				w.now(t)
				original := deployment("old", 4)
				original.Labels = map[string]string{"team": "game"}
				w.cluster.Original = asManifest(t, original, "apps/v1", "Deployment")
				w.cluster.CanaryManifest = asManifest(t, stamped(deployment("new", 0)), "apps/v1", "Deployment")
				w.typed.ClearActions()
				require.NoError(t, w.cluster.Handover(t.Context(), 3))

				var gone []string
				made := false
				for _, action := range w.typed.Actions() {
					switch a := action.(type) {
					case clienttesting.DeleteActionImpl:
						gone = append(gone, a.Name)
						require.Equal(t, metav1.DeletePropagationOrphan, *a.DeleteOptions.PropagationPolicy)
					case clienttesting.CreateActionImpl:
						made = true
					}
				}
				require.Equal(t, row.gone, gone)
				require.Equal(t, row.made, made)
				heir, err := w.typed.AppsV1().Deployments(namespace).Get(t.Context(), "old", metav1.GetOptions{})
				require.NoError(t, err)
				require.Equal(t, "abc", release(heir))
				require.Equal(t, 3, replicas(heir))
				require.Equal(t, map[string]string{"run": "old"}, heir.Spec.Selector.MatchLabels)
				if row.made {
					require.Equal(t, map[string]string{"team": "game"}, heir.Labels, "its own metadata")
				}
			})
		})
	}
}

// TestHandoverIsOverWhenAdopted: it goes on once the Deployment controller has given
// stable the ReplicaSets. Until then they are nobody's, or still seem to be those of a
// Deployment that is no more.
func TestHandoverIsOverWhenAdopted(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		live  []runtime.Object
		owner []metav1.OwnerReference
	}{
		"made just now":         {nil, nil},
		"made before":           {[]runtime.Object{deployment("old", 3)}, nil},
		"the caches are behind": {nil, controlledBy("gone")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				set, other := replicaSet("new"), replicaSet("other")
				set.OwnerReferences, set.Labels = row.owner, map[string]string{"run": "old"}
				other.Labels = set.Labels
				w := begin(t, append([]runtime.Object{set, other, deployment("other", 1)}, row.live...)...)
				w.now(t)
				w.reacts("create", "deployments", func(action clienttesting.Action) (bool, runtime.Object, error) {
					action.(clienttesting.CreateActionImpl).Object.(*appsv1.Deployment).UID = "heir"
					return false, nil, nil
				})
				w.cluster.Original = asManifest(t, deployment("old", 4), "apps/v1", "Deployment")
				w.cluster.CanaryManifest = asManifest(t, deployment("old", 0), "apps/v1", "Deployment")
				done := make(chan error, 1)
				go func() { done <- w.cluster.Handover(t.Context(), 3) }()
				synctest.Wait()
				require.Empty(t, done)
				heir, err := w.typed.AppsV1().Deployments(namespace).Get(t.Context(), "old", metav1.GetOptions{})
				require.NoError(t, err)
				set.OwnerReferences = controlledBy(string(heir.UID))
				_, err = w.typed.AppsV1().ReplicaSets(namespace).Update(t.Context(), set, metav1.UpdateOptions{})
				require.NoError(t, err)
				synctest.Wait()
				require.Len(t, done, 1)
				require.NoError(t, <-done)
			})
		})
	}
}
