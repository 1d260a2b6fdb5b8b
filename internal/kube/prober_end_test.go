package kube

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	"github.com/org/l4-canary/internal/rollout"
)

// TestProberIsCancelled: it leaves nothing, and blames nobody.
func TestProberIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, service(corev1.IPv4Protocol))
		ctx, cancel := context.WithCancel(t.Context())
		p := w.probe(t, ctx, time.Minute)
		w.made(t)
		cancel()
		<-p.done
		require.ErrorIs(t, p.err, context.Canceled)
		w.requireNothingLeft(t)
	})
}

// TestProberIsRefused: the API server's no is typed if it is a quota's, and what was made
// already is taken back.
func TestProberIsRefused(t *testing.T) {
	t.Parallel()
	no := func(resource, why string) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "x", errors.New(why))
	}
	for name, row := range map[string]struct {
		resource, why string
		reason        rollout.Reason
	}{
		"quota of jobs":    {"jobs", "exceeded quota: team, requested: count/jobs.batch=1", rollout.ReasonQuota},
		"quota of secrets": {"secrets", "exceeded quota: team, requested: secrets=1", rollout.ReasonQuota},
		"no right":         {"secrets", "User \"ci\" cannot create", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := begin(t, service(corev1.IPv4Protocol))
				w.reacts("create", row.resource, func(clienttesting.Action) (bool, runtime.Object, error) {
					return true, nil, no(row.resource, row.why)
				})
				p := w.probe(t, t.Context(), time.Minute)
				if row.reason != "" {
					p.requireSetback(t, row.reason, "no prober can be made")
					return
				}
				<-p.done
				require.True(t, Forbidden(p.err), "%v", p.err)
				w.requireNothingLeft(t)
			})
		})
	}
}

// TestServiceThatSelectsProbers: a prober must never be an endpoint of what it measures.
func TestServiceThatSelectsProbers(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		selector map[string]string
		selects  bool
	}{
		"none":             {nil, false},
		"an application's": {map[string]string{"app": "lobby"}, false},
		"both":             {map[string]string{"app": "lobby", proberLabel: "lobby"}, false},
		"ours":             {map[string]string{proberLabel: "lobby"}, true},
		"another's":        {map[string]string{proberLabel: "other"}, false},
		"any Job's":        {map[string]string{"job-name": "x"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := service(corev1.IPv4Protocol)
				s.Spec.Selector = row.selector
				w := begin(t, s)
				w.now(t)
				require.Equal(t, row.selects, w.cluster.selects(map[string]string{proberLabel: "lobby"}))
				if row.selects {
					w.probe(t, t.Context(), time.Minute).requireSetback(t, rollout.ReasonConfig, "must not serve")
				}
			})
		})
	}
}

// TestProberEnds says how, in the pod's own words.
func TestProberEnds(t *testing.T) {
	t.Parallel()
	ended := func(code int32, reason string) func(*corev1.Pod) {
		return withStatus(corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}}})
	}
	for name, row := range map[string]struct {
		change []func(*corev1.Pod)
		says   string
	}{
		"out of memory": {[]func(*corev1.Pod){inPhase(corev1.PodFailed), ended(137, "OOMKilled")}, "ended before its time: exit 137 (OOMKilled)"},
		"evicted": {[]func(*corev1.Pod){inPhase(corev1.PodFailed), func(p *corev1.Pod) {
			p.Status.Reason, p.Status.Message = "Evicted", "The node was low on resource: memory."
		}}, "ended before its time: Evicted The node was low on resource: memory."},
		"done":    {[]func(*corev1.Pod){inPhase(corev1.PodSucceeded)}, "ended before its time"},
		"running": {[]func(*corev1.Pod){inPhase(corev1.PodRunning)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := begin(t, service(corev1.IPv4Protocol))
				p := w.probe(t, t.Context(), time.Minute)
				pod := w.made(t)
				w.become(t, pod, inPhase(corev1.PodRunning))
				<-p.done
				w.become(t, pod, row.change...)
				err := p.pod.Over(t.Context())
				if row.says == "" {
					require.NoError(t, err)
					require.NoError(t, w.typed.CoreV1().Pods(namespace).Delete(t.Context(), pod.Name, metav1.DeleteOptions{}))
					synctest.Wait()
					err, row.says = p.pod.Over(t.Context()), "somebody removed its pod"
					_, gone := p.pod.Open(t.Context())
					require.ErrorContains(t, gone, "has no pod")
				}
				setback, ok := errors.AsType[*rollout.Setback](err)
				require.True(t, ok)
				require.True(t, setback.Prober)
				require.Equal(t, rollout.ReasonInvalidLocal, setback.Reason)
				require.Contains(t, setback.Message, row.says)
			})
		})
	}
}

// TestSweep takes away what a killed run left, and nothing else.
func TestSweep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		other := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "nightly", Namespace: namespace}}
		others := pod("nightly-1", "old")
		others.Labels = map[string]string{batchv1.JobNameLabel: "nightly"}
		ofAnother := pod("l4-canary-prober-b-1", "old")
		ofAnother.Labels = map[string]string{proberJobLabel: "nightly", proberLabel: "arena"}
		w := begin(t, service(corev1.IPv4Protocol), other, others, ofAnother)
		require.NoError(t, w.cluster.Sweep(t.Context()))
		p := w.probe(t, t.Context(), time.Minute)
		w.become(t, w.made(t), inPhase(corev1.PodRunning))
		<-p.done
		require.NoError(t, w.cluster.Sweep(t.Context()))
		jobs, err := w.typed.BatchV1().Jobs(namespace).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Len(t, jobs.Items, 1)
		require.Equal(t, "nightly", jobs.Items[0].Name)

		require.NoError(t, w.cluster.Sweep(t.Context()), "until the pod is gone too")
		w.reacts("delete", "jobs", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, errors.New("away")
		})
		require.ErrorContains(t, w.cluster.Sweep(t.Context()), "deleting job")
		done, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorContains(t, p.pod.Close(done), "away", "also of a run that was cancelled")
	})
}
