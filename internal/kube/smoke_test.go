package kube

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/org/l4-canary/internal/rollout"
)

// TestSmoke makes a pod that nothing selects, and takes it away.
func TestSmoke(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, deployment("old", 1), service(corev1.IPv4Protocol))
		_, err := w.cluster.Smoke(t.Context())
		require.ErrorIs(t, err, errNoTemplate)

		d := deployment("new", 3)
		d.Spec.Template.Annotations = map[string]string{"sidecar": "yes"}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "lobby", Image: "lobby:2"}}
		w.cluster.CanaryManifest = asManifest(t, d, "apps/v1", "Deployment")
		name, err := w.cluster.Smoke(t.Context())
		require.NoError(t, err)
		p := w.pod(t, name)
		require.Equal(t, map[string]string{smokeLabel: "lobby"}, p.Labels)
		require.Equal(t, map[string]string{"sidecar": "yes"}, p.Annotations)
		require.Equal(t, "lobby:2", p.Spec.Containers[0].Image)
		require.Equal(t, int64(smokeSeconds), *p.Spec.ActiveDeadlineSeconds)
		require.True(t, strings.HasPrefix(p.GenerateName, "new-smoke-"))

		state := w.settled(t)
		require.Equal(t, []rollout.SmokePod{{Pod: name}}, state.Smoke)
		require.Zero(t, state.Canary.Pods)
		require.Empty(t, state.Members)
		isReady(p)
		withStatus(corev1.ContainerStatus{Name: "lobby", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}})(p)
		_, err = w.typed.CoreV1().Pods(namespace).UpdateStatus(t.Context(), p, metav1.UpdateOptions{})
		require.NoError(t, err)
		state = w.settled(t)
		require.True(t, state.Smoke[0].Ready)
		require.Equal(t, rollout.ReasonCrashLoop, state.Smoke[0].Trouble.Reason)
		require.Empty(t, state.Troubles, "of others it says nothing")

		require.NoError(t, w.cluster.Snuff(t.Context()))
		require.NoError(t, w.cluster.Snuff(t.Context()))
		require.Empty(t, w.settled(t).Smoke)
	})
}

// TestSmokeFindsNoRoom: a quota that turns the pod down is the cluster's, whether it is used
// up or wants to know of every pod what it needs. Any other refusal is an error.
func TestSmokeFindsNoRoom(t *testing.T) {
	t.Parallel()
	for why, quota := range map[string]bool{
		"exceeded quota: team, requested: pods=1": true, "failed quota: team: must specify limits.memory": true, `violates PodSecurity "restricted:latest"`: false,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := begin(t, service(corev1.IPv4Protocol))
			w.cluster.CanaryManifest = asManifest(t, deployment("new", 1), "apps/v1", "Deployment")
			w.reacts("create", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, nil, apierrors.NewForbidden(corev1.Resource("pods"), "new-smoke-x", errors.New(why))
			})
			_, err := w.cluster.Smoke(t.Context())
			require.ErrorContains(t, err, why)
			setback, ok := errors.AsType[*rollout.Setback](err)
			require.Equal(t, quota, ok)
			if ok {
				require.Equal(t, rollout.ReasonQuota, setback.Reason)
			}
		})
	}
}
