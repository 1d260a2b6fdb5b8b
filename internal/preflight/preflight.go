// Package preflight is what must be true before the first write: rules over facts
// that somebody else has read from the cluster. Every rule is a pure function, and
// all of them always run, so that everything that is wrong is said at once.
package preflight

import (
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/org/l4-canary/internal/manifest"
)

// Level says what a finding means for the rollout.
type Level string

// The levels, from the gravest.
const (
	Error   Level = "error"   // the rollout must not begin
	Warning Level = "warning" // it may, and this is likely to hurt
	Notice  Level = "notice"  // worth knowing
)

// Finding is one thing that a rule has to say.
type Finding struct {
	Level   Level
	Message string
	Hint    string // advice, may be empty
}

// String is the finding on one line, or on two with its hint.
func (f Finding) String() string {
	if f.Hint == "" {
		return f.Message
	}
	return f.Message + "\n  hint: " + f.Hint
}

// Findings are what all rules have to say.
type Findings []Finding

// Of are the findings of one level.
func (fs Findings) Of(level Level) Findings {
	return slices.DeleteFunc(slices.Clone(fs), func(f Finding) bool { return f.Level != level })
}

// Error is a line per finding, each followed by its hint.
func (fs Findings) Error() string {
	var lines []string
	for _, f := range fs {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

// Facts are the cluster and the rollout that is wanted. A list that could not be read
// is empty, and Unread says so.
type Facts struct {
	Namespace string
	Version   string          // of the API server, such as v1.34.4
	Address   string          // the input: with one, the Service need not be a LoadBalancer
	Service   manifest.Object // as it is wanted
	Live      *corev1.Service // as it is; nil if there is none
	Roles     manifest.Roles

	Replicas, MaxSurge, MaxUnavailable int
	Parks                              bool     // pods are taken out of the Service before they leave
	ParkLabels                         []string // which lose these labels
	Drain                              time.Duration
	Bake                               time.Duration // old pods are to be kept warm so long
	Warmable                           bool          // stable's pods can be parked and come back
	Timeout                            time.Duration
	Estimate                           time.Duration   // how long the rollout is likely to take; 0 if it is not known
	Resuming                           bool            // the rollout is under way: what it changed itself is no finding
	HandingOver                        bool            // and both Deployments may be gone for a moment: their ReplicaSets keep the pods
	Pauses                             bool            // autoscalers of either side are paused while it lasts
	Deletes                            bool            // stable's Deployment in the end, of a pair
	Prober                             *corev1.PodSpec // of the pod that makes the flows; nil: none does

	Deployments []appsv1.Deployment // of both sides, as they are
	ReplicaSets []appsv1.ReplicaSet // of the namespace
	Pods        []corev1.Pod        // that the Service selects
	Scalers     []autoscalingv2.HorizontalPodAutoscaler
	Others      []manifest.Object // autoscalers that the manifests hold for either side
	Budgets     []policyv1.PodDisruptionBudget
	Policies    []networkingv1.NetworkPolicy
	Quotas      []corev1.ResourceQuota
	Limits      []corev1.LimitRange

	Changes []Change // what the manifests make and change, Deployments apart
	Trials  []Trial  // what the API server refused when it was asked without keeping anything
	Taken   []string // fields that other managers own and the manifests set, in the API server's words
	Marks   []Mark   // rollouts of other Services that hold one of the Deployments
	Denied  []string // verbs and resources that the credentials lack, such as "patch pods"

	DeniedCluster []string // the same of objects outside of any namespace
	Unread        []string // resources that could not be looked at, such as "networkpolicies"

	ReportShare  bool      // the split decides nothing
	TokenExpires time.Time // of the credentials; zero if they do not say
	Now          time.Time
}

// Check runs every rule.
func (f Facts) Check() Findings {
	findings := f.manifests()
	for _, rule := range []func(Facts) Findings{
		Facts.Reach, // what cannot be undone comes first
		Facts.version, Facts.login, Facts.Rights, Facts.trials, Facts.marks,
		Facts.balancing, Facts.families, Facts.serviceChange, Facts.strangers,
		Facts.immutable, Facts.steady, Facts.autoscaled,
		Facts.quota, Facts.unmeasured, Facts.limits,
		Facts.disruption, Facts.network, Facts.grace, Facts.bakes, Facts.owners, Facts.sizes, Facts.duration, Facts.unread,
	} {
		findings = append(findings, rule(f)...)
	}
	return findings
}

// manifests are the problems that can be seen without a cluster.
func (f Facts) manifests() Findings {
	if f.Resuming {
		return nil
	}
	var findings Findings
	for _, problem := range manifest.Check(f.Service, f.Roles, f.Address) {
		findings = append(findings, Finding{Error, problem.String(), problem.Hint})
	}
	return findings
}

// sides are the names of both Deployments; the canary's is empty for a first version.
func (f Facts) sides() []string {
	sides := []string{f.Roles.Stable.Name}
	if f.Roles.Canary.Name != "" {
		sides = append(sides, f.Roles.Canary.Name)
	}
	return sides
}

// deployment is the live one of a name, nil if there is none.
func (f Facts) deployment(name string) *appsv1.Deployment {
	at := slices.IndexFunc(f.Deployments, func(d appsv1.Deployment) bool { return d.Name == name })
	if at < 0 {
		return nil
	}
	return &f.Deployments[at]
}
