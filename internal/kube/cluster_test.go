package kube

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// resync is longer than any test lasts: it only keeps the bubble's clock going.
const resync = 24 * time.Hour

// world is a cluster that a test holds in its hand.
type world struct {
	typed   *fake.Clientset
	cluster *Cluster
}

// begin watches a namespace with these objects, inside a bubble.
func begin(t *testing.T, objects ...runtime.Object) *world {
	t.Helper()
	typed := fake.NewClientset(objects...)
	client := &Client{Typed: typed}
	cluster, err := client.watch(t.Context(), Target{Namespace: namespace, Service: "lobby", Stable: "old", Canary: "new"}, resync)
	require.NoError(t, err)
	return &world{typed: typed, cluster: cluster}
}

// now is the present state; it must come at once.
func (w *world) now(t *testing.T) rollout.State {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	state, err := w.cluster.Next(ctx, 0)
	require.NoError(t, err)
	return state
}

// update writes a Deployment as another client would.
func (w *world) update(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	_, err := w.typed.AppsV1().Deployments(namespace).Update(t.Context(), d, metav1.UpdateOptions{})
	require.NoError(t, err)
}

// reacts adds a reactor once the watches have begun: they read reactors before.
func (w *world) reacts(verb, resource string, react clienttesting.ReactionFunc) {
	synctest.Wait()
	w.typed.PrependReactor(verb, resource, react)
}

// scaling answers patches of the scale subresource with an error each, then as an
// API server would but for the watch event, which deliver sends.
func (w *world) scaling(t *testing.T, failures ...error) (patches *[]clienttesting.PatchActionImpl) {
	t.Helper()
	patches = &[]clienttesting.PatchActionImpl{}
	w.reacts("patch", "deployments", func(action clienttesting.Action) (bool, runtime.Object, error) {
		patch, ok := action.(clienttesting.PatchActionImpl)
		if !ok || patch.Subresource != "scale" {
			return true, nil, errors.New("only the scale subresource may be patched")
		}
		*patches = append(*patches, patch)
		if n := len(*patches); n <= len(failures) {
			return true, nil, failures[n-1]
		}
		return true, &appsv1.Deployment{}, nil
	})
	return patches
}

func conflict() error {
	return apierrors.NewConflict(schema.GroupResource{Group: "apps", Resource: "deployments"}, "old", errors.New("the object has been modified"))
}

func TestNextWaitsForAChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, service(corev1.IPv4Protocol), deployment("old", 2), replicaSet("old"), pod("o1", "old"))
		synctest.Wait()
		first := w.now(t)
		require.Positive(t, first.Revision)
		require.Equal(t, rollout.Pods{Exists: true, Replicas: 2, Current: true, Pods: 1, Available: 2}, first.Stable)
		require.Equal(t, rollout.Pods{}, first.Canary)
		require.Equal(t, []string{"192.0.2.7"}, first.Addresses)
		require.Equal(t, first.Revision, w.now(t).Revision, "0 asks for the present state, which has not changed")

		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := w.cluster.Next(ctx, first.Revision)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(began), "nothing changed: it had to wait")

		time.AfterFunc(time.Hour, func() {
			_, made := w.typed.CoreV1().Pods(namespace).Create(t.Context(), pod("o2", "old"), metav1.CreateOptions{})
			require.NoError(t, made)
		})
		began = time.Now()
		second, err := w.cluster.Next(t.Context(), first.Revision)
		require.NoError(t, err)
		require.Equal(t, time.Hour, time.Since(began))
		require.Greater(t, second.Revision, first.Revision)
		require.Equal(t, 2, second.Stable.Pods)
	})
}

func TestNextIsNeverOlderThanOurLastScale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, deployment("old", 2))
		patches := w.scaling(t)
		before := w.now(t)
		require.NoError(t, w.cluster.Scale(t.Context(), probe.Stable, 2, 5))
		require.Len(t, *patches, 1)

		// The watch lags: what the cache holds is from before our write.
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := w.cluster.Next(ctx, 0)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		// A change of anything else does not make it newer.
		time.AfterFunc(time.Second, func() {
			_, made := w.typed.CoreV1().Pods(namespace).Create(t.Context(), pod("o1", "old"), metav1.CreateOptions{})
			require.NoError(t, made)
		})
		scaled := deployment("old", 5)
		scaled.Generation = 2
		time.AfterFunc(time.Minute, func() { w.update(t, scaled) })
		began := time.Now()
		after, err := w.cluster.Next(t.Context(), before.Revision)
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(began))
		require.Equal(t, 5, after.Stable.Replicas)
		require.False(t, after.Stable.Current, "observedGeneration is still 1")
	})
}

