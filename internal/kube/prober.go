package kube

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// ProberOptions are what is to run in the cluster for a window.
type ProberOptions struct {
	Image   string
	Args    []string      // behind the image's entry point
	Plan    []byte        // what the pod finds in PlanFile
	StartIn time.Duration // how long it may take until it runs
}

// ProberPod is the pod of a Job that samples from inside the cluster.
type ProberPod struct {
	cluster *Cluster
	name    string // of the Job and of its Secret
	seen    bool   // its pod was there
}

// Probe runs a prober, and returns once its pod runs or has run. No more than the
// deadline of ctx is asked of it. What keeps it from running is a *rollout.Setback that
// speaks of the prober; all other errors are the API server's.
func (c *Cluster) Probe(ctx context.Context, o ProberOptions) (*ProberPod, error) {
	p := &ProberPod{cluster: c, name: proberName + strings.ToLower(rand.Text()[:proberRandom])}
	job := c.proberJob(ctx, p.name, o)
	if c.selects(job.Spec.Template.Labels) {
		return nil, proberSetback(rollout.ReasonConfig, "the selector of Service %q matches a prober's pod, which must not serve", c.Service)
	}
	err := p.create(ctx, job, o.Plan)
	if err == nil {
		err = p.await(ctx, o)
	}
	if err != nil {
		_ = p.Close(ctx) // its deadline and the Lease end it too
		return nil, err
	}
	return p, nil
}

// selects reports whether the Service would send flows to a pod with these labels, and
// those that every Job gives.
func (c *Cluster) selects(given map[string]string) bool {
	service, err := c.services.Get(c.Service)
	if err != nil || len(service.Spec.Selector) == 0 {
		return false
	}
	all := labels.Set{batchv1.JobNameLabel: "", batchv1.ControllerUidLabel: "", "job-name": "", "controller-uid": ""}
	for key := range all {
		if _, asked := service.Spec.Selector[key]; asked {
			all[key] = service.Spec.Selector[key]
		}
	}
	return labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Merge(all, given))
}

// create makes the Job, and then the Secret that goes with it: until it is there the pod
// waits.
func (p *ProberPod) create(ctx context.Context, job *batchv1.Job, plan []byte) error {
	c := p.cluster
	made, err := c.Typed.BatchV1().Jobs(c.Namespace).Create(ctx, job, metav1.CreateOptions{FieldManager: FieldManager})
	if err == nil {
		secret := proberSecret(made, plan)
		_, err = c.Typed.CoreV1().Secrets(c.Namespace).Create(ctx, secret, metav1.CreateOptions{FieldManager: FieldManager})
	}
	switch {
	case err == nil:
		return nil
	case apierrors.IsForbidden(err) && overQuota(err.Error()):
		return proberSetback(rollout.ReasonQuota, "no prober can be made: %v", err)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("making a prober in namespace %q: %w", c.Namespace, err)
}

// proberSetback is what keeps a prober from its work.
func proberSetback(reason rollout.Reason, format string, args ...any) *rollout.Setback {
	return &rollout.Setback{Reason: reason, Prober: true, Message: fmt.Sprintf(format, args...)}
}

// await waits until the pod runs, or cannot.
func (p *ProberPod) await(ctx context.Context, o ProberOptions) error {
	limited, cancel := context.WithTimeout(ctx, o.StartIn)
	defer cancel()
	if !cache.WaitForCacheSync(limited.Done(), p.cluster.synced...) {
		return fmt.Errorf("watching namespace %q: %w", p.cluster.Namespace, context.Cause(limited))
	}
	since := map[rollout.Reason]time.Time{}
	for {
		changed := p.cluster.change()
		runs, t := p.look(limited)
		if runs {
			return nil
		}
		if since[t.Reason].IsZero() {
			since[t.Reason] = time.Now()
		}
		if age := time.Since(since[t.Reason]); limited.Err() == nil && p.hopeless(limited, t, age) {
			return proberSetback(t.Reason, "the prober in the cluster cannot run, and nothing was measured: image %s: %s", o.Image, t.Message)
		}
		select {
		case <-changed:
		case <-time.After(proberLook): // what was young grows old, and Events are not watched
		case <-limited.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return proberSetback(rollout.ReasonDeadline, "the prober in the cluster did not run within %s (move-timeout): image %s: %s", o.StartIn, o.Image, t.Message)
		}
	}
}

// hopeless reports whether waiting for longer than age cannot help.
func (p *ProberPod) hopeless(ctx context.Context, t rollout.Trouble, age time.Duration) bool {
	if t.Reason == "" || t.Fatal {
		return t.Fatal
	}
	coming := t.Reason == rollout.ReasonUnschedulable && p.cluster.Coming(ctx)[t.Pod]
	return age >= rollout.Grace && !coming
}

// look reports whether the pod runs, or has run, and else what keeps it.
func (p *ProberPod) look(ctx context.Context) (runs bool, t rollout.Trouble) {
	pod := p.pod()
	gone := pod == nil && p.seen || pod != nil && pod.DeletionTimestamp != nil
	p.seen = p.seen || pod != nil
	switch {
	case pod != nil && pod.Status.Phase != corev1.PodPending:
		return true, t
	case gone: // a Job whose pod was removed makes no other
		return false, rollout.Trouble{Reason: rollout.ReasonInvalidLocal, Fatal: true, Message: p.removed()}
	case pod == nil:
		return false, p.unmade(ctx)
	}
	if t, ok := trouble(pod, probe.None); ok {
		t.Message = "pod " + pod.Name + ": " + t.Message
		return false, t
	}
	return false, rollout.Trouble{Message: "pod " + pod.Name + " has not started yet"}
}

// removed is why a pod is gone that was there.
func (p *ProberPod) removed() string { return "somebody removed its pod, or its Job " + p.name }

// pod is the Job's pod, nil if there is none: there is never more than one.
func (p *ProberPod) pod() *corev1.Pod {
	pods, err := p.cluster.pods.List(labels.SelectorFromSet(labels.Set{proberJobLabel: p.name}))
	if err != nil || len(pods) == 0 {
		return nil
	}
	return pods[0]
}

// unmade is why the Job has no pod. Only its Events tell.
func (p *ProberPod) unmade(ctx context.Context) rollout.Trouble {
	t := rollout.Trouble{Message: "its Job has made no pod yet"}
	events, err := p.cluster.Typed.CoreV1().Events(p.cluster.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: "involvedObject.kind=Job,involvedObject.name=" + p.name,
	})
	if err != nil {
		return t // nothing is known
	}
	for _, e := range events.Items {
		if e.InvolvedObject.Name != p.name {
			continue
		}
		switch e.Reason {
		case "SuccessfulCreate": // and gone before the watch has said so
			t.Reason, t.Message = rollout.ReasonInvalidLocal, p.removed()
			continue
		case "FailedCreate":
			t.Message = e.Message
		default:
			continue
		}
		switch {
		case overQuota(e.Message):
			t.Reason = rollout.ReasonQuota
		case strings.Contains(e.Message, "is forbidden"): // by a LimitRange, or by what pods may be here
			t.Reason, t.Fatal = rollout.ReasonConfig, true
		}
	}
	return t
}

