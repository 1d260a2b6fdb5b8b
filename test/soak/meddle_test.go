//go:build e2e

package soak

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/org/l4-canary/test/harness"
)

// world is where everything takes place.
type world struct {
	lab      *harness.Lab
	network  *harness.Network
	services []*live
	outages  []span // of one of two nodes
	unready  []span // of the pods of a node whose kubelet began anew
}

// span is a while.
type span struct{ began, ended time.Time }

func (s span) has(at time.Time) bool { return at.After(s.began) && at.Before(s.ended) }

// late is how much later than a node comes back a conversation may notice that it ended.
const late = 15 * time.Second

// out reports whether a flow was lost in an outage: then it is no rollout's.
func (w *world) out(loss harness.Loss) bool {
	return slices.ContainsFunc(w.outages, func(o span) bool {
		return loss.Ended.After(o.began) && loss.Began.Before(o.ended) && loss.Ended.Before(o.ended.Add(late))
	})
}

// moved reports whether a UDP session went to another pod because a kubelet began anew: it
// says of its pods that they are not ready until it has asked them, and so they are out of
// the Service for an instant. Connections over TCP outlast that.
func (w *world) moved(loss harness.Loss) bool {
	return loss.Protocol == "udp" && slices.ContainsFunc(w.unready, func(u span) bool { return u.has(loss.Ended) })
}

// harm is a rollout whose new version failed its users, who may notice that when it is over,
// and another harms them already.
type harm struct {
	span
	spared []string // pods that were there before
}

// harms are those of all rollouts of a Service.
type harms []harm

// lost reports whether a new flow is among the harm of any.
func (all harms) lost(loss harness.Loss) bool {
	return slices.ContainsFunc(all, func(h harm) bool { return h.has(loss.Began) })
}

// cut reports whether a conversation is.
func (all harms) cut(loss harness.Loss) bool {
	return slices.ContainsFunc(all, func(h harm) bool {
		return h.has(loss.Began) && !slices.Contains(h.spared, loss.Pod)
	})
}

// scene is one rollout under way, and what happens to it.
type scene struct {
	*live
	*world
	Rollout
	run   *harness.Run
	files int // most that the program had open

	mend   func(t *testing.T) error // what was done is undone; says what is wrong then
	victim string                   // pod that somebody deleted
}

// errOver: the rollout ended before anything could happen to it.
var errOver = errors.New("the rollout ended before that could happen")

// until waits for something while the program runs.
func (s *scene) until(t *testing.T, done func() bool) error {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-s.run.Ended():
			return errOver
		case <-t.Context().Done():
			return t.Context().Err()
		case <-ticker.C:
			s.files = max(s.files, s.run.Files())
		}
	}
	return nil
}

// later lets the rollout's moment come, after its baseline.
func (s *scene) later(t *testing.T) error {
	t.Helper()
	if err := s.until(t, func() bool { return s.run.Passed("baseline") }); err != nil {
		return err
	}
	at := time.Now().Add(s.Moment)
	return s.until(t, func() bool { return time.Now().After(at) })
}

// first lets the first stage pass, which a pause follows.
func (s *scene) first(t *testing.T) error {
	t.Helper()
	name, _, _ := strings.Cut(s.Steps, ":")
	return s.until(t, func() bool { return s.run.Passed(name) })
}

// meddlers are what is done while a rollout is under way, by the fault's name.
func (s *scene) meddlers() map[string]func(*testing.T) error {
	restart := func(components ...string) func(*testing.T) error {
		return func(t *testing.T) error { t.Helper(); return s.restart(t, components...) }
	}
	scale := func(deployment string) func(*testing.T) error {
		return func(t *testing.T) error { t.Helper(); return s.scale(t, deployment) }
	}
	return map[string]func(*testing.T) error{
		"autoscaler edited":  s.endPause,
		"old version scaled": scale(s.serving),
		"new version scaled": scale(s.canary()),
		"parked pod deleted": s.deleteParked,
		"kubelet restart":    restart("kubelet-1", "kubelet-2"),
		"kube-proxy restart": restart("kube-proxy-1", "kube-proxy-2"),
		"API server restart": restart("kube-apiserver"),
		"node down":          s.unplug,
	}
}

func (s *scene) restart(t *testing.T, components ...string) error {
	t.Helper()
	if err := s.later(t); err != nil {
		return err
	}
	began := time.Now()
	t.Log(s.lab.Do(t, append([]string{"restart"}, components...)...))
	if strings.HasPrefix(components[0], "kubelet") {
		s.unready = append(s.unready, span{began, time.Now().Add(late)})
	}
	return nil
}

func (s *scene) scale(t *testing.T, deployment string) error {
	t.Helper()
	if err := s.first(t); err != nil {
		return err
	}
	s.lab.Do(t, "kubectl", "--", "-n", s.Namespace, "scale", "deployment/"+deployment, "--replicas=3")
	return nil
}

