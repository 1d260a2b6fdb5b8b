package kube

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

func TestComputePods(t *testing.T) {
	t.Parallel()
	stale := deployment("old", 2)
	stale.Generation = 2
	defaulted := deployment("old", 2)
	defaulted.Spec.Replicas = nil
	rows := []struct {
		name   string
		stable *appsv1.Deployment
		pods   []*corev1.Pod
		want   rollout.Pods
	}{
		{"no Deployment, so no pods are its own", nil, []*corev1.Pod{pod("a", "old")}, rollout.Pods{}},
		{"two pods", deployment("old", 2), []*corev1.Pod{pod("a", "old"), pod("b", "old")},
			rollout.Pods{Exists: true, Replicas: 2, Current: true, Pods: 2, Available: 2}},
		{"terminating ones are counted apart", deployment("old", 2), []*corev1.Pod{pod("a", "old"), pod("b", "old", terminating)},
			rollout.Pods{Exists: true, Replicas: 2, Current: true, Pods: 1, Terminating: 1, Available: 2}},
		{"finished ones have been replaced already", deployment("old", 2),
			[]*corev1.Pod{pod("a", "old"), pod("b", "old", inPhase(corev1.PodFailed)), pod("c", "old", inPhase(corev1.PodSucceeded))},
			rollout.Pods{Exists: true, Replicas: 2, Current: true, Pods: 1, Available: 2}},
		{"a failed one that is going is terminating", deployment("old", 2), []*corev1.Pod{pod("a", "old", inPhase(corev1.PodFailed), terminating)},
			rollout.Pods{Exists: true, Replicas: 2, Current: true, Terminating: 1, Available: 2}},
		{"pods of others do not count", deployment("old", 2), []*corev1.Pod{pod("a", "old"), pod("b", "older")},
			rollout.Pods{Exists: true, Replicas: 2, Current: true, Pods: 1, Available: 2}},
		{"parked ones are pods too, and counted apart", deployment("old", 2), []*corev1.Pod{pod("a", "old"), pod("b", "old", parked)},
			rollout.Pods{Exists: true, Replicas: 2, Current: true, Pods: 2, Parked: 1, Available: 2}},
		{"those that were let go are no pods of the Deployment", deployment("old", 2),
			[]*corev1.Pod{pod("a", "old"), pod("b", "old", parked, orphan), pod("c", "old", parked, orphan, terminating), pod("d", "new", parked, orphan)},
			rollout.Pods{Exists: true, Replicas: 2, Current: true, Pods: 1, Released: 1, Available: 2}},
		{"a selector that matches is not enough", deployment("old", 2), []*corev1.Pod{pod("a", "old"), pod("b", "old", orphan)},
			rollout.Pods{Exists: true, Replicas: 2, Current: true, Pods: 1, Available: 2}},
		{"a status that has not caught up", stale, nil, rollout.Pods{Exists: true, Replicas: 2, Available: 2}},
		{"replicas default to 1", defaulted, nil, rollout.Pods{Exists: true, Replicas: 1, Current: true, Available: 2}},
		{"restarts are summed, those of terminating pods are not", deployment("old", 2),
			[]*corev1.Pod{
				pod("a", "old", withStatus(corev1.ContainerStatus{Ready: true, RestartCount: 2}), withStatus(corev1.ContainerStatus{Ready: true, RestartCount: 3})),
				pod("b", "old", withStatus(corev1.ContainerStatus{Ready: true, RestartCount: 1})),
				pod("c", "old", terminating, withStatus(corev1.ContainerStatus{Ready: true, RestartCount: 9})),
			},
			rollout.Pods{Exists: true, Replicas: 2, Current: true, Pods: 2, Terminating: 1, Available: 2, Restarts: 6}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.want, compute(snapshot{stable: row.stable, sets: bothSets(), pods: row.pods}).Stable)
		})
	}
}