func TestScaleIsAPreconditionedPatchOfTheSubresource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		canary := deployment("new", 0)
		canary.ResourceVersion = "4711"
		w := begin(t, deployment("old", 2), canary)
		patches := w.scaling(t)
		require.NoError(t, w.cluster.Scale(t.Context(), probe.Canary, 0, 3))
		require.Len(t, *patches, 1)
		patch := (*patches)[0]
		require.Equal(t, "new", patch.Name)
		require.Equal(t, namespace, patch.Namespace)
		require.Equal(t, types.MergePatchType, patch.PatchType)
		require.Equal(t, FieldManager, patch.PatchOptions.FieldManager)
		require.JSONEq(t, `{"metadata":{"resourceVersion":"4711"},"spec":{"replicas":3}}`, string(patch.Patch))
	})
}

func TestScaleReadsAgainAfterAConflict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, deployment("old", 2))
		patches := w.scaling(t, conflict(), conflict())
		reads := 0
		w.reacts("get", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
			reads++
			d := deployment("old", 2)
			d.ResourceVersion = []string{"", "10", "11", "12"}[reads]
			return true, d, nil
		})
		require.NoError(t, w.cluster.Scale(t.Context(), probe.Stable, 2, 1))
		require.Len(t, *patches, 3)
		for i, version := range []string{"10", "11", "12"} {
			var sent struct {
				Metadata struct{ ResourceVersion string }
			}
			require.NoError(t, json.Unmarshal((*patches)[i].Patch, &sent))
			require.Equal(t, version, sent.Metadata.ResourceVersion)
		}
	})
}

// A patch that was carried out, though its answer was lost, is a conflict when it is
// repeated; what it made is no drift.
func TestScaleFindsItsOwnWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, deployment("old", 2))
		patches := w.scaling(t, conflict())
		reads := 0
		w.reacts("get", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
			reads++
			d := deployment("old", int32(3-reads))
			d.Generation = int64(6 + reads)
			return true, d, nil
		})
		require.NoError(t, w.cluster.Scale(t.Context(), probe.Stable, 2, 1))
		require.Len(t, *patches, 1)
		require.Equal(t, int64(8), w.cluster.written["old"].generation)

		reads = 1 // a count that is right before anything was sent is somebody's
		err := w.cluster.Scale(t.Context(), probe.Stable, 2, 1)
		_, ok := errors.AsType[*rollout.DriftError](err)
		require.True(t, ok, err)
	})
}

func TestScaleGivesUpOnEndlessConflicts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, deployment("old", 2))
		failures := make([]error, 100)
		for i := range failures {
			failures[i] = conflict()
		}
		patches := w.scaling(t, failures...)
		err := w.cluster.Scale(t.Context(), probe.Stable, 2, 1)
		require.ErrorContains(t, err, `scaling deployment "old" from 2 to 1: `)
		require.True(t, apierrors.IsConflict(err))
		require.Len(t, *patches, conflictBackoff.Steps)
	})
}

func TestScaleRefusesDrift(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name      string
		conflicts []error
		have      int32
	}{
		{"seen at once", nil, 7},
		{"behind a conflict", []error{conflict()}, 3},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				drifted := deployment("old", row.have)
				drifted.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl-scale", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`)}}
				start := drifted
				if row.conflicts != nil {
					start = deployment("old", 2)
				}
				w := begin(t, start)
				patches := w.scaling(t, row.conflicts...)
				reads := 0
				w.reacts("get", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
					reads++
					if reads <= len(row.conflicts) {
						return true, start, nil
					}
					return true, drifted, nil
				})
				err := w.cluster.Scale(t.Context(), probe.Stable, 2, 1)
				drift, ok := errors.AsType[*rollout.DriftError](err)
				require.True(t, ok, err)
				require.Equal(t, rollout.DriftError{Deployment: "old", Want: 2, Have: int(row.have), Author: `"kubectl-scale"`}, *drift)
				require.Len(t, *patches, len(row.conflicts), "nothing was patched that had drifted")
			})
		})
	}
}

func TestScaleAndDeleteHandErrorsOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, deployment("old", 2))
		forbidden := apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, "old", errors.New("no"))
		patches := w.scaling(t, forbidden)
		err := w.cluster.Scale(t.Context(), probe.Stable, 2, 1)
		require.True(t, Forbidden(err))
		require.Len(t, *patches, 1, "only conflicts are tried again")
		require.True(t, apierrors.IsNotFound(w.cluster.Scale(t.Context(), probe.Canary, 0, 1)))
		require.NoError(t, w.cluster.Delete(t.Context(), probe.Canary), "it is gone already")
		require.NoError(t, w.cluster.Delete(t.Context(), probe.Stable))
		synctest.Wait()
		require.False(t, w.now(t).Stable.Exists)
	})
}