// deleteParked deletes a pod that drains, once the balancer sends nobody there any more.
// Whoever does so before harms the users.
func (s *scene) deleteParked(t *testing.T) error {
	t.Helper()
	err := s.until(t, func() bool { s.victim = s.parked(t); return s.victim != "" })
	if err != nil {
		return err
	}
	address := harness.Address(t, s.lab, s.Namespace)
	silent := 0
	err = s.until(t, func() bool {
		c, failed := harness.Converse(t.Context(), s.network, "tcp", address)
		if failed != nil {
			return false // the users see it as well
		}
		c.Close()
		if silent++; c.Pod == s.victim {
			silent = 0
		}
		return silent >= 40 // in a row, of five pods at most
	})
	if err != nil {
		return err
	}
	s.lab.Do(t, "kubectl", "--", "-n", s.Namespace, "delete", "pod", s.victim, "--wait=false", "--ignore-not-found")
	return nil
}

// parked is a pod that is out of the Service, if there is one.
func (s *scene) parked(t *testing.T) string {
	t.Helper()
	pods, err := s.lab.CoreV1().Pods(s.Namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, pod := range pods.Items {
		if harness.Parked(&pod) && pod.DeletionTimestamp == nil {
			return pod.Name
		}
	}
	return ""
}

// unplug takes one of two nodes down. It comes back when the rollout has ended, and gets
// flows when its components are there: they begin anew, as when its power comes back.
func (s *scene) unplug(t *testing.T) error {
	t.Helper()
	if err := s.first(t); err != nil {
		return err
	}
	began := time.Now()
	s.lab.Do(t, "unplug")
	s.network.Link(t, 2, false)
	s.mend = func(t *testing.T) error {
		t.Helper()
		s.lab.Do(t, "plug")
		s.lab.Do(t, "restart", "kubelet-2", "kube-proxy-2")
		err := eventually(t, 2*time.Minute, "the node does not come back", func() bool { return harness.ReadyNodes(t, s.lab, "") == 2 && s.quiet(t) })
		s.network.Link(t, 2, true)
		s.outages = append(s.outages, span{began, time.Now()})
		return err
	}
	return nil
}

// quiet reports whether no pod is ending: a node that comes back has some that were told to
// while it was gone, and its old rules lead to them.
func (s *scene) quiet(t *testing.T) bool {
	t.Helper()
	pods, err := s.lab.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	return !slices.ContainsFunc(pods.Items, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil })
}

// scaler makes an autoscaler for the Deployment that serves. When the rollout has ended it
// must say what it said before.
func (s *scene) scaler(t *testing.T) {
	t.Helper()
	text := fmt.Sprintf(`apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: lobby}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %s}, minReplicas: %d, maxReplicas: %d}
`, s.serving, Replicas, Replicas)
	s.lab.Do(t, "kubectl", "--", "-n", s.Namespace, "apply", "-f", s.write(t, text))
	scalers := s.lab.AutoscalingV2().HorizontalPodAutoscalers(s.Namespace)
	was, err := scalers.Get(t.Context(), "lobby", metav1.GetOptions{})
	require.NoError(t, err)
	s.mend = func(t *testing.T) error {
		t.Helper()
		is, err := scalers.Get(t.Context(), "lobby", metav1.GetOptions{})
		require.NoError(t, err)
		require.NoError(t, scalers.Delete(t.Context(), "lobby", metav1.DeleteOptions{}))
		if _, paused := is.Annotations["l4-canary.io/paused"]; paused || is.Spec.String() != was.Spec.String() {
			return fmt.Errorf("the autoscaler says %s, paused %t, and said %s", is.Spec.String(), paused, was.Spec.String())
		}
		return nil
	}
}

// endPause does what the README tells anybody to do.
func (s *scene) endPause(t *testing.T) error {
	t.Helper()
	if err := s.first(t); err != nil {
		return err
	}
	scalers := s.lab.AutoscalingV2().HorizontalPodAutoscalers(s.Namespace)
	paused, err := scalers.Get(t.Context(), "lobby", metav1.GetOptions{})
	require.NoError(t, err)
	note := paused.Annotations["l4-canary.io/paused"]
	require.NotEmpty(t, note, "the autoscaler is paused")
	_, err = scalers.Patch(t.Context(), "lobby", types.MergePatchType, []byte(note), metav1.PatchOptions{FieldManager: "kubectl-patch"})
	require.NoError(t, err)
	return nil
}

// eventually waits for what needs no event.
func eventually(t *testing.T, limit time.Duration, otherwise string, done func() bool) error {
	t.Helper()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(limit); !done(); {
		if time.Now().After(end) {
			return errors.New(otherwise)
		}
		select {
		case <-t.Context().Done():
			return t.Context().Err()
		case <-ticker.C:
		}
	}
	return nil
}
