package kube

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// autoscaler scales a Deployment of its name between 3 and 5 pods.
func autoscaler(name string, change ...func(*autoscalingv2.HorizontalPodAutoscaler)) *autoscalingv2.HorizontalPodAutoscaler {
	s := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, ResourceVersion: "7"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name},
			MinReplicas:    new(int32(3)), MaxReplicas: 5,
		},
	}
	for _, c := range change {
		c(s)
	}
	return s
}

// slowly is a behavior as an API server shows it: with all rules.
func slowly(s *autoscalingv2.HorizontalPodAutoscaler) {
	rules := func() *autoscalingv2.HPAScalingRules {
		return &autoscalingv2.HPAScalingRules{
			StabilizationWindowSeconds: new(int32(60)), SelectPolicy: new(autoscalingv2.MinChangePolicySelect),
			Policies: []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PodsScalingPolicy, Value: 1, PeriodSeconds: 30}},
		}
	}
	s.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: rules(), ScaleDown: rules()}
	s.Annotations = map[string]string{"team": "game"}
}

// scaled is a cluster with autoscalers.
func scaled(t *testing.T, scalers ...runtime.Object) *Cluster {
	t.Helper()
	return &Cluster{
		Client: &Client{Typed: fake.NewClientset(scalers...)},
		Target: Target{Namespace: namespace, Service: "lobby", Stable: "old", Canary: "new"},
	}
}

// scaler is one of the cluster's.
func (c *Cluster) scaler(t *testing.T, name string) *autoscalingv2.HorizontalPodAutoscaler {
	t.Helper()
	s, err := c.Typed.AutoscalingV2().HorizontalPodAutoscalers(namespace).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	return s
}

// TestPauseAndResume: what comes back is exactly what was there, also after several
// pauses; autoscalers of others are left alone.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	ofASet := autoscaler("set", func(s *autoscalingv2.HorizontalPodAutoscaler) {
		s.Spec.ScaleTargetRef.Kind, s.Spec.ScaleTargetRef.Name = "StatefulSet", "old"
	})
	roomy := autoscaler("new", slowly, func(s *autoscalingv2.HorizontalPodAutoscaler) { s.Spec.MaxReplicas = 20 })
	before := []*autoscalingv2.HorizontalPodAutoscaler{autoscaler("old"), roomy, autoscaler("hall"), ofASet}
	c := scaled(t, before[0], before[1], before[2], before[3])
	for _, most := range []int{6, 6, 8} {
		names, err := c.Pause(t.Context(), most)
		require.NoError(t, err)
		require.Equal(t, []string{"new", "old"}, names)
		for _, name := range names {
			s := c.scaler(t, name)
			require.True(t, disabled(s))
			require.Equal(t, int32(1), least(s))
			require.GreaterOrEqual(t, int(s.Spec.MaxReplicas), most)
		}
	}
	require.Equal(t, int32(8), c.scaler(t, "old").Spec.MaxReplicas)
	require.Equal(t, int32(20), c.scaler(t, "new").Spec.MaxReplicas)
	require.Len(t, c.scaler(t, "new").Spec.Behavior.ScaleUp.Policies, 1, "only the choice among them is another")
	paused, err := c.Paused(t.Context(), namespace, "old", "new")
	require.NoError(t, err)
	require.Equal(t, []string{"new", "old"}, paused)

	for range 2 {
		require.NoError(t, c.Resume(t.Context()))
		for _, was := range before {
			is := c.scaler(t, was.Name)
			require.Equal(t, was.Spec, is.Spec, was.Name)
			require.NotContains(t, is.Annotations, PausedAnnotation)
		}
	}
	require.Equal(t, "game", c.scaler(t, "new").Annotations["team"])
	paused, err = c.Paused(t.Context(), namespace, "old", "new")
	require.NoError(t, err)
	require.Empty(t, paused)
}

// TestPauseNotedIsThePatch: anybody can end the pause with what the annotation says.
func TestPauseNotedIsThePatch(t *testing.T) {
	t.Parallel()
	for _, was := range []*autoscalingv2.HorizontalPodAutoscaler{autoscaler("old"), autoscaler("old", slowly)} {
		c := scaled(t, was)
		_, err := c.Pause(t.Context(), 6)
		require.NoError(t, err)
		noted := c.scaler(t, "old").Annotations[PausedAnnotation]
		_, err = c.Typed.AutoscalingV2().HorizontalPodAutoscalers(namespace).Patch(t.Context(), "old", types.MergePatchType, []byte(noted), metav1.PatchOptions{})
		require.NoError(t, err)
		require.Equal(t, was.Spec, c.scaler(t, "old").Spec)
		require.NotContains(t, c.scaler(t, "old").Annotations, PausedAnnotation)
	}
}

