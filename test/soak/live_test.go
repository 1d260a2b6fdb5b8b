//go:build e2e

package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

const (
	drain = 2 * time.Second // what pods get to leave at least
	image = "registry.example/lobby"
)

// live is a Service that is up, and what it is now.
type live struct {
	Service
	cluster *harness.Lab
	serving string // Deployment
	idle    string // the other one of a pair, without pods; empty if there is none
	version string
	record  bool // the Lease of the last rollout is there
	users   []*harness.Users
	left    *harness.Departures
	harms   harms
}

// deploy makes the first version of a Service live, as anybody would have, and lets users
// use it.
func deploy(t *testing.T, l *harness.Lab, network *harness.Network, service Service) *live {
	t.Helper()
	s := &live{Service: service, cluster: l, serving: "lobby", version: "1.0.0"}
	if s.Pair {
		s.serving = "lobby-blue"
	}
	l.Do(t, "kubectl", "--", "create", "namespace", s.Namespace)
	l.Do(t, "kubectl", "--", "-n", s.Namespace, "apply", "-f", s.write(t, s.service(), s.deployment(s.serving, image, s.version, "")))
	s.left = harness.WatchDepartures(t, l, s.Namespace)
	address := harness.Serve(t, l, s.Namespace)
	const every, conversations = 100 * time.Millisecond, 5
	s.users = append(s.users, harness.Attend(t, network, "tcp", address, every, conversations))
	if s.UDP {
		s.users = append(s.users, harness.Attend(t, network, "udp", address, every, conversations))
	}
	return s
}

// canary is the Deployment that a rollout's new version gets.
func (s *live) canary() string {
	switch s.serving {
	case "lobby-blue":
		return "lobby-green"
	case "lobby-green":
		return "lobby-blue"
	}
	return "lobby-canary"
}

// release writes the manifests of a rollout.
func (s *live) release(t *testing.T, r Rollout) string {
	t.Helper()
	from := image
	if r.Fault.Missing {
		from = "registry.example/missing/lobby"
	}
	env := ""
	if r.Fault.Env != "" {
		env = "\n        env: [" + r.Fault.Env + "]"
	}
	if !s.Pair {
		return s.write(t, s.service(), s.deployment(s.serving, from, r.Version, env))
	}
	return s.write(t, s.service(), s.deployment(s.serving, image, s.version, ""), s.deployment(s.canary(), from, r.Version, env))
}

// write puts manifests into a folder.
func (s *live) write(t *testing.T, objects ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i, text := range objects {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), []byte(text), 0o600))
	}
	return dir
}

func (s *live) service() string {
	text := `apiVersion: v1
kind: Service
metadata: {name: lobby}
spec:
  type: LoadBalancer
  selector: {app: lobby}
  ports:
  - {name: game, port: 7000, targetPort: 7000}
`
	if s.UDP {
		text += "  - {name: state, port: 7000, targetPort: 7000, protocol: UDP}\n"
	}
	return text
}

// deployment is a manifest. Its pods are on both nodes, and leave a node that is down
// after 5 s; the node itself is missed after 50.
func (s *live) deployment(name, from, version, env string) string {
	labels, selector := "{app: lobby, track: "+name+"}", "{track: "+name+"}"
	if s.Equal {
		labels, selector = "{app: lobby}", "{app: lobby}"
	}
	return strings.NewReplacer("NAME", name, "REPLICAS", fmt.Sprint(Replicas), "SELECTOR", selector, "LABELS", labels,
		"IMAGE", from+":"+version, "ENV", env).Replace(`apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: REPLICAS
  selector: {matchLabels: SELECTOR}
  template:
    metadata: {labels: LABELS}
    spec:
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: lobby}}}
      tolerations:
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 5}
      - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 5}
      containers:
      - name: lobby
        image: IMAGEENV
        lifecycle: {preStop: {sleep: {seconds: 3}}}
        readinessProbe: {periodSeconds: 1, httpGet: {path: /healthz, port: 8081}}
`)
}

// arguments are the program's for a rollout.
func (s *live) arguments(t *testing.T, r Rollout) []string {
	t.Helper()
	arguments := []string{
		"run", "--kubeconfig", s.cluster.Kubeconfig, "--manifests", s.release(t, r), "--namespace", s.Namespace, "--service", "lobby",
		"--steps", r.Steps, "--max-surge", fmt.Sprint(r.Surge), "--max-unavailable", "0", "--finish", r.Finish, "--removal", r.Removal,
		"--settle", "0s", "--drain", drain.String(), "--rate", "200", "--tolerance", "20", "--max-probes", "20000",
	}
	if !r.Learned {
		arguments = append(arguments, "--stable-pattern", "^"+regexp.QuoteMeta(s.version)+" ", "--canary-pattern", "^"+regexp.QuoteMeta(r.Version)+" ")
	}
	if r.Fault.Hold != "" {
		arguments = append(arguments, "--hpa", r.Fault.Hold)
	}
	return arguments
}

// follow makes of a Service what an end of a rollout has made of it.
func (s *live) follow(r Rollout, end End) {
	switch end.Outcome {
	case "promoted":
		s.version, s.record = r.Version, r.Finish != "delete"
		if s.Pair {
			s.serving, s.idle = s.canary(), s.serving
		}
		if r.Finish == "delete" {
			s.idle = ""
		}
	case "rolled-back":
		s.record = false
		if s.Pair {
			s.idle = s.canary()
		}
	}
}
