package preflight_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/preflight"
)

// scalerText is the manifest of an autoscaler with the name of its Deployment.
func scalerText(name string) string {
	return "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: " + name +
		"}\nspec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: " + name + "}}\n"
}

// copied is a single Deployment, live, whose selector matches the copy's pods too, for
// those have all the labels of its own.
func copied(t *testing.T) preflight.Facts {
	t.Helper()
	f := sound(t)
	text := deploymentText("blue")
	set := parse(t, serviceYAML, text)
	selection, err := set.Behind(set.Objects[0])
	require.NoError(t, err)
	blue := live(t, text)
	roles, err := manifest.AssignRoles(selection, []manifest.Live{{
		Name: "blue", Labels: blue.Spec.Template.Labels, Replicas: 3, Ready: 3, Object: set.Objects[1],
	}}, "", "")
	require.NoError(t, err)
	roles.Stamp("0123456789abcdef", "1")
	require.Equal(t, manifest.Single, roles.Mode)
	f.Roles, f.Deployments[0] = roles, blue
	return f
}

// others are objects of the manifests.
func others(t *testing.T, texts ...string) []manifest.Object {
	t.Helper()
	return parse(t, texts...).Objects
}

// TestAutoscalers has a row for everything that an autoscaler can mean: what is said,
// and how gravely. says is empty where there is nothing to say.
func TestAutoscalers(t *testing.T) {
	t.Parallel()
	const e, n = preflight.Error, preflight.Notice
	keda := "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: queue}\nspec: {scaleTargetRef: {name: blue}}\n"
	for name, row := range map[string]struct {
		level preflight.Level
		says  string
		spoil func(f *preflight.Facts)
	}{
		"live": {e, "HorizontalPodAutoscaler blue scales Deployment \"blue\": it would change the counts that are the weights\n  hint: set input \"hpa\" to pause",
			func(f *preflight.Facts) { f.Scalers = scaler(t, "blue") }},
		"in the manifests": {e, `HorizontalPodAutoscaler green scales Deployment "green"`,
			func(f *preflight.Facts) { f.Others = others(t, scalerText("green")) }},
		"live and in the manifests": {e, `HorizontalPodAutoscaler blue scales`,
			func(f *preflight.Facts) {
				f.Scalers, f.Others = scaler(t, "blue"), others(t, scalerText("blue"))
			}},
		"of another Deployment": {"", "", func(f *preflight.Facts) {
			f.Scalers = scaler(t, "hall")
			f.Deployments = append(f.Deployments, live(t, deploymentText("hall")))
		}},
		"of a StatefulSet": {"", "", func(f *preflight.Facts) {
			f.Scalers = scaler(t, "blue")
			f.Scalers[0].Spec.ScaleTargetRef.Kind = "StatefulSet"
		}},
		"counting the copy": {e, `the weights, and its selector counts the pods of "blue-canary" too`,
			func(f *preflight.Facts) { *f = copied(t); f.Scalers = scaler(t, "blue") }},
		"paused": {n, `HorizontalPodAutoscaler green of Deployment "green" is paused while the rollout lasts: no load changes the number of pods`,
			func(f *preflight.Facts) { f.Pauses, f.Scalers = true, scaler(t, "green") }},
		"paused, counting the copy": {n, `that it counts the pods of "blue-canary" too has no effect meanwhile`,
			func(f *preflight.Facts) {
				*f = copied(t)
				f.Pauses, f.Scalers = true, scaler(t, "blue")
			}},
		"KEDA, live": {e, `kubectl annotate scaledobject queue autoscaling.keda.sh/paused=true, and afterwards autoscaling.keda.sh/paused-`,
			func(f *preflight.Facts) {
				f.Scalers, f.Pauses = scaler(t, "blue"), true
				f.Scalers[0].OwnerReferences = owned("ScaledObject", "queue")
			}},
		"KEDA, in the manifests": {e, `KEDA's ScaledObject queue scales Deployment "blue"`,
			func(f *preflight.Facts) { f.Others = others(t, keda) }},
		"KEDA, paused by itself": {"", "", func(f *preflight.Facts) {
			f.Others = others(t, replaced(keda, "{name: queue}", `{name: queue, annotations: {autoscaling.keda.sh/paused: "true"}}`))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := sound(t)
			row.spoil(&f)
			findings := f.Check()
			if row.says == "" {
				require.Empty(t, findings)
				require.False(t, f.Autoscaled())
				return
			}
			require.Len(t, findings, 1, findings.Error())
			require.Equal(t, row.level, findings[0].Level)
			require.Contains(t, findings[0].String(), row.says)
		})
	}
}

// TestAutoscalersOfAPair: the new version needs one as well, or nothing would scale
// it afterwards.
func TestAutoscalersOfAPair(t *testing.T) {
	t.Parallel()
	f := sound(t)
	f.Pauses, f.Scalers = true, scaler(t, "blue")
	wrong := f.Check().Of(preflight.Error)
	require.Len(t, wrong, 1)
	require.Contains(t, wrong[0].Message, `Deployment "blue" has an autoscaler and Deployment "green" has none`)
	require.Contains(t, wrong[0].Hint, "to the manifests")

	inManifests := f
	inManifests.Others = others(t, scalerText("green"))
	require.Empty(t, inManifests.Check().Of(preflight.Error))
	require.Len(t, inManifests.Check().Of(preflight.Notice), 2)
	require.True(t, inManifests.Autoscaled())

	f.Scalers = append(f.Scalers, scaler(t, "green")...)
	require.Empty(t, f.Check().Of(preflight.Error), "one that is live does as well")
	f.Deletes = true
	require.Contains(t, f.Check()[0].Message, "it stays when the Deployment is deleted (finish: delete)")
	require.NotContains(t, f.Check()[1].Message, "finish: delete")
}

// TestAutoscalersWhileResuming: a rollout under way is held to the same, for the
// autoscaler that its first run has paused is still there.
func TestAutoscalersWhileResuming(t *testing.T) {
	t.Parallel()
	f := sound(t)
	f.Resuming, f.Scalers = true, append(scaler(t, "blue"), scaler(t, "green")...)
	require.Len(t, f.Check().Of(preflight.Error), 2)
	f.Pauses = true
	require.Empty(t, f.Check().Of(preflight.Error))
}