func TestComputeMembers(t *testing.T) {
	t.Parallel()
	state := compute(snapshot{stable: deployment("old", 2), canary: deployment("new", 1), sets: bothSets(), pods: []*corev1.Pod{
		pod("a", "old"), pod("b", "old", terminating), pod("c", "old", parked), pod("d", "old", parked, orphan, terminating),
		pod("e", "new"), pod("f", "new", parked, orphan), pod("g", "older"), pod("h", "old", orphan),
	}})
	require.Equal(t, []rollout.Member{
		{Pod: "a", Side: probe.Stable},
		{Pod: "b", Side: probe.Stable, Leaving: true},
		{Pod: "c", Side: probe.Stable, Parked: true, Leaving: true},
		{Pod: "d", Side: probe.Stable, Leaving: true},
		{Pod: "e", Side: probe.Canary},
		{Pod: "f", Side: probe.Canary, Parked: true, Leaving: true},
	}, state.Members)
}

func TestComputeServing(t *testing.T) {
	t.Parallel()
	yes, no := new(true), new(false)
	v4, v6 := discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6
	single, dual := service(corev1.IPv4Protocol), service(corev1.IPv4Protocol, corev1.IPv6Protocol)
	rows := []struct {
		name           string
		service        *corev1.Service
		slices         []*discoveryv1.EndpointSlice
		stable, canary int
	}{
		{"no Service", nil, []*discoveryv1.EndpointSlice{slice("a", v4, endpoint("o1", "n1", yes))}, 0, 0},
		{"no slices", single, nil, 0, 0},
		{"both sides", single, []*discoveryv1.EndpointSlice{slice("a", v4, endpoint("o1", "n1", yes), endpoint("o2", "n1", yes), endpoint("n1", "n2", yes))}, 2, 1},
		{"over several slices", single, []*discoveryv1.EndpointSlice{slice("a", v4, endpoint("o1", "n1", yes)), slice("b", v4, endpoint("o2", "n1", yes))}, 2, 0},
		{"in two slices at once, as while they are rebalanced", single,
			[]*discoveryv1.EndpointSlice{slice("a", v4, endpoint("o1", "n1", yes)), slice("b", v4, endpoint("o1", "n1", yes))}, 1, 0},
		{"unready ones do not serve", single, []*discoveryv1.EndpointSlice{slice("a", v4, endpoint("o1", "n1", yes), endpoint("n1", "n1", no))}, 1, 0},
		{"no word on readiness means ready", single, []*discoveryv1.EndpointSlice{slice("a", v4, endpoint("o1", "n1", nil))}, 1, 0},
		{"endpoints of no pod, and of others' pods", single,
			[]*discoveryv1.EndpointSlice{slice("a", v4, discoveryv1.Endpoint{Conditions: discoveryv1.EndpointConditions{Ready: yes}}, endpoint("x1", "n1", yes))}, 0, 0},
		{"the poorest family decides", dual,
			[]*discoveryv1.EndpointSlice{slice("a", v4, endpoint("o1", "n1", yes), endpoint("o2", "n1", yes), endpoint("n1", "n1", yes)), slice("b", v6, endpoint("o1", "n1", yes))}, 1, 0},
		{"a family without slices serves nobody", dual, []*discoveryv1.EndpointSlice{slice("a", v4, endpoint("o1", "n1", yes))}, 0, 0},
		{"a family that the Service has not does not matter", single,
			[]*discoveryv1.EndpointSlice{slice("a", v4, endpoint("o1", "n1", yes)), slice("b", v6, endpoint("o1", "n1", yes), endpoint("o2", "n1", yes))}, 1, 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			state := compute(snapshot{
				sets:    bothSets(),
				service: row.service, stable: deployment("old", 2), canary: deployment("new", 1), slices: row.slices,
				pods: []*corev1.Pod{pod("o1", "old"), pod("o2", "old"), pod("n1", "new"), pod("x1", "other")},
			})
			require.Equal(t, row.stable, state.Stable.Serving, "stable")
			require.Equal(t, row.canary, state.Canary.Serving, "canary")
		})
	}
}

