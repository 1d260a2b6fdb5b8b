package kube

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// The messages are those of a kubelet 1.34 with containerd 1.7 and 2.0.
func TestTroubleOfWaitingContainers(t *testing.T) {
	t.Parallel()
	const ref = `registry.example.com/lobby:9`
	rows := []struct {
		name, waiting, message string
		reason                 rollout.Reason
		fatal                  bool
	}{
		{"image not found", "ErrImagePull", `rpc error: code = NotFound desc = failed to pull and unpack image "` + ref + `": failed to resolve reference "` + ref + `": ` + ref + `: not found`, rollout.ReasonImage, true},
		{"image not found, backing off", "ImagePullBackOff", `Back-off pulling image "` + ref + `": ErrImagePull: failed to pull and unpack image "` + ref + `": failed to resolve reference "` + ref + `": ` + ref + `: not found`, rollout.ReasonImage, true},
		{"image not found, backing off, as older kubelets say it", "ImagePullBackOff", `Back-off pulling image "` + ref + `"`, rollout.ReasonImage, false},
		{"no right to the image", "ErrImagePull", `failed to pull and unpack image "docker.io/acme/lobby:9": failed to resolve reference "docker.io/acme/lobby:9": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed`, rollout.ReasonImage, true},
		{"401 of the registry", "ErrImagePull", `failed to resolve reference "` + ref + `": unexpected status from HEAD request to https://registry.example.com/v2/lobby/manifests/9: 401 Unauthorized`, rollout.ReasonImage, true},
		{"403 of the registry", "ErrImagePull", `failed to resolve reference "` + ref + `": unexpected status from HEAD request to https://registry.example.com/v2/lobby/manifests/9: 403 Forbidden`, rollout.ReasonImage, true},
		{"registry out of reach", "ErrImagePull", `failed to pull and unpack image "` + ref + `": failed to resolve reference "` + ref + `": failed to do request: Head "https://registry.example.com/v2/lobby/manifests/9": dial tcp 192.0.2.9:443: i/o timeout`, rollout.ReasonImage, false},
		{"registry out of reach, backing off", "ImagePullBackOff", `Back-off pulling image "` + ref + `": ErrImagePull: failed to do request: Head "https://registry.example.com/v2/lobby/manifests/9": dial tcp: lookup registry.example.com on 10.96.0.10:53: server misbehaving`, rollout.ReasonImage, false},
		{"registry that limits", "ErrImagePull", `failed to copy: httpReadSeeker: failed open: unexpected status code 429 Too Many Requests`, rollout.ReasonImage, false},
		{"image not to be pulled", "ErrImageNeverPull", `Container image "` + ref + `" is not present with pull policy of Never`, rollout.ReasonImage, true},
		{"image of no valid name", "InvalidImageName", `Failed to apply default image tag "Lobby:9": couldn't parse image name "Lobby:9": invalid reference format: repository name (library/Lobby) must be lowercase`, rollout.ReasonImage, true},
		{"missing ConfigMap", "CreateContainerConfigError", `configmap "lobby-settings" not found`, rollout.ReasonConfig, true},
		{"no such command", "RunContainerError", `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "/bin/lobby": stat /bin/lobby: no such file or directory`, rollout.ReasonConfig, true},
		{"crash loop of which nothing else is known yet", "CrashLoopBackOff", `back-off 10s restarting failed container=lobby pod=lobby-1_game(uid)`, rollout.ReasonCrashLoop, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, ok := trouble(pod("lobby-1", "new", withStatus(corev1.ContainerStatus{Name: "lobby", State: corev1.ContainerState{
				Waiting: &corev1.ContainerStateWaiting{Reason: row.waiting, Message: row.message}}})), probe.Canary)
			require.True(t, ok)
			require.Equal(t, row.reason, got.Reason)
			require.Equal(t, row.fatal, got.Fatal)
			require.Equal(t, "container lobby: "+row.waiting+": "+row.message, got.Message)
			require.Equal(t, born.Time, got.Since)
			require.Equal(t, probe.Canary, got.Side)
			require.Equal(t, "lobby-1", got.Pod)
		})
	}
}

