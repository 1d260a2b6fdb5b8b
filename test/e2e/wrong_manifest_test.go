//go:build e2e

package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a plan ends with.
const (
	refusedExit = 2
	warnedExit  = 0
)

// wrong is something that the manifests or the inputs bring.
type wrong struct {
	exit    int
	says    string
	replace []string // in all manifests
	file    string   // one more manifest
	args    []string
}

// relay is behind the Service of the lobby, and no Deployment.
const relay = `
apiVersion: apps/v1
kind: KIND
metadata: {name: relay}
spec:
  selector: {matchLabels: {run: relay}}
  template:
    metadata: {labels: {run: relay, app: lobby}}
    spec: {containers: [{name: relay, image: "registry.example/lobby:1.8.2"}]}
`

// wrongManifests are errors, warnings and notices that the manifests bring.
func wrongManifests(t *testing.T, l *lab) {
	t.Helper()
	rows := serviceRows()
	for _, more := range []map[string]wrong{deploymentRows(), inputRows(), textRows()} {
		maps.Copy(rows, more)
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			dir := motto(t, row.replace...)
			if row.file != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "more.yaml"), []byte(row.file), 0o600))
			}
			says := l.preflighted(t, row.exit, append([]string{"--manifests", dir}, row.args...)...)
			require.Contains(t, says, row.says)
			require.NotContains(t, says, "panic")
		})
	}
	t.Run("what reaches stable comes first", func(t *testing.T) {
		dir := motto(t, "MOTD: hello", "MOTD: bye")
		worker := strings.NewReplacer("KIND", "Deployment", "app: lobby", "app: worker", "relay", "worker").Replace(relay)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "more.yaml"), []byte(worker), 0o600))
		says := l.preflighted(t, warnedExit, "--manifests", dir)
		reaches := strings.Index(says, `ConfigMap "motd" reaches stable now; rollback does not undo it: data.MOTD changes`)
		skipped := strings.Index(says, `Deployment "worker" is not behind the Service and is left out`)
		require.Positive(t, reaches)
		require.Less(t, reaches, skipped)
	})
}

// serviceRows are about the Service.
func serviceRows() map[string]wrong {
	is := func(more string) []string { return []string{"type: LoadBalancer", "type: LoadBalancer\n  " + more} }
	nodePort := []string{"type: LoadBalancer", "type: NodePort"}
	return map[string]wrong{
		"publishNotReadyAddresses": {exit: refusedExit, says: "publishNotReadyAddresses", replace: is("publishNotReadyAddresses: true")},
		"sessionAffinity":          {exit: refusedExit, says: "sessionAffinity ClientIP", replace: is("sessionAffinity: ClientIP")},
		"node port":                {exit: refusedExit, says: "none is of type LoadBalancer", replace: nodePort},
		"node port, named": {exit: refusedExit, says: `Service "lobby" is of type NodePort: there is no balancer`, replace: nodePort,
			args: []string{"--service", "lobby"}},
		"node port, with an address": {exit: warnedExit, says: "spec.type changes", replace: nodePort,
			args: []string{"--service", "lobby", "--address", "192.0.2.7"}},
		"selector": {exit: refusedExit, says: "change its selector from app=lobby to",
			replace: []string{"  selector:\n    app: lobby\n  ports", "  selector:\n    track: green\n  ports"}},
		"target port": {exit: refusedExit, says: `port 7000/TCP from game to 7000`, replace: []string{"targetPort: game", "targetPort: 7000"}},
		"family":      {exit: refusedExit, says: "spec.ipFamilyPolicy", replace: is("ipFamilyPolicy: RequireDualStack")},
		"local":       {exit: warnedExit, says: "externalTrafficPolicy Local", replace: is("externalTrafficPolicy: Local")},
		"reaches stable": {exit: warnedExit, replace: is("externalTrafficPolicy: Local"),
			says: `Service "lobby" reaches stable now; rollback does not undo it: spec.externalTrafficPolicy, spec.healthCheckNodePort changes`},
		"namespace": {exit: refusedExit, says: `Service "lobby" is in namespace "elsewhere", but input "namespace" says "preflight"`,
			replace: []string{"  name: lobby\nspec", "  name: lobby\n  namespace: elsewhere\nspec"}},
	}
}

