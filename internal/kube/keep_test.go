package kube

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/org/l4-canary/internal/probe"
)

// crashing is a pod whose container crashes again and again.
func crashing(p *corev1.Pod) {
	withStatus(corev1.ContainerStatus{
		Name: "lobby", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off"}},
	})(p)
}

// TestKeep: the pod that is beyond help is nobody's any more: no Service, ReplicaSet
// or Deployment has a part in it, and it counts nowhere.
func TestKeep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := parkable(t, pod("a", "old", isReady), pod("n1", "new"), pod("n2", "new", crashing), pod("n3", "new", isReady))
		name, err := w.cluster.Keep(t.Context(), probe.Canary, "CRASH_LOOP: crashes", true)
		require.NoError(t, err)
		require.Equal(t, "n2", name)
		require.Len(t, w.patches(), 1)
		p := w.pod(t, "n2")
		require.Empty(t, p.Labels)
		require.Empty(t, p.OwnerReferences)
		var note kept
		require.NoError(t, json.Unmarshal([]byte(p.Annotations[KeptAnnotation]), &note))
		require.Equal(t, kept{
			Because: "CRASH_LOOP: crashes", At: time.Now().UTC().Truncate(time.Second), Deployment: "new",
			Labels: map[string]string{"run": "new", "app": "lobby"},
		}, note)
		state := w.settled(t)
		require.Equal(t, 2, state.Canary.Pods)
		require.Zero(t, state.Canary.Released)
		require.Empty(t, state.Troubles)
		require.NoError(t, w.cluster.Discard(t.Context(), probe.Canary), "it is not ours to delete")
		require.Equal(t, "n2", w.pod(t, "n2").Name)
	})
}

// TestKeepTakesNoneThatServes, and a silent one only where that is what failed.
func TestKeepTakesNoneThatServes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// One that restarted and serves again still has its trouble.
		w := parkable(t, pod("n1", "new", isReady, crashing), pod("n2", "new"), pod("n3", "new", terminating))
		name, err := w.cluster.Keep(t.Context(), probe.Canary, "DRIFT: somebody scaled", false)
		require.NoError(t, err)
		require.Empty(t, name)
		require.Empty(t, w.patches())
		name, err = w.cluster.Keep(t.Context(), probe.Canary, "DEADLINE: never ready", true)
		require.NoError(t, err)
		require.Equal(t, "n2", name)
		w.cluster.Canary = "gone"
		name, err = w.cluster.Keep(t.Context(), probe.Canary, "DEADLINE: never ready", true)
		require.NoError(t, err)
		require.Empty(t, name)
	})
}

// TestKeepLooksAgain at a pod whose status was written meanwhile.
func TestKeepLooksAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := parkable(t, pod("n1", "new"))
		first := true
		w.reacts("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			if !first {
				return false, nil, nil
			}
			first = false
			return true, nil, apierrors.NewConflict(corev1.Resource("pods"), "n1", nil)
		})
		name, err := w.cluster.Keep(t.Context(), probe.Canary, "DEADLINE: never ready", true)
		require.NoError(t, err)
		require.Equal(t, "n1", name)
		require.Len(t, w.patches(), 2)
	})
}

// TestKeepTakesOne, also where the API server set it aside and its answer was lost: the
// repeated patch is a conflict then.
func TestKeepTakesOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := parkable(t, pod("n1", "new", crashing), pod("n2", "new", crashing))
		lost := false
		w.reacts("patch", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
			if lost {
				return false, nil, nil
			}
			lost = true
			_, _, err := clienttesting.ObjectReaction(w.typed.Tracker())(action)
			require.NoError(t, err)
			return true, nil, apierrors.NewConflict(corev1.Resource("pods"), "n1", nil)
		})
		name, err := w.cluster.Keep(t.Context(), probe.Canary, "CRASH_LOOP: crashes", true)
		require.NoError(t, err)
		var aside []string
		for _, n := range []string{"n1", "n2"} {
			if w.pod(t, n).Annotations[KeptAnnotation] != "" {
				aside = append(aside, n)
			}
		}
		require.Equal(t, []string{name}, aside)
	})
}
