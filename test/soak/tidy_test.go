//go:build e2e

package soak

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/test/harness"
)

// ours is how everything begins that the program writes on objects.
const ours = "l4-canary.io/"

// tidy says what is left in a namespace that should not be, once the pods that were told to
// end have had the time for it.
func (s *live) tidy(t *testing.T) []string {
	t.Helper()
	var problems []string
	_ = eventually(t, time.Minute, "", func() bool {
		problems = slices.Concat(s.untidyPods(t), s.untidyDeployments(t), s.untidyRest(t))
		return len(problems) == 0
	})
	return problems
}

// untidyPods: there are so many pods, all ready, of the version that serves, and nothing is
// written on them that their ReplicaSet did not say.
func (s *live) untidyPods(t *testing.T) []string {
	t.Helper()
	pods, err := s.cluster.CoreV1().Pods(s.Namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	sets := s.sets(t)
	var problems []string
	if len(pods.Items) != Replicas {
		problems = append(problems, fmt.Sprintf("there are %d pods, not %d", len(pods.Items), Replicas))
	}
	for _, pod := range pods.Items {
		owner := metav1.GetControllerOf(&pod)
		switch {
		case owner == nil || sets[owner.Name] == nil:
			problems = append(problems, fmt.Sprintf("pod %s belongs to nobody", pod.Name))
		case !maps.Equal(pod.Labels, sets[owner.Name].Spec.Template.Labels):
			problems = append(problems, fmt.Sprintf("pod %s has the labels %v", pod.Name, pod.Labels))
		case len(pod.Annotations) > 0:
			problems = append(problems, fmt.Sprintf("pod %s has the annotations %v", pod.Name, pod.Annotations))
		}
		if pod.DeletionTimestamp != nil || !harness.Ready(&pod) || !strings.HasSuffix(pod.Spec.Containers[0].Image, ":"+s.version) {
			problems = append(problems, fmt.Sprintf("pod %s: ready %t, ending %t, image %s",
				pod.Name, harness.Ready(&pod), pod.DeletionTimestamp != nil, pod.Spec.Containers[0].Image))
		}
	}
	return problems
}

// pods are the names of those that there are.
func (s *live) pods(t *testing.T) []string {
	t.Helper()
	pods, err := s.cluster.CoreV1().Pods(s.Namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	var names []string
	for _, pod := range pods.Items {
		names = append(names, pod.Name)
	}
	return names
}

// sets are the ReplicaSets that a Deployment owns, by name.
func (s *live) sets(t *testing.T) map[string]*appsv1.ReplicaSet {
	t.Helper()
	list, err := s.cluster.AppsV1().ReplicaSets(s.Namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	owned := map[string]*appsv1.ReplicaSet{}
	for i := range list.Items {
		if metav1.GetControllerOf(&list.Items[i]) != nil {
			owned[list.Items[i].Name] = &list.Items[i]
		}
	}
	return owned
}

// untidyDeployments: they are those that should be there, with their counts.
func (s *live) untidyDeployments(t *testing.T) []string {
	t.Helper()
	list, err := s.cluster.AppsV1().Deployments(s.Namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	want := map[string]int32{s.serving: Replicas}
	if s.idle != "" {
		want[s.idle] = 0
	}
	have, problems := map[string]int32{}, []string(nil)
	for _, d := range list.Items {
		have[d.Name] = *d.Spec.Replicas
		problems = append(problems, signed("deployment "+d.Name, d.ObjectMeta)...)
	}
	if !maps.Equal(have, want) {
		problems = append(problems, fmt.Sprintf("the deployments are %v, not %v", have, want))
	}
	sets, err := s.cluster.AppsV1().ReplicaSets(s.Namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	if orphans := len(sets.Items) - len(s.sets(t)); orphans > 0 {
		problems = append(problems, fmt.Sprintf("%d replicasets belong to nobody", orphans))
	}
	return problems
}

// untidyRest: one record of the last rollout at most, held by nobody; no Job, no
// autoscaler, and nothing on the Service.
func (s *live) untidyRest(t *testing.T) []string {
	t.Helper()
	var problems []string
	service, err := s.cluster.CoreV1().Services(s.Namespace).Get(t.Context(), "lobby", metav1.GetOptions{})
	require.NoError(t, err)
	problems = append(problems, signed("the service", service.ObjectMeta)...)
	leases, err := s.cluster.CoordinationV1().Leases(s.Namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	var names []string
	for _, lease := range leases.Items {
		names = append(names, lease.Name)
		if holder := lease.Spec.HolderIdentity; holder != nil && *holder != "" {
			problems = append(problems, fmt.Sprintf("lease %s is held by %q", lease.Name, *holder))
		}
	}
	want := map[bool][]string{true: {"l4-canary-lobby"}, false: nil}[s.record]
	if !slices.Equal(names, want) {
		problems = append(problems, fmt.Sprintf("the leases are %v, not %v", names, want))
	}
	jobs, err := s.cluster.BatchV1().Jobs(s.Namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	scalers, err := s.cluster.AutoscalingV2().HorizontalPodAutoscalers(s.Namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	if n := len(jobs.Items) + len(scalers.Items); n > 0 {
		problems = append(problems, fmt.Sprintf("%d jobs and autoscalers are left", n))
	}
	return problems
}

// signed are annotations and labels of ours on an object itself, which nothing leaves there.
func signed(what string, object metav1.ObjectMeta) []string {
	var problems []string
	for _, words := range []map[string]string{object.Annotations, object.Labels} {
		for key := range words {
			if strings.HasPrefix(key, ours) {
				problems = append(problems, fmt.Sprintf("%s has %s", what, key))
			}
		}
	}
	return problems
}

// events are how many Events of the program there are in the namespace.
func (s *live) events(t *testing.T) int {
	t.Helper()
	list, err := s.cluster.EventsV1().Events(s.Namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	count := 0
	for _, event := range list.Items {
		if event.ReportingController == "l4-canary" {
			count++
		}
	}
	return count
}
