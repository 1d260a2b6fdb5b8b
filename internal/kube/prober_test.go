package kube

import (
	"context"
	"errors"
	"io"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clienttesting "k8s.io/client-go/testing"

	"github.com/org/l4-canary/internal/rollout"
)

// proberImageName is the image of these tests.
const proberImageName = "registry.example/l4-canary:v1.2.3"

// probing is a prober that is being made.
type probing struct {
	*world
	done chan struct{}
	pod  *ProberPod
	err  error
}

// probe begins to make a prober, and comes back when that waits.
func (w *world) probe(t *testing.T, ctx context.Context, startIn time.Duration) *probing {
	t.Helper()
	p := &probing{world: w, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.pod, p.err = w.cluster.Probe(ctx, ProberOptions{Image: proberImageName, Args: []string{"prober"}, Plan: []byte("the plan"), StartIn: startIn})
	}()
	synctest.Wait()
	return p
}

// job is the only prober there is.
func (w *world) job(t *testing.T) *batchv1.Job {
	t.Helper()
	jobs, err := w.typed.BatchV1().Jobs(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: proberLabel})
	require.NoError(t, err)
	require.Len(t, jobs.Items, 1)
	return &jobs.Items[0]
}

// made is the pod that the Job's controller makes.
func (w *world) made(t *testing.T, change ...func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	job := w.job(t)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: job.Name + "-x7x7x", Namespace: namespace, Labels: map[string]string{"job-name": job.Name}},
		Spec:       job.Spec.Template.Spec, Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	maps.Copy(p.Labels, job.Spec.Template.Labels)
	for _, c := range change {
		c(p)
	}
	p, err := w.typed.CoreV1().Pods(namespace).Create(t.Context(), p, metav1.CreateOptions{})
	require.NoError(t, err)
	return p
}

// become changes the status of a pod.
func (w *world) become(t *testing.T, p *corev1.Pod, change ...func(*corev1.Pod)) {
	t.Helper()
	for _, c := range change {
		c(p)
	}
	_, err := w.typed.CoreV1().Pods(namespace).UpdateStatus(t.Context(), p, metav1.UpdateOptions{})
	require.NoError(t, err)
	synctest.Wait()
}

func waitingFor(reason, message string) func(*corev1.Pod) {
	return withStatus(corev1.ContainerStatus{Name: "prober", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}})
}

// requireNothingLeft: whatever went wrong, no Job stays.
func (w *world) requireNothingLeft(t *testing.T) {
	t.Helper()
	jobs, err := w.typed.BatchV1().Jobs(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, jobs.Items)
}

// requireSetback: it speaks of the prober, so that no version is blamed.
func (p *probing) requireSetback(t *testing.T, reason rollout.Reason, says string) {
	t.Helper()
	<-p.done
	setback, ok := errors.AsType[*rollout.Setback](p.err)
	require.True(t, ok, "%v", p.err)
	require.True(t, setback.Prober)
	require.Equal(t, reason, setback.Reason)
	require.Contains(t, setback.Message, says)
	p.requireNothingLeft(t)
}