// TestPauseIsOneWrite, good only for the version that was read. A status that is
// written meanwhile is read again.
func TestPauseIsOneWrite(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Cluster) error{
		"pause":  func(c *Cluster) error { _, err := c.Pause(t.Context(), 6); return err },
		"resume": func(c *Cluster) error { return c.Resume(t.Context()) },
	} {
		c := scaled(t, autoscaler("old"))
		if name == "resume" {
			_, err := c.Pause(t.Context(), 6)
			require.NoError(t, err)
		}
		typed, ok := c.Typed.(*fake.Clientset)
		require.True(t, ok)
		typed.ClearActions()
		var patches []string
		typed.PrependReactor("patch", "horizontalpodautoscalers", func(action clienttesting.Action) (bool, runtime.Object, error) {
			patch, ok := action.(clienttesting.PatchActionImpl)
			require.True(t, ok)
			patches = append(patches, string(patch.Patch))
			return len(patches) == 1, nil, conflict()
		})
		require.NoError(t, change(c), name)
		require.Len(t, patches, 2)
		for _, patch := range patches {
			require.Contains(t, patch, `"resourceVersion":"`)
			require.Contains(t, patch, PausedAnnotation)
			require.Contains(t, patch, `"spec":`)
		}
		require.NoError(t, change(c))
		require.Len(t, patches, 2, "what is done is not done again")
		for _, action := range typed.Actions() {
			require.Contains(t, []string{"list", "patch"}, action.GetVerb(), "the README's Role grants no more")
		}
	}
}

// TestResumeLeavesWhatOthersWrote: somebody has ended the pause by hand, with values
// of their own.
func TestResumeLeavesWhatOthersWrote(t *testing.T) {
	t.Parallel()
	c := scaled(t, autoscaler("old"))
	_, err := c.Pause(t.Context(), 6)
	require.NoError(t, err)
	theirs := c.scaler(t, "old")
	theirs.Spec.Behavior, theirs.Spec.MinReplicas, theirs.Spec.MaxReplicas = nil, new(int32(2)), 12
	_, err = c.Typed.AutoscalingV2().HorizontalPodAutoscalers(namespace).Update(t.Context(), theirs, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.NoError(t, c.Resume(t.Context()))
	require.Equal(t, theirs.Spec, c.scaler(t, "old").Spec)
	require.NotContains(t, c.scaler(t, "old").Annotations, PausedAnnotation)
}

// TestPauseFails with what was tried; an autoscaler that is gone is no failure.
func TestPauseFails(t *testing.T) {
	t.Parallel()
	resource := schema.GroupResource{Group: "autoscaling", Resource: "horizontalpodautoscalers"}
	for name, row := range map[string]struct {
		verb string
		err  error
		says string
	}{
		"list":      {"list", apierrors.NewForbidden(resource, "", errors.New("no")), `listing horizontalpodautoscalers in namespace "game": `},
		"patch":     {"patch", apierrors.NewForbidden(resource, "old", errors.New("no")), `patching horizontalpodautoscaler "old": `},
		"gone":      {"patch", apierrors.NewNotFound(resource, "old"), ""},
		"conflicts": {"patch", conflict(), "patching"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := scaled(t, autoscaler("old"))
			typed, ok := c.Typed.(*fake.Clientset)
			require.True(t, ok)
			typed.PrependReactor(row.verb, "horizontalpodautoscalers", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, nil, row.err
			})
			_, err := c.Pause(t.Context(), 6)
			if row.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, row.says)
		})
	}
	for _, text := range []string{"{", "{}", ""} {
		c := scaled(t, autoscaler("old", func(s *autoscalingv2.HorizontalPodAutoscaler) {
			s.Annotations = map[string]string{PausedAnnotation: text}
		}))
		require.ErrorContains(t, c.Resume(t.Context()), `reading annotation "l4-canary.io/paused" of horizontalpodautoscaler "old"`)
	}
}

// TestPauseTakesNothingElseFromTheAnnotation: it is text that anybody could have
// written.
func TestPauseTakesNothingElseFromTheAnnotation(t *testing.T) {
	t.Parallel()
	c := scaled(t, autoscaler("old"))
	_, err := c.Pause(t.Context(), 6)
	require.NoError(t, err)
	forged := c.scaler(t, "old")
	forged.Annotations[PausedAnnotation] = strings.Replace(forged.Annotations[PausedAnnotation], `"spec":{`, `"spec":{"scaleTargetRef":{"name":"hall"},`, 1)
	require.Contains(t, forged.Annotations[PausedAnnotation], "hall")
	_, err = c.Typed.AutoscalingV2().HorizontalPodAutoscalers(namespace).Update(t.Context(), forged, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.NoError(t, c.Resume(t.Context()))
	require.Equal(t, autoscaler("old").Spec, c.scaler(t, "old").Spec)
}
