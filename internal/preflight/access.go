package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// oldest is the first Kubernetes minor version whose API has what a rollout uses:
// autoscaling/v2, policy/v1 and server-side field validation by default.
const oldest = 23

// version refuses clusters that are too old.
func (f Facts) version() Findings {
	parts := strings.SplitN(strings.TrimPrefix(f.Version, "v"), ".", 3)
	if len(parts) < 2 || parts[0] != "1" {
		return nil
	}
	minor, err := strconv.Atoi(strings.TrimRight(parts[1], "+"))
	if err != nil || minor >= oldest {
		return nil //nolint:nilerr // a version that cannot be read is no reason to refuse
	}
	return Findings{{Error, fmt.Sprintf("the cluster is Kubernetes %s: 1.%d or newer is needed", f.Version, oldest),
		"upgrade the cluster, or see whether input \"context\" names the right one"}}
}

// login: credentials that run out in the middle would leave the rollout where it is.
func (f Facts) login() Findings {
	if f.TokenExpires.IsZero() || f.TokenExpires.After(f.Now.Add(f.Timeout)) {
		return nil
	}
	left := f.TokenExpires.Sub(f.Now).Round(time.Second)
	message := fmt.Sprintf("the kubeconfig's token expires in %s, and the run may take %s", left, f.Timeout)
	if left <= 0 {
		message = fmt.Sprintf("the kubeconfig's token expired %s ago", -left)
	}
	return Findings{{Error, message, "use a token that lives longer, or lower input \"timeout\""}}
}

// Rights names everything that the credentials lack in one message.
func (f Facts) Rights() Findings {
	var lacks []string
	if len(f.Denied) > 0 {
		lacks = append(lacks, fmt.Sprintf("in namespace %q: %s", f.Namespace, strings.Join(f.Denied, ", ")))
	}
	if len(f.DeniedCluster) > 0 {
		lacks = append(lacks, "in the whole cluster, for objects that the manifests hold: "+strings.Join(f.DeniedCluster, ", "))
	}
	if len(lacks) == 0 {
		return nil
	}
	return Findings{{Error,
		"the credentials lack rights " + strings.Join(lacks, "; "),
		fmt.Sprintf("\"l4-canary doctor --namespace %s\" and the README's section \"Rights\" have a Role with all of them", f.Namespace)}}
}

// unread are looks that were not allowed: what they would have shown is not known.
func (f Facts) unread() Findings {
	if len(f.Unread) == 0 {
		return nil
	}
	return Findings{{Warning,
		"not checked, because the credentials may not list them: " + strings.Join(f.Unread, ", "),
		"the README's section \"Rights\" has a Role with all of them"}}
}

// Trial is what the API server said when it was asked to do something without
// keeping it.
type Trial struct {
	Message string // such as `applying Deployment "lobby": ...`
	Hint    string // advice, may be empty
	Denied  bool   // fails for want of a right

	// Excuse is why it could fail although a rollout would not: something that the
	// same manifests bring, or a webhook without dry runs. Object is what was tried.
	Excuse, Object string
}

// trials are the applies and the park patch, tried on the server.
func (f Facts) trials() Findings {
	var findings Findings
	excused := map[string][]string{}
	for _, trial := range f.Trials {
		switch {
		case trial.Denied && len(f.Rights()) > 0: // the rule of the rights says it, once for all
		case trial.Excuse != "":
			excused[trial.Excuse] = append(excused[trial.Excuse], trial.Object)
		default:
			findings = append(findings, Finding{Error, trial.Message, trial.Hint})
		}
	}
	for _, excuse := range slices.Sorted(maps.Keys(excused)) {
		findings = append(findings, Finding{Level: Notice, Message: fmt.Sprintf("not tried before the rollout, because %s: %s", excuse, strings.Join(excused[excuse], ", "))})
	}
	for _, taken := range f.Taken {
		findings = append(findings, Finding{Level: Notice, Message: "applying the manifests takes a field over: " + taken})
	}
	return findings
}

// duration warns of a run that is likely to be cut off.
func (f Facts) duration() Findings {
	const near = 0.8
	if f.Estimate == 0 || float64(f.Estimate) < near*float64(f.Timeout) {
		return nil
	}
	return Findings{{Warning,
		fmt.Sprintf("the rollout is likely to take %s, and input \"timeout\" is %s", f.Estimate.Round(time.Second), f.Timeout),
		"raise timeout, or take fewer steps"}}
}
