package preflight_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/preflight"
)

// greenWith are the facts of a canary whose pod template has one more field.
func greenWith(t *testing.T, field string) preflight.Facts {
	t.Helper()
	return facts(t, serviceYAML, deploymentText("blue"), deploymentText("green", "      containers:", "      "+field+"\n      containers:"))
}

// TestRoomForAllContainers: what prepares a pod, and what runs beside it, is counted as an
// API server counts it.
func TestRoomForAllContainers(t *testing.T) {
	t.Parallel()
	const (
		maps = `{name: maps, image: m, resources: {requests: {cpu: 400m}, limits: {memory: 32Mi}}}`
		logs = `{name: logs, image: l, restartPolicy: Always, resources: {requests: {cpu: 200m}, limits: {memory: 16Mi}}}`
	)
	for name, row := range map[string]struct{ field, quota, says string }{
		"an init container":                  {"initContainers: [" + maps + "]", `{hard: {requests.cpu: 500m}}`, "room for 1 more pods (requests.cpu: 0 of 500m used, 400m a pod)"},
		"one that takes less than what runs": {"initContainers: [" + maps + "]", `{hard: {limits.memory: 100Mi}}`, "room for 1 more pods (limits.memory: 0 of 100Mi used, 64Mi a pod)"},
		"a sidecar":                          {"initContainers: [" + logs + "]", `{hard: {requests.cpu: 500m}}`, "room for 1 more pods (requests.cpu: 0 of 500m used, 300m a pod)"},
		"one after a sidecar":                {"initContainers: [" + logs + ", " + maps + "]", `{hard: {requests.cpu: 700m}}`, "room for 1 more pods (requests.cpu: 0 of 700m used, 600m a pod)"},
		"one before a sidecar":               {"initContainers: [" + maps + ", " + logs + "]", `{hard: {requests.cpu: 700m}}`, "room for 1 more pods (requests.cpu: 0 of 700m used, 400m a pod)"},
		"the pod as a whole":                 {"resources: {requests: {cpu: 450m}}", `{hard: {requests.cpu: 500m}}`, "room for 1 more pods (requests.cpu: 0 of 500m used, 450m a pod)"},
		"an init container that does not say": {"initContainers: [" + maps + "]", `{hard: {limits.cpu: 8}}`,
			`ResourceQuota "team" counts limits.cpu, and container "maps" of Deployment "green" does not say how much it takes`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := greenWith(t, row.field)
			f.Quotas = quota(t, row.quota)
			findings := f.Check().Of(preflight.Error)
			require.NotEmpty(t, findings)
			require.Contains(t, findings[0].Message, row.says)
		})
	}
}

// TestLimitsOfInitContainers: a LimitRange holds for them as well.
func TestLimitsOfInitContainers(t *testing.T) {
	t.Parallel()
	f := greenWith(t, "initContainers: [{name: maps, image: m, resources: {limits: {cpu: 2}}}]")
	f.Limits = limitRange(t, `{max: {cpu: 1}}`)
	findings := f.Check()
	require.Len(t, findings, 1, findings.Error())
	require.Contains(t, findings[0].Message, `container "maps" asks for 2 of cpu, and LimitRange "sizes" allows at most 1`)
}

// TestPodThatSaysItForAll: then a quota asks nothing of its containers.
func TestPodThatSaysItForAll(t *testing.T) {
	t.Parallel()
	f := greenWith(t, "resources: {limits: {cpu: 1}}")
	f.Quotas = quota(t, `{hard: {limits.cpu: 8}}`)
	require.Empty(t, f.Check())
}
