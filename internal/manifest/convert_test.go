package manifest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/manifest"
)

// bare is a Deployment that leaves everything to its API version.
func bare(apiVersion string) string {
	return `apiVersion: ` + apiVersion + `
kind: Deployment
metadata:
  name: lobby
spec:
  replicas:
  rollbackTo: {revision: 3}
  template:
    metadata: {labels: {app: lobby}}
    spec: {containers: [{name: lobby, image: lobby}]}
status: {replicas: 4}
`
}

func TestConvertGoldens(t *testing.T) {
	t.Parallel()
	selector := "spec:\n  selector: {matchLabels: {app: lobby}}\n"
	tests := []struct{ golden, text, notice string }{
		{"extensions-v1beta1.yaml", bare("extensions/v1beta1"),
			`a.yaml:1: Deployment "lobby": extensions/v1beta1 was removed in Kubernetes 1.16; read as apps/v1 without spec.rollbackTo with the defaults of extensions/v1beta1: metadata.labels as in the pod template, selector as the pod template's labels, replicas 1, strategy.type RollingUpdate, revisionHistoryLimit 2147483647, progressDeadlineSeconds 2147483647, maxSurge 1, maxUnavailable 1`},
		{"apps-v1beta1.yaml", bare("apps/v1beta1"),
			`a.yaml:1: Deployment "lobby": apps/v1beta1 was removed in Kubernetes 1.16; read as apps/v1 without spec.rollbackTo with the defaults of apps/v1beta1: metadata.labels as in the pod template, selector as the pod template's labels, replicas 1, strategy.type RollingUpdate, revisionHistoryLimit 2, progressDeadlineSeconds 600, maxSurge 25%, maxUnavailable 25%`},
		{"apps-v1beta2.yaml", strings.Replace(bare("apps/v1beta2"), "spec:\n", selector, 1),
			`a.yaml:1: Deployment "lobby": apps/v1beta2 was removed in Kubernetes 1.16; read as apps/v1 without spec.rollbackTo with the defaults of apps/v1beta2: replicas 1, strategy.type RollingUpdate, revisionHistoryLimit 10, progressDeadlineSeconds 600, maxSurge 25%, maxUnavailable 25%`},
		{"recreate.yaml", strings.Replace(bare("extensions/v1beta1"), "spec:\n", "spec:\n  strategy: {type: Recreate}\n", 1),
			`a.yaml:1: Deployment "lobby": extensions/v1beta1 was removed in Kubernetes 1.16; read as apps/v1 without spec.rollbackTo with the defaults of extensions/v1beta1: metadata.labels as in the pod template, selector as the pod template's labels, replicas 1, revisionHistoryLimit 2147483647, progressDeadlineSeconds 2147483647`},
		{"explicit.yaml", strings.Replace(bare("extensions/v1beta1"), "spec:\n", "spec:\n  strategy: {rollingUpdate: {maxSurge: 3}}\n  revisionHistoryLimit: 5\n  progressDeadlineSeconds: 60\n  selector: {matchLabels: {app: lobby}}\n", 1),
			`a.yaml:1: Deployment "lobby": extensions/v1beta1 was removed in Kubernetes 1.16; read as apps/v1 without spec.rollbackTo with the defaults of extensions/v1beta1: metadata.labels as in the pod template, replicas 1, strategy.type RollingUpdate, maxUnavailable 1`},
	}
	for _, tt := range tests {
		t.Run(tt.golden, func(t *testing.T) {
			t.Parallel()
			set, notices, err := manifest.Read([]string{"a.yaml"}, tree(map[string]string{"a.yaml": tt.text}), nil)
			require.NoError(t, err)
			require.Len(t, notices, 1)
			require.Equal(t, tt.notice, notices[0].String())
			golden(t, tt.golden, set.Objects)
		})
	}
}

func TestConvertSeed(t *testing.T) {
	t.Parallel()
	set, notices, err := manifest.Read([]string{"seed"}, shared, nil)
	require.NoError(t, err)
	golden(t, "seed.yaml", set.Objects)
	require.Len(t, notices, 2)
	require.Equal(t, manifest.Place{File: "seed/new-nginx.yaml", Line: 1}, notices[0].Place)
	require.Equal(t, manifest.Place{File: "seed/old-nginx.yaml", Line: 1}, notices[1].Place)
}

func TestConvertLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	_, notices, err := manifest.Read([]string{"a.yaml"}, tree(map[string]string{
		"a.yaml": deployment("blue") + "---\n" + strings.Replace(bare("apps/v1beta1"), "Deployment", "StatefulSet", 1),
	}), nil)
	require.NoError(t, err)
	require.Empty(t, notices)
}

func TestConvertNeedsASelector(t *testing.T) {
	t.Parallel()
	_, _, err := manifest.Read([]string{"a.yaml"}, tree(map[string]string{"a.yaml": bare("apps/v1beta2")}), nil)
	require.EqualError(t, err, `a.yaml:1: Deployment "lobby": spec.selector is missing or not an object`)
}