// deploymentRows are about the Deployments and what else makes pods.
func deploymentRows() map[string]wrong {
	state := "- name: state\n          containerPort: 7000\n          protocol: UDP\n        readinessProbe:"
	return map[string]wrong{
		"named port": {exit: refusedExit, says: `targets container port "state", but its containers have game/TCP and status/UDP`,
			replace: []string{"- name: state\n  ", "- name: status\n  "}},
		"protocol": {exit: refusedExit, says: `port 7000/UDP targets container port "state", but its containers have game/TCP and state/TCP`,
			replace: []string{state, strings.NewReplacer("7000", "7001", "UDP", "TCP").Replace(state)}},
		"selectors that overlap": {exit: refusedExit, says: `also matches the pods of Deployment "lobby-blue"`, replace: []string{
			"      app: lobby\n      track: green\n  template", "      app: lobby\n  template",
		}},
		"labels that the Service does not want": {exit: refusedExit, says: `Deployment "lobby-green" is not behind Service "lobby"`,
			replace: []string{"app: lobby\n      track: green", "app: hall\n      track: green", "app: lobby\n        track: green", "app: hall\n        track: green"},
			args:    []string{"--canary", "lobby-green"}},
		"admission": {exit: refusedExit, says: "Unsupported value", replace: []string{
			"protocol: UDP\n        readinessProbe:", "protocol: UDPX\n        readinessProbe:",
		}},
		"StatefulSet": {exit: refusedExit, says: `StatefulSet "relay" is behind Service "lobby": its pods take part of the flows`,
			file: strings.Replace(relay, "KIND", "StatefulSet", 1)},
		"DaemonSet":  {exit: refusedExit, says: `DaemonSet "relay" is behind Service "lobby"`, file: strings.Replace(relay, "KIND", "DaemonSet", 1)},
		"other size": {exit: warnedExit, says: "the manifests say 4 replicas and 3 serve", replace: []string{"replicas: 10", "replicas: 4"}},
	}
}

// inputRows are about inputs that do not fit what is there.
func inputRows() map[string]wrong {
	return map[string]wrong{
		"weights":             {exit: refusedExit, says: "max-weight-error", args: []string{"--steps", "10,100"}},
		"short of time":       {exit: warnedExit, says: "likely to take", args: []string{"--timeout", "1m", "--drain", "20s"}},
		"no time to finish":   {exit: warnedExit, says: "pods leave by termination, and may end before", args: []string{"--removal", "terminate"}},
		"bake, unparkable":    {exit: refusedExit, says: `the pods of Deployment "lobby-blue" cannot be parked and come back`, args: []string{"--bake", "10s"}},
		"bake without surge":  {exit: refusedExit, says: "max-surge is 0, so no old pod may stay", args: []string{"--bake", "10s", "--max-surge", "0", "--max-unavailable", "1"}},
		"images":              {exit: refusedExit, says: `"registry.example/hall:2" fits no container of the manifests; they have lobby-blue/lobby=`, args: []string{"--images", "registry.example/hall:2"}},
		"no kubeconfig":       {exit: refusedExit, says: "no kubeconfig at /nowhere/kubeconfig: set the input", args: []string{"--kubeconfig", "/nowhere/kubeconfig"}},
		"names other than it": {exit: refusedExit, says: `"lobby-red"`, args: []string{"--canary", "lobby-red", "--stable", "lobby-red"}},
	}
}

// textRows are about how manifests are written.
func textRows() map[string]wrong {
	return map[string]wrong{
		"legacy": {exit: warnedExit, says: `lobby-green.yaml:1: Deployment "lobby-green": extensions/v1beta1 was removed in Kubernetes 1.16; read as apps/v1`,
			replace: []string{"apiVersion: apps/v1", "apiVersion: extensions/v1beta1"}},
		"tab": {exit: refusedExit, says: `lobby-green.yaml:14:1: a tab (U+0009) where only a space can stand`,
			replace: []string{"  template:\n    metadata:\n      labels:\n        app: lobby\n        track: green", "\ttemplate:\n    metadata:\n      labels:\n        app: lobby\n        track: green"}},
		"no-break space": {exit: refusedExit, says: `lobby-green.yaml:8:6: a no-break space (U+00A0) where only a space can stand`,
			replace: []string{"track: green\nspec:", "track: green\nspec:\u00a0"}},
	}
}
