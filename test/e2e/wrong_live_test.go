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
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// hall is the Lease of a rollout of another Service that works on lobby-blue.
const hall = `
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata:
  name: l4-canary-hall
  annotations:
    l4-canary.io/state: '{"schemaVersion":1,"stable":"lobby-blue","canary":"red","phase":"stages"}'
`

// obstacle is something in the cluster that comes, is found, and goes.
type obstacle struct {
	exit     int
	says     string
	do, undo string   // kubectl's arguments, several commands apart by ";"; FILE is the file
	file     string   // YAML
	replace  []string // in the manifests
}

// wrongLive are those that are there already.
func wrongLive(t *testing.T, l *lab, sound string) {
	t.Helper()
	const blue = "deployment/lobby-blue"
	for name, row := range map[string]obstacle{
		"paused": {exit: refusedExit, says: `is paused`, do: "rollout pause " + blue, undo: "rollout resume " + blue},
		"flux, kustomize": {exit: warnedExit, says: "kubectl -n preflight annotate deployment/lobby-blue kustomize.toolkit.fluxcd.io/reconcile=disabled",
			do: "label " + blue + " kustomize.toolkit.fluxcd.io/name=apps", undo: "label " + blue + " kustomize.toolkit.fluxcd.io/name-"},
		"flux, helm": {exit: warnedExit, says: "in the HelmRelease: spec.driftDetection.ignore: [{paths: [/spec/replicas], target: {kind: Deployment, name: lobby-blue}}]",
			do: "label " + blue + " helm.toolkit.fluxcd.io/name=apps", undo: "label " + blue + " helm.toolkit.fluxcd.io/name-"},
		"argo cd": {exit: warnedExit, says: "spec.ignoreDifferences: [{group: apps, kind: Deployment, name: lobby-blue, jsonPointers: [/spec/replicas]}] and spec.syncPolicy.syncOptions: [RespectIgnoreDifferences=true]",
			do: "annotate " + blue + " argocd.argoproj.io/tracking-id=x", undo: "annotate " + blue + " argocd.argoproj.io/tracking-id-"},
		"stranger": {exit: refusedExit, says: `pod "debug" of no controller is behind Service "lobby" too`,
			do: "run debug --image registry.example/lobby:1.8.2 --labels app=lobby", undo: "delete pod debug --now"},
		"DaemonSet": {exit: refusedExit, says: `of DaemonSet relay is behind Service "lobby" too`, file: strings.Replace(relay, "KIND", "DaemonSet", 1),
			do: "apply -f FILE; rollout status daemonset/relay --timeout=60s", undo: "delete -f FILE; wait --for=delete pod -l run=relay --timeout=60s"},
		"mid-rollout": {exit: refusedExit, says: "in the middle of a rollout of its own", do: "set image " + blue + " lobby=registry.example/missing/lobby:1",
			undo: "rollout undo " + blue},
		"immutable selector": {exit: refusedExit, says: "a selector cannot be changed",
			do: "create deployment lobby-green --replicas 0 --image registry.example/lobby:1.8.2", undo: "delete deployment lobby-green"},
		"another rollout": {exit: refusedExit, says: `Deployment "lobby-blue" is part of a rollout of Service "hall": lease "l4-canary-hall" remembers that it is unfinished`,
			file: hall, do: "apply -f FILE", undo: "delete -f FILE"},
		"another rollout at work": {exit: refusedExit, says: `Deployment "lobby-blue" is part of a rollout of Service "hall": lease "l4-canary-hall" is held by`,
			file: hall + "spec: {holderIdentity: somebody}\n", do: "apply -f FILE", undo: "delete -f FILE"},
		"taken field": {exit: warnedExit, says: `takes a field over: Service "lobby" (v1): metadata.labels.team: conflict with "dns"`,
			replace: []string{"  name: lobby\nspec", "  name: lobby\n  labels: {team: games}\nspec"},
			do:      "label service/lobby team=dns --field-manager dns", undo: "label service/lobby team-"},
		"quota of what nobody says": {exit: refusedExit, says: `ResourceQuota "cpus" counts limits.cpu, and container "lobby" of Deployment "lobby-green" does not say how much it takes`,
			do: "create quota cpus --hard=limits.cpu=4; wait --for=jsonpath={.status.hard} resourcequota/cpus --timeout=60s", undo: "delete quota cpus"},
		"limit range of pods": {exit: refusedExit, says: `the containers of a pod ask together for 64Mi of memory, and LimitRange "pods" allows at most 8Mi`,
			replace: []string{"image: registry.example/lobby-green:1.9.0", "image: registry.example/lobby-green:1.9.0\n        resources: {limits: {memory: 64Mi}}"},
			file:    "{apiVersion: v1, kind: LimitRange, metadata: {name: pods}, spec: {limits: [{type: Pod, max: {memory: 8Mi}}]}}",
			do:      "apply -f FILE", undo: "delete -f FILE"},
		"not ready": {exit: refusedExit, says: `Deployment "lobby-blue" has 3 of 4 pods ready, and the rollout promises at least 4`,
			do:   "cordon -l kubernetes.io/os=linux; scale " + blue + " --replicas 4; wait --for=jsonpath={.status.updatedReplicas}=4 " + blue,
			undo: "uncordon -l kubernetes.io/os=linux; scale " + blue + " --replicas 3"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "obstacle.yaml")
			require.NoError(t, os.WriteFile(file, []byte(row.file), 0o600))
			kubectl := func(commands string) {
				for command := range strings.SplitSeq(strings.ReplaceAll(commands, "FILE", file), ";") {
					l.kubectl(t, append([]string{"-n", "preflight"}, strings.Fields(command)...)...)
				}
			}
			defer func() {
				kubectl(row.undo)
				l.requireRest(t)
			}()
			kubectl(row.do)
			manifests := sound
			if row.replace != nil {
				manifests = motto(t, row.replace...)
			}
			require.Contains(t, l.preflighted(t, row.exit, "--manifests", manifests), row.says)
		})
	}
}