func TestComputeEndpointsCarryNodes(t *testing.T) {
	t.Parallel()
	local := service(corev1.IPv4Protocol)
	local.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	yes := new(true)
	state := compute(snapshot{
		sets:    bothSets(),
		service: local, stable: deployment("old", 3), canary: deployment("new", 1),
		pods: []*corev1.Pod{pod("o1", "old"), pod("o2", "old"), pod("o3", "old"), pod("n1", "new")},
		slices: []*discoveryv1.EndpointSlice{slice("a", discoveryv1.AddressTypeIPv4,
			endpoint("o1", "a", yes), endpoint("o2", "a", yes), endpoint("o3", "b", yes), endpoint("n1", "b", yes))},
	})
	require.True(t, state.Local)
	require.ElementsMatch(t, []rollout.Endpoint{
		{Side: probe.Stable, Node: "a", Family: "IPv4"}, {Side: probe.Stable, Node: "a", Family: "IPv4"},
		{Side: probe.Stable, Node: "b", Family: "IPv4"}, {Side: probe.Canary, Node: "b", Family: "IPv4"},
	}, state.Endpoints)
	require.InDelta(t, 25, float64(state.ExpectedWeight()), 1e-9, "half of one of two nodes, not one pod of four")
}

// TestComputeEndpointsOfFamilies: each family has its own, and none is counted that the
// Service has not.
func TestComputeEndpointsOfFamilies(t *testing.T) {
	t.Parallel()
	yes := new(true)
	v4, v6 := discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6
	endpoints := func(families ...corev1.IPFamily) []rollout.Endpoint {
		return compute(snapshot{
			sets: bothSets(), service: service(families...), stable: deployment("old", 1), canary: deployment("new", 1),
			pods:   []*corev1.Pod{pod("o1", "old"), pod("n1", "new")},
			slices: []*discoveryv1.EndpointSlice{slice("a", v4, endpoint("o1", "a", yes), endpoint("n1", "b", yes)), slice("b", v6, endpoint("n1", "b", yes))},
		}).Endpoints
	}
	four := []rollout.Endpoint{{Side: probe.Stable, Node: "a", Family: "IPv4"}, {Side: probe.Canary, Node: "b", Family: "IPv4"}}
	six := rollout.Endpoint{Side: probe.Canary, Node: "b", Family: "IPv6"}
	require.ElementsMatch(t, four, endpoints(corev1.IPv4Protocol))
	require.ElementsMatch(t, append(four, six), endpoints(corev1.IPv4Protocol, corev1.IPv6Protocol))
	require.ElementsMatch(t, []rollout.Endpoint{six}, endpoints(corev1.IPv6Protocol))
}

func TestComputeAddresses(t *testing.T) {
	t.Parallel()
	s := service(corev1.IPv4Protocol)
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.7"}, {Hostname: "lb.example.com"}, {}, {IP: "2001:db8::7", Hostname: "ignored.example.com"}}
	require.Equal(t, []string{"192.0.2.7", "lb.example.com", "2001:db8::7"}, compute(snapshot{service: s}).Addresses)
	s.Status.LoadBalancer.Ingress = nil
	require.Empty(t, compute(snapshot{service: s}).Addresses)
	require.False(t, compute(snapshot{service: s}).Local)
}

func TestComputePutsTheWorstTroubleFirst(t *testing.T) {
	t.Parallel()
	waiting := func(reason, message string) func(*corev1.Pod) {
		return withStatus(corev1.ContainerStatus{Name: "lobby", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}})
	}
	state := compute(snapshot{
		sets:   bothSets(),
		stable: deployment("old", 1), canary: deployment("new", 3),
		pods: []*corev1.Pod{
			pod("a", "old", waiting("ImagePullBackOff", "i/o timeout")), pod("c", "new", waiting("CrashLoopBackOff", "")),
			pod("b", "new", waiting("CrashLoopBackOff", "")), pod("d", "new", terminating, waiting("CrashLoopBackOff", "")),
		},
	})
	var order []string
	for _, trouble := range state.Troubles {
		order = append(order, trouble.Pod)
	}
	require.Equal(t, []string{"b", "c", "a"}, order, "fatal ones first, then by name; terminating pods have none")
	require.Equal(t, probe.Canary, state.Troubles[0].Side)
	require.Equal(t, probe.Stable, state.Troubles[2].Side)
}