// TestProbe makes a pod that may do nothing, is selected by nobody, and goes with the
// Lease.
func TestProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, service(corev1.IPv4Protocol))
		lease := &Lease{object: &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: LeaseName("lobby"), UID: "lease"}}}
		w.cluster.held.Store(lease)
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
		defer cancel()
		p := w.probe(t, ctx, time.Minute)
		job := w.job(t)
		require.Equal(t, []metav1.OwnerReference{lease.owner()}, job.OwnerReferences)
		require.LessOrEqual(t, len(job.Name)+len("-x7x7x"), 63)
		require.Equal(t, int64(420), *job.Spec.ActiveDeadlineSeconds, "the window, and a minute")
		require.Zero(t, *job.Spec.BackoffLimit)
		require.Positive(t, *job.Spec.TTLSecondsAfterFinished)
		require.Equal(t, map[string]string{proberLabel: "lobby", proberJobLabel: job.Name}, job.Spec.Template.Labels)
		requireHarmless(t, &job.Spec.Template.Spec)

		secret, err := w.typed.CoreV1().Secrets(namespace).Get(t.Context(), job.Name, metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, map[string][]byte{"plan.json": []byte("the plan")}, secret.Data)
		require.Equal(t, "Job", secret.OwnerReferences[0].Kind)
		require.Equal(t, job.UID, secret.OwnerReferences[0].UID)

		pod := w.made(t)
		synctest.Wait()
		require.Nil(t, p.pod, "it has not started")
		w.become(t, pod, inPhase(corev1.PodRunning))
		<-p.done
		require.NoError(t, p.err)
		require.NoError(t, p.pod.Over(t.Context()))
		log, err := p.pod.Open(t.Context())
		require.NoError(t, err)
		text, err := io.ReadAll(log)
		require.NoError(t, err)
		require.Equal(t, "fake logs", string(text))

		w.typed.ClearActions()
		require.NoError(t, p.pod.Close(t.Context()))
		deletion := w.typed.Actions()[0].(clienttesting.DeleteActionImpl)
		require.Equal(t, metav1.DeletePropagationBackground, *deletion.DeleteOptions.PropagationPolicy, "else its pod would stay")
		w.requireNothingLeft(t)
		require.NoError(t, p.pod.Close(t.Context()), "it is gone")
	})
}

// requireHarmless: the pod fits the restricted standard.
func requireHarmless(t *testing.T, spec *corev1.PodSpec) {
	t.Helper()
	require.False(t, *spec.AutomountServiceAccountToken)
	require.False(t, *spec.EnableServiceLinks)
	require.Equal(t, corev1.RestartPolicyNever, spec.RestartPolicy)
	require.True(t, *spec.SecurityContext.RunAsNonRoot)
	require.Positive(t, *spec.SecurityContext.RunAsUser)
	require.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, spec.SecurityContext.SeccompProfile.Type)
	require.Len(t, spec.Containers, 1)
	c := spec.Containers[0]
	require.Equal(t, proberImageName, c.Image)
	require.Equal(t, []string{"prober"}, c.Args)
	require.Empty(t, c.Env, "what it is to do may hold secrets, and lies in a file")
	require.Equal(t, "/l4-canary-plan", c.VolumeMounts[0].MountPath)
	require.True(t, *c.SecurityContext.ReadOnlyRootFilesystem)
	require.False(t, *c.SecurityContext.AllowPrivilegeEscalation)
	require.False(t, *c.SecurityContext.Privileged)
	require.Equal(t, []corev1.Capability{"ALL"}, c.SecurityContext.Capabilities.Drop)
	for _, resources := range []corev1.ResourceList{c.Resources.Requests, c.Resources.Limits} {
		require.Positive(t, resources.Cpu().MilliValue())
		require.Positive(t, resources.Memory().Value())
	}
}

