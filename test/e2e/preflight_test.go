//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
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

// lobby is a directory with testdata's pair at three pods a side, its texts changed.
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
	sound := lobby(t)
	l.kubectl(t, "-n", namespace, "apply", "-f", filepath.Join(sound, "lobby-blue.yaml"), "-f", filepath.Join(sound, "service.yaml"))
	l.wait(t, namespace, "lobby-blue")
	began := time.Now()
	t.Run("sound", func(t *testing.T) {
		require.NotContains(t, l.preflighted(t, 0, "--manifests", sound), "reaches stable now")
	})
	t.Run("doctor", func(t *testing.T) {
		says := l.command(t, "doctor", "--namespace", namespace).stdout
		for _, line := range []string{
			`Deployment "lobby-blue" serves: registry.example/lobby-blue:1.8.2`, "25 %, 33.3 %, 50 %, 66.7 %, 75 %, 100 %", "pods leave by terminate",
			"UDP sessions would end", "port 7000/TCP", "port 7000/UDP", "every answer holds the image's tag", "the answers name 3 of 3 pods", "kind: Role",
		} {
			require.Contains(t, says, line)
		}
	})
	t.Run("manifests", func(t *testing.T) { wrongManifests(t, l) })
	t.Run("live", func(t *testing.T) { wrongLive(t, l, sound) })
	l.requireUntouched(t, began)
	t.Run("all at once", func(t *testing.T) { obstructed(t, l) })
}

// wrongManifests are errors, warnings and notices that the manifests bring.
func wrongManifests(t *testing.T, l *lab) {
	t.Helper()
	const refused, warned = 2, 0
	probe := "        readinessProbe:"
	for name, row := range map[string]struct {
		exit    int
		says    string
		replace []string
		more    []string
	}{
		"publishNotReadyAddresses": {refused, "publishNotReadyAddresses", []string{"type: LoadBalancer", "type: LoadBalancer\n  publishNotReadyAddresses: true"}, nil},
		"sessionAffinity":          {refused, "sessionAffinity ClientIP", []string{"type: LoadBalancer", "type: LoadBalancer\n  sessionAffinity: ClientIP"}, nil},
		"node port":                {refused, "none is of type LoadBalancer", []string{"type: LoadBalancer", "type: NodePort"}, nil},
		"Service selector":         {refused, "change its selector from app=lobby to", []string{"  selector:\n    app: lobby\n  ports", "  selector:\n    track: green\n  ports"}, nil},
		"target port":              {refused, `port 7000/TCP from game to 7000`, []string{"targetPort: game", "targetPort: 7000"}, nil},
		"named port":               {refused, `targets container port "state"`, []string{"- name: state", "- name: status"}, nil},
		"selectors that overlap": {refused, `also matches the pods of Deployment "lobby-blue"`, []string{
			"      app: lobby\n      track: green\n  template", "      app: lobby\n  template",
		}, nil},
		"admission":         {refused, "Unsupported value", []string{"protocol: UDP\n" + probe, "protocol: UDPX\n" + probe}, nil},
		"weights":           {refused, "max-weight-error", nil, []string{"--steps", "10,100"}},
		"local":             {warned, "externalTrafficPolicy Local", []string{"type: LoadBalancer", "type: LoadBalancer\n  externalTrafficPolicy: Local"}, nil},
		"reaches stable":    {warned, `Service "lobby" reaches stable now; rollback does not undo it: spec.externalTrafficPolicy, spec.healthCheckNodePort changes`, []string{"type: LoadBalancer", "type: LoadBalancer\n  externalTrafficPolicy: Local"}, nil},
		"other size":        {warned, "the manifests say 4 replicas and 3 serve", []string{"replicas: 10", "replicas: 4"}, nil},
		"short of time":     {warned, "likely to take", nil, []string{"--timeout", "1m", "--drain", "20s"}},
		"no time to finish": {warned, "pods leave by termination, and may end before", nil, []string{"--removal", "terminate"}},
	} {
		t.Run(name, func(t *testing.T) {
			says := l.preflighted(t, row.exit, append([]string{"--manifests", lobby(t, row.replace...)}, row.more...)...)
			require.Contains(t, says, row.says)
		})
	}
}

// wrongLive are those that are there already: each comes, is found, and goes.
func wrongLive(t *testing.T, l *lab, sound string) {
	t.Helper()
	const blue = "deployment/lobby-blue"
	for name, row := range map[string]struct {
		exit     int
		says     string
		do, undo string
	}{
		"paused":   {2, `is paused`, "rollout pause " + blue, "rollout resume " + blue},
		"flux":     {0, "managed by Flux", "label " + blue + " kustomize.toolkit.fluxcd.io/name=apps", "label " + blue + " kustomize.toolkit.fluxcd.io/name-"},
		"argo cd":  {0, "managed by Argo CD", "annotate " + blue + " argocd.argoproj.io/tracking-id=x", "annotate " + blue + " argocd.argoproj.io/tracking-id-"},
		"stranger": {2, `pod "debug" of no controller`, "run debug --image registry.example/lobby:1.8.2 --labels app=lobby", "delete pod debug --now"},
		"mid-rollout": {2, "in the middle of a rollout of its own", "set image " + blue + " lobby=registry.example/missing/lobby:1",
			"rollout undo " + blue},
		"immutable selector": {2, "a selector cannot be changed", "create deployment lobby-green --replicas 0 --image registry.example/lobby:1.8.2", "delete deployment lobby-green"},
	} {
		t.Run(name, func(t *testing.T) {
			l.kubectl(t, append([]string{"-n", "preflight"}, strings.Fields(row.do)...)...)
			defer func() {
				l.kubectl(t, append([]string{"-n", "preflight"}, strings.Fields(row.undo)...)...)
				l.wait(t, "preflight", "lobby-blue")
			}()
			require.Contains(t, l.preflighted(t, row.exit, "--manifests", sound), row.says)
		})
	}
	t.Run("token that expires", func(t *testing.T) {
		l.kubectl(t, "-n", "preflight", "create", "serviceaccount", "ci")
		l.kubectl(t, "-n", "preflight", "create", "rolebinding", "ci", "--clusterrole", "admin", "--serviceaccount", "preflight:ci")
		token := strings.TrimSpace(l.kubectl(t, "-n", "preflight", "create", "token", "ci", "--duration", "10m"))
		brief := *l
		brief.kubeconfig = l.withToken(t, token)
		says := brief.preflighted(t, 2, "--manifests", sound)
		require.Contains(t, says, "token expires in")
		require.NotContains(t, says, token)
	})
}

// withToken is the lab's kubeconfig with another user.
func (l *lab) withToken(t *testing.T, token string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(l.kubeconfig)
	require.NoError(t, err)
	for _, user := range config.AuthInfos {
		*user = clientcmdapi.AuthInfo{Token: token}
	}
	name := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, name))
	return name
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
	big := lobby(t, "image: registry.example/lobby-green:1.9.0", "image: registry.example/lobby-green:1.9.0\n        resources: {limits: {memory: 64Mi}}")
	errors := []string{
		`HorizontalPodAutoscaler busy scales Deployment "lobby-blue"`,
		`container "lobby" asks for 64Mi of memory, and a LimitRange of the namespace allows at most 8Mi`,
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
