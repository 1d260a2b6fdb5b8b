package manifest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/manifest"
)

func TestScaled(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		text   string
		scaled string
		keda   bool
	}{
		"autoscaler":            {"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\nspec: {scaleTargetRef: {kind: Deployment, name: lobby}}", "lobby", false},
		"an old autoscaler":     {"apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\nspec: {scaleTargetRef: {kind: Deployment, name: lobby}}", "lobby", false},
		"of a StatefulSet":      {"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\nspec: {scaleTargetRef: {kind: StatefulSet, name: lobby}}", "", false},
		"KEDA":                  {"apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: a}\nspec: {scaleTargetRef: {name: lobby}}", "lobby", true},
		"KEDA of a StatefulSet": {"apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: a}\nspec: {scaleTargetRef: {kind: StatefulSet, name: lobby}}", "", true},
		"somebody else's kind":  {"apiVersion: example.com/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\nspec: {scaleTargetRef: {kind: Deployment, name: lobby}}", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := readText(t, row.text).Objects[0]
			require.Equal(t, row.scaled, manifest.Scaled(object))
			require.Equal(t, row.keda, manifest.IsScaledObject(object))
		})
	}
}
