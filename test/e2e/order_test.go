//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// everything is a first version with all that it needs, what others refer to last.
const everything = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: lobby}
spec:
  replicas: 1
  selector: {matchLabels: {run: lobby}}
  template:
    metadata: {labels: {app: lobby, run: lobby}}
    spec:
      serviceAccountName: lobby
      containers:
        - name: lobby
          image: registry.example/lobby:1.0.0
          envFrom: [{configMapRef: {name: motd}}, {secretRef: {name: key}}]
          ports: [{name: game, containerPort: 7000}]
          readinessProbe: {periodSeconds: 1, httpGet: {path: /healthz, port: 8081}}
--- {apiVersion: games.example.com/v1, kind: Hall, metadata: {name: main}, spec: {seats: 8}}
--- {apiVersion: v1, kind: Service, metadata: {name: lobby}, spec: {type: LoadBalancer, selector: {app: lobby}, ports: [{port: 7000, targetPort: game}]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: lobby}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: lobby}
subjects: [{kind: ServiceAccount, name: lobby}]
--- {apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: lobby}, rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]}
--- {apiVersion: v1, kind: ConfigMap, metadata: {name: motd}, data: {MOTD: hello}}
--- {apiVersion: v1, kind: Secret, metadata: {name: key}, stringData: {KEY: secret}}
--- {apiVersion: v1, kind: ServiceAccount, metadata: {name: lobby}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: halls.games.example.com}
spec:
  group: games.example.com
  scope: Namespaced
  names: {plural: halls, singular: hall, kind: Hall}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {seats: {type: integer}}}}}}
--- {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: lobby}, spec: {minAvailable: 1, selector: {matchLabels: {app: lobby}}}}
--- {apiVersion: v1, kind: Namespace, metadata: {name: order}}
`

// inOrder: what others need is applied before them, wherever it stands in the
// manifests; a plan says what it could not try for that reason, and writes nothing.
func inOrder(t *testing.T, l *lab) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "everything.yaml")
	require.NoError(t, os.WriteFile(file, []byte(everything), 0o600))
	args := append([]string{
		"--manifests", file, "--namespace", "order", "--stable-pattern", `^1\.0\.0 `, "--canary-pattern", `^1\.1\.0 `,
	}, fast...)
	began := time.Now()
	plan := l.command(t, append([]string{"plan"}, args...)...)
	require.Equal(t, 0, plan.exit)
	for _, says := range []string{
		`because the manifests bring namespace \"order\" themselves: PodDisruptionBudget \"lobby\", ServiceAccount \"lobby\", Secret \"key\", `,
		`because the manifests bring the API group \"games.example.com\" themselves: Hall \"main\"`,
		"service order/lobby: nothing serves yet, lobby is deployed at full size",
	} {
		require.Contains(t, plan.stderr, says)
	}
	l.requireUntouched(t, began)
	began = time.Now()
	first := l.run(t, args...)
	require.Equal(t, "promoted", first.report.Outcome)
	var applied []string
	for _, request := range l.audited(t, began).writes {
		if name := regexp.MustCompile(`^patch \S*/([a-z]+/[a-z.]+)\?\S*force=true`).FindStringSubmatch(request); name != nil {
			applied = append(applied, name[1])
		}
	}
	require.Equal(t, []string{
		"namespaces/order", "namespaces/order", // once before the Lease, which needs it
		"poddisruptionbudgets/lobby", "customresourcedefinitions/halls.games.example.com", "serviceaccounts/lobby", "secrets/key", "configmaps/motd",
		"roles/lobby", "rolebindings/lobby", "services/lobby", "halls/main", "deployments/lobby",
	}, applied)

	// Only the pods decide whether there is something to do; the rest is named.
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(everything, "MOTD: hello", "MOTD: bye", 1)), 0o600))
	again := l.run(t, args...)
	require.Equal(t, "nothing-to-do", again.report.Outcome)
	require.Contains(t, again.stdout, `these differ from the cluster: ConfigMap "motd" (data.MOTD)`)
}
