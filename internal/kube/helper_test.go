package kube

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// namespace is where everything of these tests lives.
const namespace = "game"

// born is when the pods of these tests were made.
var born = metav1.NewTime(time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC))

// deployment is one of the pair, at generation 1 and resourceVersion 1.
func deployment(name string, count int32) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, UID: types.UID(name), Generation: 1, ResourceVersion: "1"},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(count),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"run": name}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"run": name, "app": "lobby"}}},
		},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 1, AvailableReplicas: count},
	}
}

// replicaSet is the one of a Deployment.
func replicaSet(deployment string) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Name: deployment + "-5d4f", Namespace: namespace, UID: types.UID(deployment + "-5d4f"),
		OwnerReferences: controlledBy(deployment),
	}, Spec: appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"run": deployment}}}}
}

// bothSets are the ReplicaSets of the pair and of another Deployment.
func bothSets() []*appsv1.ReplicaSet {
	return []*appsv1.ReplicaSet{replicaSet("old"), replicaSet("new"), replicaSet("other")}
}

func controlledBy(uid string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{Name: uid, UID: types.UID(uid), Controller: new(true)}}
}

// parked is a pod that was taken out of the Service.
func parked(p *corev1.Pod) {
	delete(p.Labels, "app")
	p.Annotations = map[string]string{
		ParkedAnnotation: `{"deployment":"` + p.Labels["run"] + `","label":"app","value":"lobby"}`, deletionCost: parkedCost,
	}
}

// isReady is a pod whose containers are.
func isReady(p *corev1.Pod) {
	p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
}

// onNode says where a pod runs.
func onNode(name string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Spec.NodeName = name } }

// orphan is a pod that its ReplicaSet has let go.
func orphan(p *corev1.Pod) { p.OwnerReferences = nil }

// pod is a running one of a Deployment.
func pod(name, deployment string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespace, CreationTimestamp: born,
			UID: types.UID(name), Labels: map[string]string{"run": deployment, "app": "lobby"},
			OwnerReferences: controlledBy(deployment + "-5d4f"),
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

func terminating(p *corev1.Pod) { p.DeletionTimestamp = &born }

func inPhase(phase corev1.PodPhase) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.Phase = phase }
}

func withStatus(status corev1.ContainerStatus) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, status) }
}

// service is a balancer with one address.
func service(families ...corev1.IPFamily) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "lobby", Namespace: namespace},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, IPFamilies: families},
		Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{
			Ingress: []corev1.LoadBalancerIngress{{IP: "192.0.2.7"}},
		}},
	}
}

// slice lists endpoints of one family.
func slice(name string, family discoveryv1.AddressType, endpoints ...discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespace, Labels: map[string]string{discoveryv1.LabelServiceName: "lobby"},
		},
		AddressType: family, Endpoints: endpoints,
	}
}

// endpoint is one of a pod; ready nil means that the field is absent.
func endpoint(pod, node string, ready *bool) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Name: pod},
		NodeName:   &node,
		Conditions: discoveryv1.EndpointConditions{Ready: ready},
	}
}

// asManifest is a typed object as it would be read from a file.
func asManifest(t *testing.T, typed any, apiVersion, kind string) *unstructured.Unstructured {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	require.NoError(t, err)
	content["apiVersion"], content["kind"] = apiVersion, kind
	delete(content, "status")
	return &unstructured.Unstructured{Object: content}
}