// TestComputeOrdersEqualTroubles: those of both Deployments, which are of no pod, come in
// one order, whatever else there is.
func TestComputeOrdersEqualTroubles(t *testing.T) {
	t.Parallel()
	short := func(name string) *appsv1.Deployment {
		d := deployment(name, 1)
		d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota"}}
		return d
	}
	for range 50 {
		state := compute(snapshot{stable: short("old"), canary: short("new")})
		require.Equal(t, []probe.Version{probe.Canary, probe.Stable}, []probe.Version{state.Troubles[0].Side, state.Troubles[1].Side})
	}
	require.Zero(t, worstFirst(rollout.Trouble{Pod: "a"}, rollout.Trouble{Pod: "a"}))
}

func TestAuthor(t *testing.T) {
	t.Parallel()
	entry := func(manager, fields string, after time.Duration) metav1.ManagedFieldsEntry {
		at := metav1.NewTime(born.Add(after))
		return metav1.ManagedFieldsEntry{Manager: manager, Time: &at, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	const sets = `{"f:spec":{"f:replicas":{}}}`
	timeless := entry("helm", sets, 0)
	timeless.Time = nil
	rows := []struct {
		name    string
		entries []metav1.ManagedFieldsEntry
		want    string
	}{
		{"nobody is known", nil, ""},
		{"nobody set replicas", []metav1.ManagedFieldsEntry{entry("kubectl", `{"f:metadata":{"f:labels":{}}}`, 0), entry("kcm", `{"f:status":{"f:replicas":{}}}`, 0)}, ""},
		{"the latest one", []metav1.ManagedFieldsEntry{entry("kubectl-scale", sets, time.Minute), entry("argocd", sets, 0)}, `"kubectl-scale"`},
		{"the latest one, the other way round", []metav1.ManagedFieldsEntry{entry("argocd", sets, 0), entry("kubectl-scale", sets, time.Minute)}, `"kubectl-scale"`},
		{"a later write of something else", []metav1.ManagedFieldsEntry{entry("argocd", sets, 0), entry("vpa", `{"f:spec":{"f:template":{}}}`, time.Hour)}, `"argocd"`},
		{"an entry without a time", []metav1.ManagedFieldsEntry{timeless}, `"helm"`},
		{"fields that cannot be read", []metav1.ManagedFieldsEntry{entry("x", `{`, 0), {Manager: "y"}}, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.want, author(row.entries))
			d := deployment("old", 1)
			d.ManagedFields = row.entries
			require.Equal(t, row.want, deployed(d).Author)
		})
	}
}

// TestComputeKeeps: whether a parked pod stays is up to the ReplicaSets that have
// pods. After a handover theirs is not the selector of the Deployment.
func TestComputeKeeps(t *testing.T) {
	t.Parallel()
	selecting := func(count int32, keys ...string) *appsv1.ReplicaSet {
		set := replicaSet("old")
		set.Spec.Replicas, set.Spec.Selector = new(count), &metav1.LabelSelector{MatchLabels: map[string]string{}}
		for _, key := range keys {
			set.Spec.Selector.MatchLabels[key] = "x"
		}
		return set
	}
	expression := selecting(2)
	expression.Spec.Selector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "app", Operator: metav1.LabelSelectorOpExists}}
	for name, row := range map[string]struct {
		sets []*appsv1.ReplicaSet
		want bool
	}{
		"one that needs the label lets go":       {[]*appsv1.ReplicaSet{selecting(2, "app", "pod-template-hash")}, false},
		"so does one that asks by an expression": {[]*appsv1.ReplicaSet{expression}, false},
		"one of a copy keeps":                    {[]*appsv1.ReplicaSet{selecting(2, "l4-canary.io/release", "pod-template-hash")}, true},
		"one without pods does not matter":       {[]*appsv1.ReplicaSet{selecting(0, "app"), selecting(2, "l4-canary.io/release")}, true},
		"without any nothing is known":           {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := compute(snapshot{stable: deployment("old", 2), sets: row.sets, stableParkLabel: "app", canaryParkLabel: "app"})
			require.Equal(t, row.want, state.Stable.Keeps)
			require.False(t, state.Canary.Keeps)
		})
	}
}
