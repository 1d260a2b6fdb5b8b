package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// waitingReasons are the kubelet's words for a container that does not run,
// https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/kubelet/images/types.go
// and kuberuntime's start errors.
var waitingReasons = map[string]rollout.Reason{
	"ErrImagePull":               rollout.ReasonImage,
	"ImagePullBackOff":           rollout.ReasonImage,
	"ErrImageNeverPull":          rollout.ReasonImage,
	"InvalidImageName":           rollout.ReasonImage,
	"ImageInspectError":          rollout.ReasonImage,
	"RegistryUnavailable":        rollout.ReasonImage,
	"SignatureValidationFailed":  rollout.ReasonImage,
	"CreateContainerConfigError": rollout.ReasonConfig,
	"CreateContainerError":       rollout.ReasonConfig,
	"RunContainerError":          rollout.ReasonConfig,
	"CrashLoopBackOff":           rollout.ReasonCrashLoop,
}

// finalWords are what a registry says when asking again cannot help. The kubelet
// hands them on as text, with the code of the runtime's gRPC status if it has one.
var finalWords = []string{
	"not found", "manifest unknown", "name unknown", "denied", "forbidden", "unauthorized", "no basic auth credentials",
	"authorization failed", "does not exist", "invalid reference format", "couldn't parse image",
}

// trouble is the pod's own account of why it does not serve; false if it has none.
func trouble(pod *corev1.Pod, side probe.Version) (rollout.Trouble, bool) {
	t := rollout.Trouble{Pod: pod.Name, Side: side, Since: pod.CreationTimestamp.Time}
	statuses := append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)
	for _, status := range statuses {
		t.Restarts += int(status.RestartCount)
	}
	for _, status := range statuses {
		if explain(&t, status) {
			return t, true
		}
	}
	if c := condition(pod, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse {
		t.Reason, t.Message, t.Since = rollout.ReasonUnschedulable, "not scheduled: "+c.Message, c.LastTransitionTime.Time
		return t, true
	}
	return t, false
}

// explain fills in what one container's status says.
func explain(t *rollout.Trouble, status corev1.ContainerStatus) bool {
	last := status.LastTerminationState.Terminated
	if now := status.State.Terminated; now != nil {
		if now.ExitCode == 0 {
			return false // an init container that has done its work stays so
		}
		last = now
	}
	// Every pod of the canary is new: if one serves again after a restart, why
	// it restarted still matters. What a pod of stable survived does not.
	if status.Ready && (last == nil || t.Side == probe.Stable) {
		return false
	}
	if last != nil && last.Reason == "OOMKilled" {
		t.Reason, t.Fatal, t.Since = rollout.ReasonOOM, true, last.FinishedAt.Time
		t.Message = fmt.Sprintf("container %s ran out of memory (OOMKilled, exit %d)", status.Name, last.ExitCode)
		return true
	}
	waiting := status.State.Waiting
	reason, known := rollout.ReasonCrashLoop, last != nil
	if waiting != nil {
		reason, known = waitingReasons[waiting.Reason]
	}
	switch {
	case !known:
		return false
	case reason == rollout.ReasonCrashLoop && last != nil:
		t.Reason, t.Fatal, t.Since = reason, waiting != nil, last.FinishedAt.Time
		t.Message = fmt.Sprintf("container %s exited with %d after %s (%s, %d restarts)", status.Name, last.ExitCode,
			last.FinishedAt.Sub(last.StartedAt.Time).Round(time.Second), last.Reason, status.RestartCount)
	default:
		t.Reason, t.Fatal = reason, fatal(waiting)
		t.Message = fmt.Sprintf("container %s: %s", status.Name, waitingText(waiting))
	}
	return true
}

// waitingText is a waiting container's reason with its message, if it has one.
func waitingText(waiting *corev1.ContainerStateWaiting) string {
	if waiting.Message == "" {
		return waiting.Reason
	}
	return waiting.Reason + ": " + waiting.Message
}

// fatal reports whether waiting longer cannot help.
func fatal(waiting *corev1.ContainerStateWaiting) bool {
	if waitingReasons[waiting.Reason] != rollout.ReasonImage {
		return true // a crash loop, or a configuration that no container starts with
	}
	if waiting.Reason == "ErrImageNeverPull" || waiting.Reason == "InvalidImageName" {
		return true
	}
	message := strings.ToLower(waiting.Message)
	return slices.ContainsFunc(finalWords, func(words string) bool { return strings.Contains(message, words) })
}

// shortage is a Deployment's account of pods that cannot even be made, if it has one.
func shortage(d *appsv1.Deployment, side probe.Version) []rollout.Trouble {
	if d == nil {
		return nil
	}
	for _, c := range d.Status.Conditions {
		if c.Type != appsv1.DeploymentReplicaFailure || c.Status != corev1.ConditionTrue {
			continue
		}
		t := rollout.Trouble{Side: side, Message: "no pod can be made: " + c.Message, Since: c.LastTransitionTime.Time}
		if overQuota(c.Message) {
			t.Reason = rollout.ReasonQuota
		}
		return []rollout.Trouble{t}
	}
	return nil
}

// overQuota reports whether a refusal is a quota's: it is used up, or wants to know of every
// pod what it needs.
func overQuota(message string) bool {
	return strings.Contains(message, "exceeded quota") || strings.Contains(message, "failed quota")
}

// Coming implements rollout.Scout by what autoscalers of nodes say of pods,
// https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md#what-events-are-emitted-by-ca
// and https://karpenter.sh/docs/troubleshooting/
func (c *Cluster) Coming(ctx context.Context) map[string]bool {
	coming := map[string]bool{}
	for _, reason := range []string{"TriggeredScaleUp", "Nominated"} {
		events, err := c.Typed.CoreV1().Events(c.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=Pod,reason=" + reason})
		if err != nil {
			continue // nothing is known
		}
		for i := range events.Items {
			coming[events.Items[i].InvolvedObject.Name] = true
		}
	}
	return coming
}

// condition finds a condition of the pod.
func condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}
