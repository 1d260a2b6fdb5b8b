package preflight_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/preflight"
)

const serviceYAML = `
apiVersion: v1
kind: Service
metadata: {name: lobby}
spec:
  type: LoadBalancer
  selector: {app: lobby}
  ports: [{port: 7000, protocol: TCP, targetPort: 7000}]
`

// deploymentYAML is one side's; its name is its version label too.
const deploymentYAML = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: 3
  selector: {matchLabels: {run: NAME}}
  template:
    metadata: {labels: {app: lobby, run: NAME}}
    spec:
      containers:
        - name: lobby
          image: registry.example/lobby:1
          ports: [{containerPort: 7000}]
          envFrom: [{configMapRef: {name: motd}}]
          resources: {requests: {cpu: 100m}, limits: {memory: 64Mi}}
`

// deploymentText is the manifest of one side, after replacements.
func deploymentText(name string, replace ...string) string {
	return strings.NewReplacer(append(replace, "NAME", name)...).Replace(deploymentYAML)
}

// sound is a pair that nothing is wrong with: blue serves with three pods, and green
// is to come.
func sound(t *testing.T) preflight.Facts {
	t.Helper()
	return facts(t, serviceYAML, deploymentText("blue"), deploymentText("green"))
}

// facts are those of a pair whose manifests are given; blue is live as a sound
// cluster would have it.
func facts(t *testing.T, service, stable, canary string) preflight.Facts {
	t.Helper()
	blue := live(t, deploymentText("blue"))
	set := parse(t, service, stable, canary)
	selection, err := set.Behind(set.Objects[0])
	require.NoError(t, err)
	roles, err := manifest.AssignRoles(selection, []manifest.Live{{
		Name: blue.Name, Labels: blue.Spec.Template.Labels, Replicas: 3, Ready: 3, Object: parse(t, deploymentText("blue")).Objects[0],
	}}, "", "")
	require.NoError(t, err)
	var served corev1.Service
	require.NoError(t, yaml.Unmarshal([]byte(serviceYAML), &served))
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	return preflight.Facts{
		Namespace: "game", Version: "v1.34.4", Service: set.Objects[0], Live: &served, Roles: roles,
		Replicas: 3, MaxSurge: 1, Parks: true, ParkLabels: []string{"app"}, Drain: 30 * time.Second, Timeout: time.Hour, Now: now,
		Deployments: []appsv1.Deployment{blue},
		ReplicaSets: []appsv1.ReplicaSet{{ObjectMeta: metav1.ObjectMeta{Name: "blue-5d4f", OwnerReferences: owned("Deployment", "blue")}}},
		Pods:        []corev1.Pod{pod("blue-5d4f-a", now, owned("ReplicaSet", "blue-5d4f")...)},
	}
}

// live is a Deployment as an API server shows it once its pods are there.
func live(t *testing.T, text string) appsv1.Deployment {
	t.Helper()
	var d appsv1.Deployment
	require.NoError(t, yaml.Unmarshal([]byte(text), &d))
	d.Generation = 2
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3, AvailableReplicas: 3}
	return d
}

func parse(t *testing.T, texts ...string) manifest.Set {
	t.Helper()
	set, _, err := manifest.Read([]string{"-"}, nil, strings.NewReader(strings.Join(texts, "\n---\n")))
	require.NoError(t, err)
	return set
}

func owned(kind, name string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{Kind: kind, Name: name, Controller: new(true)}}
}

// pod took four seconds until it was ready.
func pod(name string, born time.Time, owners ...metav1.OwnerReference) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(born), OwnerReferences: owners},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{
			Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(born.Add(4 * time.Second)),
		}}},
	}
}

// read is any object from YAML.
func read[T runtime.Object](t *testing.T, into T, text string) T {
	t.Helper()
	require.NoError(t, yaml.Unmarshal([]byte(text), into))
	return into
}