// TestProberCannotRun: each way has its reason, at once where waiting cannot help and
// after a grace where it may.
func TestProberCannotRun(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		pod    []func(*corev1.Pod)
		event  string
		reason rollout.Reason
		says   string
		after  time.Duration
	}{
		"no image": {
			pod:    []func(*corev1.Pod){waitingFor("ErrImagePull", "rpc error: not found")},
			reason: rollout.ReasonImage, says: "the prober in the cluster cannot run, and nothing was measured: image " + proberImageName + ": pod l4-canary-prober-",
		},
		"registry away": {
			pod:    []func(*corev1.Pod){waitingFor("ImagePullBackOff", "connection refused")},
			reason: rollout.ReasonImage, says: "connection refused", after: rollout.Grace,
		},
		"no node": {
			pod: []func(*corev1.Pod){func(p *corev1.Pod) {
				p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes are available"}}
			}},
			reason: rollout.ReasonUnschedulable, says: "0/1 nodes are available", after: rollout.Grace,
		},
		"not as root": {
			pod:    []func(*corev1.Pod){waitingFor("CreateContainerConfigError", "container has runAsNonRoot")},
			reason: rollout.ReasonConfig, says: "runAsNonRoot",
		},
		"quota of pods": {
			event:  `Error creating: pods "x" is forbidden: exceeded quota: team, requested: pods=1`,
			reason: rollout.ReasonQuota, says: "exceeded quota: team", after: rollout.Grace,
		},
		"limit range": {
			event:  `Error creating: pods "x" is forbidden: maximum cpu usage per Container is 100m, but limit is 500m`,
			reason: rollout.ReasonConfig, says: "maximum cpu usage",
		},
		"admission away": {
			event:  `Error creating: Internal error occurred: failed calling webhook "x": timeout`,
			reason: rollout.ReasonDeadline, says: "did not run within 4m0s (move-timeout)", after: 4 * time.Minute,
		},
		"nothing is known": {reason: rollout.ReasonDeadline, says: "its Job has made no pod yet", after: 4 * time.Minute},
		"it only does not start": {
			pod: []func(*corev1.Pod){func(*corev1.Pod) {}}, reason: rollout.ReasonDeadline, says: "has not started yet", after: 4 * time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := begin(t, service(corev1.IPv4Protocol))
				began := time.Now()
				p := w.probe(t, t.Context(), 4*time.Minute)
				if row.event != "" {
					w.tell(t, row.event)
				}
				if row.pod != nil {
					w.made(t, row.pod...)
				}
				p.requireSetback(t, row.reason, row.says)
				require.InDelta(t, row.after.Seconds(), time.Since(began).Seconds(), 2*proberLook.Seconds())
			})
		})
	}
}

// tell has the Job's controller say why it makes no pod.
func (w *world) tell(t *testing.T, message string) {
	t.Helper()
	w.event(t, "FailedCreate", message)
}

// event is one about the Job.
func (w *world) event(t *testing.T, reason, message string) {
	t.Helper()
	_, err := w.typed.CoreV1().Events(namespace).Create(t.Context(), &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "e", Namespace: namespace}, Reason: reason, Message: message,
		InvolvedObject: corev1.ObjectReference{Kind: "Job", Name: w.job(t).Name},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
}

// TestProberGoneBeforeItRan: a Job whose pod was removed makes no other, so it is not
// waited for.
func TestProberGoneBeforeItRan(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		remove func(t *testing.T, w *world)
		after  time.Duration
	}{
		"gone": {remove: func(t *testing.T, w *world) {
			t.Helper()
			pod := w.made(t)
			time.Sleep(time.Second) // it has been seen
			require.NoError(t, w.typed.CoreV1().Pods(namespace).Delete(t.Context(), pod.Name, metav1.DeleteOptions{}))
		}},
		"going": {remove: func(t *testing.T, w *world) {
			t.Helper()
			w.made(t, func(p *corev1.Pod) { p.DeletionTimestamp = new(metav1.Now()) })
		}},
		"never seen": {after: rollout.Grace, remove: func(t *testing.T, w *world) {
			t.Helper()
			w.event(t, "SuccessfulCreate", "Created pod: x")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := begin(t, service(corev1.IPv4Protocol))
				began := time.Now()
				p := w.probe(t, t.Context(), 10*time.Minute)
				row.remove(t, w)
				p.requireSetback(t, rollout.ReasonInvalidLocal, "somebody removed its pod, or its Job l4-canary-prober-")
				require.InDelta(t, row.after.Seconds(), time.Since(began).Seconds(), 2*proberLook.Seconds())
			})
		})
	}
}

// TestProberFindsRoom: what passes by itself within its grace stops nobody.
func TestProberFindsRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, service(corev1.IPv4Protocol))
		p := w.probe(t, t.Context(), 10*time.Minute)
		w.tell(t, `pods "x" is forbidden: exceeded quota: team`)
		time.Sleep(rollout.Grace - time.Minute)
		w.become(t, w.made(t), inPhase(corev1.PodRunning))
		<-p.done
		require.NoError(t, p.err)
		require.NoError(t, p.pod.Close(t.Context()))
	})
}
