package kube

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/preflight"
)

// Survey fills the facts with what the namespace holds. What the credentials may not
// list is named in Unread; any other error ends the survey.
func (c *Client) Survey(ctx context.Context, namespace string, facts *preflight.Facts) error {
	s := survey{facts: facts, namespace: namespace}
	behind := metav1.ListOptions{LabelSelector: labels.SelectorFromSet(manifest.Selector(facts.Service)).String()}
	all := metav1.ListOptions{}
	if l, err := c.Typed.AppsV1().Deployments(namespace).List(ctx, all); s.must("deployments", err) {
		facts.Deployments = l.Items
	}
	if l, err := c.Typed.AppsV1().ReplicaSets(namespace).List(ctx, all); s.must("replicasets", err) {
		facts.ReplicaSets = l.Items
	}
	if l, err := c.Typed.CoreV1().Pods(namespace).List(ctx, behind); s.must("pods", err) {
		facts.Pods = l.Items
	}
	if l, err := c.Typed.AutoscalingV2().HorizontalPodAutoscalers(namespace).List(ctx, all); s.may("horizontalpodautoscalers", err) {
		facts.Scalers = l.Items
	}
	if l, err := c.Typed.PolicyV1().PodDisruptionBudgets(namespace).List(ctx, all); s.may("poddisruptionbudgets", err) {
		facts.Budgets = l.Items
	}
	if l, err := c.Typed.NetworkingV1().NetworkPolicies(namespace).List(ctx, all); s.may("networkpolicies", err) {
		facts.Policies = l.Items
	}
	if l, err := c.Typed.CoreV1().ResourceQuotas(namespace).List(ctx, all); s.may("resourcequotas", err) {
		facts.Quotas = l.Items
	}
	if l, err := c.Typed.CoreV1().LimitRanges(namespace).List(ctx, all); s.may("limitranges", err) {
		facts.Limits = l.Items
	}
	if l, err := c.Typed.CoordinationV1().Leases(namespace).List(ctx, all); s.may("leases", err) {
		facts.Marks = marks(l.Items, facts)
	}
	return s.err
}

// survey is a Survey under way.
type survey struct {
	facts     *preflight.Facts
	namespace string
	err       error
}

// may takes note of how a list went that one can do without, and reports whether
// there is one.
func (s *survey) may(what string, err error) bool {
	if Forbidden(err) {
		s.facts.Unread = append(s.facts.Unread, what)
		return false
	}
	return s.must(what, err)
}

// must is for a list that no rollout can do without.
func (s *survey) must(what string, err error) bool {
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("listing %s in namespace %q: %w", what, s.namespace, err)
	}
	return err == nil
}
