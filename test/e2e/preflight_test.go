//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// obstacles are what a namespace can hold against a rollout of testdata's lobby.
const obstacles = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: busy}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: lobby-blue}
  minReplicas: 3
  maxReplicas: 20
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: team}
spec: {hard: {pods: "5"}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: sizes}
spec: {limits: [{type: Container, max: {memory: 8Mi}}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: keep}
spec: {minAvailable: 1, selector: {matchLabels: {track: blue}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: players}
spec: {podSelector: {matchLabels: {app: lobby}}, ingress: [{}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: relay}
spec:
  serviceName: relay
  selector: {matchLabels: {run: relay}}
  template:
    metadata: {labels: {run: relay, app: lobby}}
    spec: {containers: [{name: relay, image: "registry.example/lobby:1.8.2", resources: {limits: {memory: 8Mi}}}]}
---
# Pods whose labels may not change cannot be parked.
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: fixed-labels}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [UPDATE], resources: [pods]}]}
  validations: [{expression: "object.metadata.labels == oldObject.metadata.labels", message: "labels are fixed here"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: fixed-labels}
spec:
  policyName: fixed-labels
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: preflight}}}
`

// motd is what the pods of both sides of testdata's lobby read here.
const motd = `
apiVersion: v1
kind: ConfigMap
metadata: {name: motd}
data: {MOTD: hello}
`

// lobby is a folder with testdata's lobby, three pods of it, and something replaced.
func lobby(t *testing.T, replace ...string) string {
	t.Helper()
	dir := t.TempDir()
	replacer := strings.NewReplacer(append(replace, "replicas: 10", "replicas: 3")...)
	for _, name := range []string{"lobby-blue.yaml", "lobby-green.yaml", "service.yaml"} {
		data, err := os.ReadFile(filepath.Join(root, "testdata/manifests/lobby", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(replacer.Replace(string(data))), 0o600))
	}
	return dir
}

// motto is the same, with a ConfigMap that the pods of both sides read.
func motto(t *testing.T, replace ...string) string {
	t.Helper()
	const container = "      - name: lobby\n"
	dir := lobby(t, append(replace, container, container+"        envFrom: [{configMapRef: {name: motd}}]\n")...)
	text := strings.NewReplacer(replace...).Replace(motd)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "motd.yaml"), []byte(text), 0o600))
	return dir
}

// preflighted is what plan finds, as text.
func (l *lab) preflighted(t *testing.T, exit int, args ...string) string {
	t.Helper()
	args = append([]string{"--namespace", "preflight", "--max-surge", "1", "--steps", "50,100", "--output", "json", "--removal", "park"}, args...)
	res := l.command(t, append([]string{"plan"}, args...)...)
	require.Equal(t, exit, res.exit)
	return strings.ReplaceAll(res.stdout+res.stderr, `\"`, `"`)
}

// preflight: on a real API server, everything that a rollout must not begin with is
// found before it writes anything.
func preflight(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "preflight"
	l.namespace(t, namespace)
	sound := motto(t)
	l.kubectl(t, "-n", namespace, "apply", "-f", filepath.Join(sound, "motd.yaml"), "-f", filepath.Join(sound, "lobby-blue.yaml"), "-f", filepath.Join(sound, "service.yaml"))
	l.wait(t, namespace, "lobby-blue")
	began := time.Now()
	t.Run("sound", func(t *testing.T) {
		require.NotContains(t, l.preflighted(t, 0, "--manifests", sound), "reaches stable now")
	})
	t.Run("doctor", func(t *testing.T) {
		says := l.command(t, "doctor", "--namespace", namespace).stdout
		for _, line := range []string{
			`Deployment "lobby-blue" has 3 pods: registry.example/lobby-blue:1.8.2`, "25 %, 33.3 %, 50 %, 66.7 %, 75 %, 100 %", "how pods leave: terminate",
			"steps: auto takes 25 % (3+1), 50 % (2+2), 100 % (0+3)", "UDP sessions would end", "port 7000/TCP", "port 7000/UDP",
			"every answer holds the image's tag", "the answers name 3 of 3 pods: a client does not stick to a pod",
			"the credentials used now have all rights", `stable-pattern: '\b1\.8\.2\b'`, "kind: Role", "kind: RoleBinding",
		} {
			require.Contains(t, says, line)
		}
	})
	t.Run("manifests", func(t *testing.T) { wrongManifests(t, l) })
	t.Run("live", func(t *testing.T) { wrongLive(t, l, sound) })
	t.Run("credentials", func(t *testing.T) { wrongCredentials(t, l, sound) })
	t.Run("single", func(t *testing.T) { wrongSingle(t, l) })
	l.requireUntouched(t, began)
	t.Run("all at once", func(t *testing.T) { obstructed(t, l) })
}

// obstructed: run says everything that stands against it in one answer.
func obstructed(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "preflight"
	file := filepath.Join(t.TempDir(), "obstacles.yaml")
	require.NoError(t, os.WriteFile(file, []byte(obstacles), 0o600))
	l.kubectl(t, "-n", namespace, "apply", "-f", file)
	defer l.kubectl(t, "-n", namespace, "delete", "-f", file)
	l.kubectl(t, "-n", namespace, "rollout", "status", "statefulset/relay", "--timeout=60s")
	require.Eventually(t, func() bool {
		return l.kubectl(t, "-n", namespace, "get", "resourcequota/team", "-o", "jsonpath={.status.used.pods}") == "4"
	}, time.Minute, 200*time.Millisecond)
	l.awaitPolicy(t, namespace, "labels are fixed here")
	big := motto(t, "image: registry.example/lobby-green:1.9.0", "image: registry.example/lobby-green:1.9.0\n        resources: {limits: {memory: 64Mi}}")
	errors := []string{
		`HorizontalPodAutoscaler busy scales Deployment "lobby-blue"`,
		`container "lobby" asks for 64Mi of memory, and LimitRange "sizes" allows at most 8Mi`,
		`of StatefulSet relay is behind Service "lobby" too`,
		`ResourceQuota "team" has room for 1 more pods (pods: 4 of 5 used, 1 a pod), and the rollout needs 2`,
		"labels are fixed here",
	}
	began := time.Now()
	res := l.run(t, "--manifests", big, "--namespace", namespace, "--max-surge", "1", "--steps", "50,100", "--removal", "park",
		"--stable-pattern", "^1.8.2", "--canary-pattern", "^1.9.0")
	require.Equal(t, 2, res.exit)
	require.Equal(t, "PREFLIGHT", res.report.Reason)
	for _, says := range errors {
		require.Contains(t, res.stderr, says)
	}
	for _, says := range []string{`PodDisruptionBudget "keep" guards the pods of "lobby-blue"`, `NetworkPolicy "players" selects pods by the label "app"`} {
		require.Contains(t, res.stdout, says)
	}
	for _, says := range errors {
		require.Contains(t, l.preflighted(t, 2, "--manifests", big), says)
	}
	l.requireUntouched(t, began)
}

// awaitPolicy waits until an admission policy is in force: the API server takes a
// moment to hear of it.
func (l *lab) awaitPolicy(t *testing.T, namespace, says string) {
	t.Helper()
	pods, err := l.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "track=blue"})
	require.NoError(t, err)
	require.NotEmpty(t, pods.Items)
	require.Eventually(t, func() bool {
		_, err := l.CoreV1().Pods(namespace).Patch(t.Context(), pods.Items[0].Name, types.MergePatchType,
			[]byte(`{"metadata":{"labels":{"app":null}}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil && strings.Contains(err.Error(), says)
	}, time.Minute, 100*time.Millisecond)
}
