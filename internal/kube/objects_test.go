package kube

import (
	"encoding/json"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/rollout"
)

// TestObjectsOutliveTheProcess: what one process wrote down, another can bring
// back. A pair needs no more than the labels.
func TestObjectsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	single := Target{
		Original: asManifest(t, deployment("old", 3), "apps/v1", "Deployment"), StableManifest: asManifest(t, deployment("old", 0), "apps/v1", "Deployment"),
		CanaryManifest: asManifest(t, deployment("new", 0), "apps/v1", "Deployment"), StableParkLabel: "app", CanaryParkLabel: "tier",
	}
	pair := Target{CanaryManifest: single.CanaryManifest, StableParkLabel: "app"}
	for _, target := range []Target{single, pair} {
		data, err := target.Objects()
		require.NoError(t, err)
		var recalled Target
		require.NoError(t, recalled.Recall(data))
		require.Equal(t, target.StableParkLabel, recalled.StableParkLabel)
		require.Equal(t, target.CanaryParkLabel, recalled.CanaryParkLabel)
		if target.Original == nil {
			require.Nil(t, recalled.CanaryManifest)
			continue
		}
		for _, pair := range [][2]any{{target.Original, recalled.Original}, {target.StableManifest, recalled.StableManifest}, {target.CanaryManifest, recalled.CanaryManifest}} {
			want, err := json.Marshal(pair[0])
			require.NoError(t, err)
			have, err := json.Marshal(pair[1])
			require.NoError(t, err)
			require.JSONEq(t, string(want), string(have))
		}
	}
	require.ErrorContains(t, new(Target).Recall([]byte("{")), "reading what the rollout would bring back")
}

// TestOriginalTemplateComesBackWhole: what was added meanwhile is gone.
func TestOriginalTemplateComesBackWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		live := deployment("old", 0)
		live.Spec.Template.Labels[manifest.ReleaseLabel] = "abc"
		w := begin(t, live)
		w.now(t)
		w.cluster.Original = asManifest(t, deployment("old", 4), "apps/v1", "Deployment")
		require.NoError(t, w.cluster.Apply(t.Context(), rollout.OriginalStable))
		patch := w.typed.Actions()[len(w.typed.Actions())-1]
		require.Equal(t, "patch", patch.GetVerb())
		synctest.Wait()
		d, err := w.cluster.deployments.Get("old")
		require.NoError(t, err)
		require.Equal(t, map[string]string{"run": "old", "app": "lobby"}, d.Spec.Template.Labels)
		require.Equal(t, 0, replicas(d), "counts move only through Scale")
		require.Equal(t, types.UID("old"), d.UID)
	})
}

// TestTemplateKeepsWhatIsTheUsers and leaves out what only a server can say.
func TestTemplateKeepsWhatIsTheUsers(t *testing.T) {
	t.Parallel()
	live := deployment("old", 3)
	live.Labels, live.Annotations = map[string]string{"team": "game"}, map[string]string{"note": "x"}
	live.UID, live.Generation = "u", 7
	made := Template(manifest.Object{Unstructured: asManifest(t, live, "apps/v1", "Deployment")})
	require.Equal(t, map[string]any{
		"name": "old", "namespace": namespace, "labels": map[string]any{"team": "game"}, "annotations": map[string]any{"note": "x"},
	}, made.Object["metadata"])
	require.NotContains(t, made.Object, "status")
	require.NotContains(t, made.Object["spec"], "replicas")
}