// ended is the state of a container that ran for two seconds.
func ended(reason string, exit int32) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{
		Reason: reason, ExitCode: exit, StartedAt: metav1.NewTime(born.Add(time.Minute)), FinishedAt: metav1.NewTime(born.Add(62 * time.Second)),
	}
}

func TestTroubleOfEndedContainers(t *testing.T) {
	t.Parallel()
	backOff := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 20s restarting failed container"}}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: born}}
	rows := []struct {
		name   string
		side   probe.Version
		status corev1.ContainerStatus
		reason rollout.Reason // empty: no trouble at all
		fatal  bool
		says   string
	}{
		{"crash loop", probe.Canary, corev1.ContainerStatus{State: backOff, LastTerminationState: corev1.ContainerState{Terminated: ended("Error", 1)}, RestartCount: 2},
			rollout.ReasonCrashLoop, true, "container lobby exited with 1 after 2s (Error, 2 restarts)"},
		{"crash loop of a program that ends well", probe.Canary, corev1.ContainerStatus{State: backOff, LastTerminationState: corev1.ContainerState{Terminated: ended("Completed", 0)}, RestartCount: 2},
			rollout.ReasonCrashLoop, true, "container lobby exited with 0 after 2s (Completed, 2 restarts)"},
		{"first crash, not restarted yet", probe.Canary, corev1.ContainerStatus{State: corev1.ContainerState{Terminated: ended("Error", 2)}},
			rollout.ReasonCrashLoop, false, "container lobby exited with 2 after 2s (Error, 0 restarts)"},
		{"out of memory", probe.Canary, corev1.ContainerStatus{State: corev1.ContainerState{Terminated: ended("OOMKilled", 137)}},
			rollout.ReasonOOM, true, "container lobby ran out of memory (OOMKilled, exit 137)"},
		{"out of memory, backing off", probe.Canary, corev1.ContainerStatus{State: backOff, LastTerminationState: corev1.ContainerState{Terminated: ended("OOMKilled", 137)}, RestartCount: 3},
			rollout.ReasonOOM, true, "container lobby ran out of memory (OOMKilled, exit 137)"},
		{"a canary that serves again", probe.Canary, corev1.ContainerStatus{Ready: true, State: running, LastTerminationState: corev1.ContainerState{Terminated: ended("Error", 1)}, RestartCount: 1},
			rollout.ReasonCrashLoop, false, "container lobby exited with 1 after 2s (Error, 1 restarts)"},
		{"a stable pod that serves again", probe.Stable, corev1.ContainerStatus{Ready: true, State: running, LastTerminationState: corev1.ContainerState{Terminated: ended("Error", 1)}, RestartCount: 1}, "", false, ""},
		{"serving", probe.Canary, corev1.ContainerStatus{Ready: true, State: running}, "", false, ""},
		{"starting", probe.Canary, corev1.ContainerStatus{State: running}, "", false, ""},
		{"being created", probe.Canary, corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}}, "", false, ""},
		{"waiting for its init containers", probe.Canary, corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}}, "", false, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.status.Name = "lobby"
			got, ok := trouble(pod("lobby-1", "new", withStatus(row.status)), row.side)
			require.Equal(t, row.reason != "", ok, got)
			if !ok {
				return
			}
			require.Equal(t, row.reason, got.Reason)
			require.Equal(t, row.fatal, got.Fatal)
			require.Equal(t, row.says, got.Message)
			require.Equal(t, born.Add(62*time.Second), got.Since)
			require.Equal(t, int(row.status.RestartCount), got.Restarts)
		})
	}
}

func TestTroubleOfInitContainers(t *testing.T) {
	t.Parallel()
	initialising := withStatus(corev1.ContainerStatus{Name: "lobby", State: corev1.ContainerState{
		Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}})
	initialised := func(status corev1.ContainerStatus) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.InitContainerStatuses = []corev1.ContainerStatus{status} }
	}
	failed, ok := trouble(pod("lobby-1", "new", initialising, initialised(corev1.ContainerStatus{Name: "migrate", RestartCount: 4,
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: ended("Error", 3)}})), probe.Canary)
	require.True(t, ok)
	require.Equal(t, rollout.ReasonCrashLoop, failed.Reason)
	require.True(t, failed.Fatal)
	require.Equal(t, "container migrate exited with 3 after 2s (Error, 4 restarts)", failed.Message)
	require.Equal(t, 4, failed.Restarts)

	// One that has done its work is Terminated for ever, and Ready.
	_, ok = trouble(pod("lobby-1", "new", withStatus(corev1.ContainerStatus{Name: "lobby", Ready: true}),
		initialised(corev1.ContainerStatus{Name: "migrate", Ready: true, State: corev1.ContainerState{Terminated: ended("Completed", 0)}})), probe.Canary)
	require.False(t, ok, "an init container that ended well is no trouble")
}