// requireRest: lobby-blue is again as it was.
func (l *lab) requireRest(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		d, err := l.AppsV1().Deployments("preflight").Get(t.Context(), "lobby-blue", metav1.GetOptions{})
		s := d.Status
		return err == nil && s.ObservedGeneration == d.Generation && s.Replicas == 3 && s.UpdatedReplicas == 3 && s.ReadyReplicas == 3
	}, time.Minute, 50*time.Millisecond)
}

// wrongCredentials may not, not for long enough, or not from here.
func wrongCredentials(t *testing.T, l *lab, sound string) {
	t.Helper()
	as := func(t *testing.T, account, duration string, role ...string) *lab {
		t.Helper()
		l.kubectl(t, "-n", "preflight", "create", "serviceaccount", account)
		l.kubectl(t, append([]string{"-n", "preflight", "create", "rolebinding", account, "--serviceaccount", "preflight:" + account}, role...)...)
		other := *l
		token := strings.TrimSpace(l.kubectl(t, "-n", "preflight", "create", "token", account, "--duration", duration))
		other.kubeconfig = l.withUser(t, clientcmdapi.AuthInfo{Token: token})
		return &other
	}
	t.Run("token that expires", func(t *testing.T) {
		says := as(t, "brief", "10m", "--clusterrole", "admin").preflighted(t, 2, "--manifests", sound)
		require.Contains(t, says, "token expires in")
		require.NotContains(t, says, "eyJ", "no token is printed")
	})
	t.Run("rights", func(t *testing.T) {
		viewer := as(t, "viewer", "2h", "--clusterrole", "view")
		dir := motto(t)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "namespace.yaml"), []byte("{apiVersion: v1, kind: Namespace, metadata: {name: preflight}}"), 0o600))
		says := viewer.preflighted(t, 3, "--manifests", dir)
		require.Equal(t, 1, strings.Count(says, "lack rights"), "all in one message")
		for _, right := range []string{
			"patch deployments (apps)", "patch deployments/scale (apps)", "patch pods", "create leases (coordination.k8s.io)", "patch configmaps",
			"in the whole cluster, for objects that the manifests hold: get namespaces", "patch namespaces", "l4-canary doctor --namespace preflight",
		} {
			require.Contains(t, says, right)
		}
		// A look is forbidden first here; there, only what the run would do.
		looker := as(t, "looker", "2h", "--clusterrole", "view")
		l.kubectl(t, "-n", "preflight", "create", "role", "leases", "--verb", "get,list,watch", "--resource", "leases")
		l.kubectl(t, "-n", "preflight", "create", "rolebinding", "leases", "--role", "leases", "--serviceaccount", "preflight:looker")
		says = looker.preflighted(t, 3, "--manifests", dir)
		require.Equal(t, 1, strings.Count(says, "lack rights"))
		require.Contains(t, says, "patch pods")
		require.NotContains(t, says, "get leases")
		require.NotContains(t, says, "forbidden", "what the dry run says for want of a right is said already")
	})
	t.Run("plugin", func(t *testing.T) {
		other := *l
		other.kubeconfig = l.withUser(t, clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
			APIVersion: "client.authentication.k8s.io/v1", Command: "l4-no-such-plugin", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
		}})
		require.Contains(t, other.preflighted(t, 2, "--manifests", sound), `its exec plugin "l4-no-such-plugin" is not on the PATH: install it`)
	})
}

