package kube

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

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
		t.Message, t.Since = "not scheduled: "+c.Message, c.LastTransitionTime.Time
		return t, true
	}
	return t, false
}

// explain fills in what one container's status says.
func explain(t *rollout.Trouble, status corev1.ContainerStatus) bool {
	if status.Ready {
		return false
	}
	last := status.LastTerminationState.Terminated
	if now := status.State.Terminated; now != nil {
		last = now
	}
	if last != nil && last.Reason == "OOMKilled" {
		t.Reason, t.Fatal, t.Since = rollout.ReasonOOM, true, last.FinishedAt.Time
		t.Message = fmt.Sprintf("container %s ran out of memory (OOMKilled, exit %d)", status.Name, last.ExitCode)
		return true
	}
	waiting := status.State.Waiting
	if waiting == nil {
		return false
	}
	reason, known := waitingReasons[waiting.Reason]
	if !known {
		return false
	}
	t.Reason = reason
	t.Fatal = fatal(waiting)
	t.Message = fmt.Sprintf("container %s: %s: %s", status.Name, waiting.Reason, waiting.Message)
	if reason == rollout.ReasonCrashLoop && last != nil {
		t.Message = fmt.Sprintf("container %s crashes again and again (CrashLoopBackOff, last exit %d after %s, %d restarts)",
			status.Name, last.ExitCode, last.FinishedAt.Sub(last.StartedAt.Time).Round(time.Second), status.RestartCount)
		t.Since = last.FinishedAt.Time
	}
	return true
}

// fatal reports whether waiting longer cannot help.
func fatal(waiting *corev1.ContainerStateWaiting) bool {
	switch waitingReasons[waiting.Reason] {
	case rollout.ReasonCrashLoop, rollout.ReasonConfig:
		return true
	case rollout.ReasonImage:
		if waiting.Reason == "ErrImageNeverPull" || waiting.Reason == "InvalidImageName" {
			return true
		}
		message := strings.ToLower(waiting.Message)
		for _, words := range finalWords {
			if strings.Contains(message, words) {
				return true
			}
		}
		return false
	default:
		return false
	}
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