// Open is the pod's log from its first line on, and what comes after.
func (p *ProberPod) Open(ctx context.Context) (io.ReadCloser, error) {
	pod := p.pod()
	if pod == nil {
		return nil, fmt.Errorf("job %q has no pod", p.name)
	}
	return p.cluster.Typed.CoreV1().Pods(p.cluster.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: proberContainer, Follow: true}).Stream(ctx)
}

// Over returns why nothing more will come from the pod: a *rollout.Setback; nil while it
// runs.
func (p *ProberPod) Over(context.Context) error {
	pod := p.pod()
	if pod == nil {
		return proberSetback(rollout.ReasonInvalidLocal, "the prober in the cluster is gone: %s", p.removed())
	}
	how := ""
	for _, status := range pod.Status.ContainerStatuses {
		if end := status.State.Terminated; end != nil {
			how = fmt.Sprintf(": exit %d (%s)", end.ExitCode, end.Reason)
		}
	}
	if pod.Status.Message != "" || pod.Status.Reason != "" {
		how += strings.TrimRight(": "+pod.Status.Reason+" "+pod.Status.Message, " ")
	}
	if how == "" && pod.DeletionTimestamp == nil && !finished(pod) {
		return nil
	}
	return proberSetback(rollout.ReasonInvalidLocal, "the prober in the cluster, pod %s, ended before its time%s", pod.Name, how)
}

// Close removes the Job, and with it pod and Secret, also when ctx is done.
func (p *ProberPod) Close(ctx context.Context) error {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), proberCloses)
	defer cancel()
	return p.cluster.removeProber(limited, p.name)
}

func (c *Cluster) removeProber(ctx context.Context, name string) error {
	// The pod is gone a second later, which nothing has to wait for.
	err := c.Typed.BatchV1().Jobs(c.Namespace).Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting job %q: %w", name, err)
	}
	return nil
}

// Sweep implements rollout.Sweeper. It goes by pods, which any rollout may watch: a Job
// that has made none yet ends by itself.
func (c *Cluster) Sweep(ctx context.Context) error {
	if !cache.WaitForCacheSync(ctx.Done(), c.synced...) {
		return fmt.Errorf("watching namespace %q: %w", c.Namespace, context.Cause(ctx))
	}
	pods, err := c.pods.List(labels.SelectorFromSet(labels.Set{proberLabel: c.Service}))
	if err != nil {
		return err
	}
	for _, pod := range pods {
		if job := pod.Labels[proberJobLabel]; job != "" && pod.DeletionTimestamp == nil {
			if err = c.removeProber(ctx, job); err != nil {
				return err
			}
		}
	}
	return nil
}
