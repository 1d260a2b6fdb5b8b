//go:build e2e

package docs

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/org/l4-canary/test/harness"
)

// at has the program find the cluster by an ordinary kubeconfig, in a namespace.
func (s *scene) at(t *testing.T, l *harness.Lab, namespace string) {
	t.Helper()
	config, err := clientcmd.LoadFromFile(l.Kubeconfig)
	require.NoError(t, err)
	config.Contexts[config.CurrentContext].Namespace = namespace
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, path))
	s.env = append(s.env, "KUBECONFIG="+path)
}

// pair is two Deployments behind one Service, of which the old one serves.
func pair(t *testing.T, l *harness.Lab) *scene {
	t.Helper()
	s := onCluster(t, l)
	s.at(t, l, "pair")
	fewer := []string{"replicas: 10", "replicas: 3", "readinessProbe:\n", "readinessProbe:\n          periodSeconds: 1\n"}
	s.file(t, "testdata/manifests/lobby/service.yaml", "k8s/service.yaml")
	s.file(t, "testdata/manifests/lobby/lobby-blue.yaml", "k8s/lobby-blue.yaml", fewer...)
	s.file(t, "testdata/manifests/lobby/lobby-green.yaml", "k8s/lobby-green.yaml", fewer...)
	s.bash(t, 0, "kubectl create namespace pair\nkubectl -n pair apply -f k8s/service.yaml -f k8s/lobby-blue.yaml")
	harness.Serve(t, l, "pair")
	return s
}

// kept: the rollout is promoted, and every flow that was to be held was there.
func kept(t *testing.T, s *scene, b Block) {
	t.Helper()
	s.env = append(s.env, "L4_CANARY_REPORT_JSON=report.json")
	s.bash(t, 0, b.Script)
	var report struct {
		Outcome   string
		HeldFlows struct{ Asked, Open int }
	}
	require.NoError(t, json.Unmarshal([]byte(s.read(t, "report.json")), &report))
	require.Equal(t, "promoted", report.Outcome)
	require.Equal(t, 200, report.HeldFlows.Asked)
	require.Equal(t, 200, report.HeldFlows.Open)
}

// scaled is a Deployment with an autoscaler, in the namespace that a kubeconfig means
// when it names none.
func scaled(t *testing.T, l *harness.Lab) *scene {
	t.Helper()
	s := onCluster(t, l)
	s.at(t, l, metav1.NamespaceDefault)
	s.repository(t, "3")
	s.release(t, "1.0.0", "")
	s.write(t, "hpa.yaml", `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: lobby}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: lobby}, minReplicas: 3, maxReplicas: 5}
`)
	s.bash(t, 0, "kubectl apply -f hpa.yaml")
	return s
}

// unpaused: the autoscaler of a release that is held says what it said before, and the
// annotation is gone.
func unpaused(t *testing.T, s *scene, b Block) {
	t.Helper()
	was := s.autoscaler(t)
	require.Contains(t, s.release(t, "1.1.0", " --hpa pause --until 50 --steps 50,100"), "outcome=held")
	paused := s.autoscaler(t)
	require.NotEqual(t, was.Spec, paused.Spec)
	require.NotEmpty(t, paused.Annotations["l4-canary.io/paused"])
	s.bash(t, 0, b.Script)
	is := s.autoscaler(t)
	require.Equal(t, was.Spec, is.Spec)
	require.NotContains(t, is.Annotations, "l4-canary.io/paused")
}

func (s *scene) autoscaler(t *testing.T) autoscalingv2.HorizontalPodAutoscaler {
	t.Helper()
	var is autoscalingv2.HorizontalPodAutoscaler
	require.NoError(t, json.Unmarshal([]byte(s.bash(t, 0, "kubectl get hpa lobby -o json")), &is))
	require.NotEmpty(t, is.Spec)
	return is
}
