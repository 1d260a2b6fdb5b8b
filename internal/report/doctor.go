package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/org/l4-canary/internal/rollout"
)

// Diagnosis is what doctor found out about a Service.
type Diagnosis struct {
	Namespace, Service string
	Addresses          []string
	Version            string // of the API server
	Mode               string
	Stable, Canary     rollout.Side
	Plan               rollout.PlanOptions
	Removals           rollout.Removals
	Drain              time.Duration
	Reasons            []string // why pods leave so
	Findings           []string // one a line, with its level
	Denied             []string // rights that the credentials lack
	Ports              []Heard  // nil if the Service could not be asked
	Role               string   // YAML
}

// DoctorText writes a diagnosis for people, with a workflow and a Role to begin with.
func DoctorText(w io.Writer, d Diagnosis) error {
	var b strings.Builder
	fmt.Fprintf(&b, "service %s/%s at %s, Kubernetes %s\n", d.Namespace, d.Service, cmp.Or(strings.Join(d.Addresses, ", "), "no address yet"), d.Version)
	fmt.Fprintf(&b, "  Deployment %q has %s: %s\n", d.Stable.Deployment, plural(d.Plan.Replicas, "pod"), strings.Join(d.Stable.Images, ", "))
	if d.Canary.Deployment == "" {
		fmt.Fprintf(&b, "  mode %s: nothing serves yet\n", d.Mode)
	} else {
		fmt.Fprintf(&b, "  mode %s: the new version would run as Deployment %q\n", d.Mode, d.Canary.Deployment)
	}
	fmt.Fprintf(&b, "\nweights with %d to %d pods\n  %s\n", max(d.Plan.Replicas-d.Plan.MaxUnavailable, 1), d.Plan.Replicas+d.Plan.MaxSurge, weights(d.Plan))
	fmt.Fprintf(&b, "  %s\n", steps(d.Plan))
	fmt.Fprintf(&b, "\nhow pods leave: %s\n", d.Removals)
	for _, line := range slices.Concat(ways(d.Removals, d.Drain), d.Reasons) {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	for _, h := range d.Ports {
		fmt.Fprintf(&b, "\nport %s\n", h.Port)
		for _, line := range h.lines() {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	b.WriteString("\nfindings\n")
	if len(d.Denied) == 0 {
		b.WriteString("  the credentials used now have all rights that a rollout needs\n")
	}
	if len(d.Findings) == 0 {
		b.WriteString("  nothing stands against a rollout\n")
	}
	for _, finding := range d.Findings {
		fmt.Fprintf(&b, "  %s\n", finding)
	}
	b.WriteString("\n" + d.workflow() + "\n" + d.rights())
	_, err := io.WriteString(w, b.String())
	return err
}

// ways explain the words for how pods leave.
func ways(removals rollout.Removals, drain time.Duration) []string {
	meanings := map[rollout.Removal]string{
		rollout.Park:          "park: a pod loses a label and with it all new flows; its connections go on, for %s at most (input \"drain\")",
		rollout.ParkByRelease: "park by release: the same, and its ReplicaSet lets the pod go; it is deleted after %s (input \"drain\")",
		rollout.Terminate:     "terminate: the Deployment is scaled down, and what becomes of a pod's connections in the next %s is up to the pod (preStop, SIGTERM)",
	}
	var lines []string
	for _, way := range []rollout.Removal{rollout.Park, rollout.ParkByRelease, rollout.Terminate} {
		if removals.Stable == way || removals.Canary == way {
			lines = append(lines, fmt.Sprintf(meanings[way], drain))
		}
	}
	return lines
}

// steps are those that a rollout takes if nobody says otherwise.
func steps(o rollout.PlanOptions) string {
	plan := rollout.NewPlan(o)
	if len(plan.Problems) > 0 {
		return "no rollout can be planned: " + strings.Join(plan.Problems, "; ")
	}
	var words []string
	for _, stage := range plan.Stages {
		words = append(words, fmt.Sprintf("%s (%d+%d)", trim(float64(stage.Target), 1)+" %", stage.Stable, stage.Canary))
	}
	return "steps: auto takes " + strings.Join(words, ", ") + ", old + new pods"
}

// workflow is a whole file, with what is known of the Service in its place.
func (d Diagnosis) workflow() string {
	stable := "what only the old version answers"
	for i := range d.Ports {
		stable = cmp.Or(d.Ports[i].pattern(), stable)
	}
	image := "ghcr.io/acme/lobby"
	if len(d.Stable.Images) > 0 {
		image = repository(d.Stable.Images[len(d.Stable.Images)-1])
	}
	return fmt.Sprintf(`a workflow to begin with: .github/workflows/release.yaml

name: release
on:
  push:
    tags: ['*']
permissions:
  contents: read
  pull-requests: write           # for the comment on the pull request
concurrency:                     # two rollouts of one Service must not overlap
  group: l4-canary-%[1]s-%[2]s
  cancel-in-progress: false
jobs:
  canary:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v7
        with:
          persist-credentials: false
      - uses: org/l4-canary@v1
        with:
          kubeconfig: ${{ secrets.KUBECONFIG }}
          namespace: %[1]s
          service: %[2]s
          manifests: k8s/
          images: %[3]s:${{ github.ref_name }}
          stable-pattern: '%[4]s'   # what serves now
          canary-pattern: '${{ github.ref_name }}'   # what only the new version answers
`, d.Namespace, d.Service, image, stable)
}

// rights are a Role for the workflow, and how to make a kubeconfig's token of it.
func (d Diagnosis) rights() string {
	return fmt.Sprintf(`the rights it needs: kubectl apply -f, then kubectl -n %[1]s create token l4-canary --duration 2h

%[2]s---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: l4-canary
  namespace: %[1]s
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: l4-canary
  namespace: %[1]s
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: l4-canary}
subjects: [{kind: ServiceAccount, name: l4-canary, namespace: %[1]s}]
# Whatever else the manifests hold, such as a ConfigMap, needs get, create and patch too.
`, d.Namespace, d.Role)
}

// repository is an image without its tag and digest.
func repository(image string) string {
	name, _, _ := strings.Cut(image, "@")
	return strings.TrimSuffix(name, ":"+tag(image))
}

// weights are all that the pods can give, each once, with the fewest pods for it.
func weights(o rollout.PlanOptions) string {
	const most = 20
	seen := map[string]bool{}
	var found []rollout.Percent
	for total := max(o.Replicas-o.MaxUnavailable, 2); total <= o.Replicas+o.MaxSurge; total++ {
		for canary := 1; canary < total; canary++ {
			weight := rollout.Percent(100 * float64(canary) / float64(total))
			if text := trim(float64(weight), 1); !seen[text] {
				seen[text] = true
				found = append(found, weight)
			}
		}
	}
	slices.Sort(found)
	var words []string
	for _, weight := range found[:min(len(found), most)] {
		words = append(words, trim(float64(weight), 1)+" %")
	}
	text := strings.Join(append(words, rollout.Percent(100).String()), ", ")
	if len(found) > most {
		text = fmt.Sprintf("%d of them, from %s to %s, and 100 %%", len(found), words[0], trim(float64(found[len(found)-1]), 1)+" %")
	}
	return text
}