func TestTroubleOfUnscheduledPods(t *testing.T) {
	t.Parallel()
	const message = "0/2 nodes are available: 2 Insufficient memory. preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."
	since := metav1.NewTime(born.Add(time.Second))
	scheduled := func(status corev1.ConditionStatus) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionFalse, Message: "other"},
				{Type: corev1.PodScheduled, Status: status, Reason: corev1.PodReasonUnschedulable, Message: message, LastTransitionTime: since},
			}
		}
	}
	got, ok := trouble(pod("lobby-1", "new", inPhase(corev1.PodPending), scheduled(corev1.ConditionFalse)), probe.Canary)
	require.True(t, ok)
	require.False(t, got.Fatal, "nodes may come")
	require.Equal(t, "not scheduled: "+message, got.Message)
	require.Equal(t, since.Time, got.Since)
	_, ok = trouble(pod("lobby-1", "new", inPhase(corev1.PodPending), scheduled(corev1.ConditionTrue)), probe.Canary)
	require.False(t, ok)
}

// TestShortage: a Deployment tells why no pod can be made.
func TestShortage(t *testing.T) {
	t.Parallel()
	for message, reason := range map[string]rollout.Reason{
		`pods "new-x" is forbidden: exceeded quota: team, requested: pods=1, used: pods=3, limited: pods=3`: rollout.ReasonQuota,
		`pods "new-x" is forbidden: failed quota: team: must specify limits.memory`:                         rollout.ReasonQuota,
		`pods "new-x" is forbidden: violates PodSecurity "restricted:latest"`:                               "",
	} {
		d := deployment("new", 1)
		d.Status.Conditions = []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Message: "exceeded quota"},
			{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: message, LastTransitionTime: born},
		}
		state := compute(snapshot{stable: deployment("old", 1), canary: d})
		require.Equal(t, []rollout.Trouble{{Side: probe.Canary, Reason: reason, Message: "no pod can be made: " + message, Since: born.Time}}, state.Troubles)
		d.Status.Conditions[1].Status = corev1.ConditionFalse
		require.Empty(t, compute(snapshot{canary: d}).Troubles)
	}
}

// TestComing: an autoscaler's events are for pods. As many as there are, they are asked for
// at once.
func TestComing(t *testing.T) {
	t.Parallel()
	event := func(pod, reason string) corev1.Event {
		return corev1.Event{InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: pod}, Reason: reason}
	}
	all := map[string][]corev1.Event{
		"involvedObject.kind=Pod,reason=TriggeredScaleUp": {event("a", "TriggeredScaleUp"), event("b", "TriggeredScaleUp"), event("a", "TriggeredScaleUp")},
		"involvedObject.kind=Pod,reason=Nominated":        {event("c", "Nominated")},
	}
	typed := fake.NewClientset()
	typed.PrependReactor("list", "events", func(action clienttesting.Action) (bool, runtime.Object, error) {
		list, _ := action.(clienttesting.ListActionImpl)
		require.Equal(t, namespace, list.Namespace)
		events, known := all[list.ListOptions.FieldSelector]
		if !known {
			return true, nil, errors.New("forbidden")
		}
		return true, &corev1.EventList{Items: events}, nil
	})
	cluster := &Cluster{Client: &Client{Typed: typed}, Target: Target{Namespace: namespace}}
	require.Equal(t, map[string]bool{"a": true, "b": true, "c": true}, cluster.Coming(t.Context()))
	require.Len(t, typed.Actions(), 2)

	delete(all, "involvedObject.kind=Pod,reason=TriggeredScaleUp")
	require.Equal(t, map[string]bool{"c": true}, cluster.Coming(t.Context()), "what cannot be read is not known")
}