// withUser is the lab's kubeconfig with another user.
func (l *lab) withUser(t *testing.T, user clientcmdapi.AuthInfo) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(l.kubeconfig)
	require.NoError(t, err)
	for name := range config.AuthInfos {
		config.AuthInfos[name] = &user
	}
	name := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, name))
	return name
}

// wrongSingle: one Deployment, whose new version would run as a copy.
func wrongSingle(t *testing.T, l *lab) {
	t.Helper()
	const namespace = "preflight-single"
	l.namespace(t, namespace)
	manifests := filepath.Join(root, "testdata/manifests/single-equal")
	l.kubectl(t, "-n", namespace, "apply", "-f", manifests)
	l.wait(t, namespace, "lobby")
	plan := func(exit int, more ...string) string {
		return l.preflighted(t, exit, append([]string{"--namespace", namespace, "--removal", "auto", "--manifests", manifests}, more...)...)
	}
	release := []string{"--images", "registry.example/lobby:1.1.0"}
	says := plan(warnedExit, release...)
	require.Contains(t, says, `the selector of Deployment "lobby" matches the pods of "lobby-canary" too; that is harmless`)
	require.NotContains(t, says, "nothing to do")
	require.Contains(t, plan(warnedExit), "the pods are what the manifests say already: a run would have nothing to do")
	// What kubectl applied client-side and the manifest drops or numbers anew is a
	// change, and none that the API server would refuse.
	moved := single(t, namespace, "single-equal", 3, "1.0.0", "1.0.0")[1]
	edit(t, moved, "          periodSeconds: 1\n", "")
	edit(t, moved, "port: 7000\n    targetPort", "port: 7001\n    targetPort")
	says = plan(warnedExit, "--manifests", moved, "--images", "registry.example/lobby:1.0.0")
	require.NotContains(t, says, "nothing to do")
	require.Contains(t, says, `Service "lobby" reaches stable now; rollback does not undo it: spec.ports changes`)
	// A manifest that the API server refuses is no reason to look at nothing else.
	l.kubectl(t, "-n", namespace, "rollout", "pause", "deployment/lobby")
	args := single(t, namespace, "single-equal", 3, "1.0.0", "1.1.0")
	edit(t, args[1], "containerPort: 7000", "containerPort: 70000")
	res := l.run(t, args...)
	require.Equal(t, 2, res.exit)
	require.Equal(t, "PREFLIGHT", res.report.Reason)
	require.Contains(t, res.stderr, "Invalid value: 70000")
	require.Contains(t, res.stderr, `Deployment "lobby" is paused`)
	l.kubectl(t, "-n", namespace, "rollout", "resume", "deployment/lobby")
	l.kubectl(t, "-n", namespace, "create", "deployment", "lobby-canary", "--replicas", "0", "--image", "registry.example/lobby:1.1.0")
	require.Contains(t, plan(refusedExit, release...), `the new version of Deployment "lobby" would run as "lobby-canary", but there is a Deployment of that name that is none of ours`)
	l.kubectl(t, "-n", namespace, "delete", "deployment", "lobby-canary")
}
