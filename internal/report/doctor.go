package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/org/l4-canary/internal/rollout"
)

// Diagnosis is what doctor found out about a Service.
type Diagnosis struct {
	Namespace, Service string
	Version            string // of the API server
	Mode               string
	Stable             rollout.Side
	Plan               rollout.PlanOptions
	Removal            string
	Removals           []string // why pods leave so
	Findings           []string // one a line, with its level
	Ports              []Heard  // nil if the Service could not be asked
	Role               string   // YAML
}

// Heard is what a port of the Service answered. Answers are foreign text.
type Heard struct {
	Port   string
	Images []string // of the version that serves
	Pods   int      // behind the Service

	Answers, Failed int
	kinds           map[string]int // answers, pods' names taken out
	pods            map[string]int
	tagged          int // answers that hold the tag of an image
}

// Add takes note of an answer.
func (h *Heard) Add(answer string, pods []string) {
	if h.kinds == nil {
		h.kinds, h.pods = map[string]int{}, map[string]int{}
	}
	h.Answers++
	if slices.ContainsFunc(h.Images, func(image string) bool { return tag(image) != "" && strings.Contains(answer, tag(image)) }) {
		h.tagged++
	}
	for _, pod := range pods {
		if strings.Contains(answer, pod) {
			h.pods[pod]++
			answer = strings.ReplaceAll(answer, pod, "<pod>")
		}
	}
	h.kinds[answer]++
}

// tag is an image's, empty if it has none.
func tag(image string) string {
	name, _, _ := strings.Cut(image[strings.LastIndexByte(image, '/')+1:], "@")
	_, tag, _ := strings.Cut(name, ":")
	return tag
}

// telling is how many answers it takes to say that one pod gives them all: with two pods, chance does so
// once in half a million times.
const telling = 20

// lines say what can be made of the answers.
func (h *Heard) lines() []string {
	lines := []string{fmt.Sprintf("%d answers, %d failed", h.Answers, h.Failed)}
	if h.Answers == 0 {
		return lines
	}
	switch {
	case len(h.kinds) == 1:
		lines = append(lines, "all answers are alike: "+quoteAnswer(slices.Collect(maps.Keys(h.kinds))[0]))
	case len(h.kinds) > h.Answers/2:
		lines = append(lines, "the answers differ from each other: a pattern has to pick the part that tells the version")
	default:
		lines = append(lines, fmt.Sprintf("%d kinds of answers", len(h.kinds)))
	}
	if h.tagged == h.Answers {
		lines = append(lines, "every answer holds the image's tag: the versions can be told apart, such as by stable-pattern: '\\b"+escapeRegexp(h.heldTag())+"\\b'")
	} else {
		lines = append(lines, "the answers do not hold the image's tag: find out what in them tells the versions apart")
	}
	if len(h.pods) > 0 {
		lines = append(lines, fmt.Sprintf("the answers name %d of %d pods", len(h.pods), h.Pods))
		if len(h.pods) == 1 && h.Pods > 1 && h.Answers >= telling {
			lines = append(lines, "one client always reaches the same pod: the split cannot be seen from here")
		}
	}
	return lines
}

// heldTag is the tag that the answers hold.
func (h *Heard) heldTag() string {
	for _, image := range h.Images {
		for answer := range h.kinds {
			if t := tag(image); t != "" && strings.Contains(answer, t) {
				return t
			}
		}
	}
	return ""
}

// escapeRegexp is text as a regular expression; tags hold nothing else that has a
// meaning there.
func escapeRegexp(tag string) string { return strings.ReplaceAll(tag, ".", `\.`) }

// quoteAnswer is the beginning of an answer on one line.
func quoteAnswer(answer string) string {
	const longest = 80
	return fmt.Sprintf("%q", shorten(clean(answer), longest))
}

// DoctorText writes a diagnosis for people, with a workflow and a Role to begin with.
func DoctorText(w io.Writer, d Diagnosis) error {
	var b strings.Builder
	fmt.Fprintf(&b, "service %s/%s, Kubernetes %s, mode %s\n", d.Namespace, d.Service, d.Version, d.Mode)
	fmt.Fprintf(&b, "  Deployment %q serves: %s\n", d.Stable.Deployment, strings.Join(d.Stable.Images, ", "))
	fmt.Fprintf(&b, "\nweights of %s, with at most %d and at least %d\n  %s\n",
		plural(d.Plan.Replicas, "pod"), d.Plan.Replicas+d.Plan.MaxSurge, max(d.Plan.Replicas-d.Plan.MaxUnavailable, 1), weights(d.Plan))
	fmt.Fprintf(&b, "\npods leave by %s\n", d.Removal)
	for _, reason := range d.Removals {
		fmt.Fprintf(&b, "  %s\n", reason)
	}
	for _, h := range d.Ports {
		fmt.Fprintf(&b, "\nport %s\n", h.Port)
		for _, line := range h.lines() {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	b.WriteString("\nfindings\n")
	if len(d.Findings) == 0 {
		b.WriteString("  nothing stands against a rollout\n")
	}
	for _, finding := range d.Findings {
		fmt.Fprintf(&b, "  %s\n", finding)
	}
	fmt.Fprintf(&b, `
a workflow to begin with
  - uses: org/l4-canary@v1
    with:
      kubeconfig: ${{ secrets.KUBECONFIG }}
      namespace: %s
      manifests: k8s/
      stable-pattern: 'what only the old version answers'
      canary-pattern: 'what only the new version answers'

the rights it needs
`, d.Namespace)
	for line := range strings.Lines(d.Role) {
		b.WriteString("  " + line)
	}
	_, err := io.WriteString(w, b.String())
	return err
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
