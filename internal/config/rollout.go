package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Rollout is what run and plan have in common. Percentages are in points: 5
// means 5 %.
type Rollout struct {
	Place

	Manifests []string // files, directories, globs, "-"
	Images    []string // one substitution each
	Stable    string
	Canary    string

	Steps          []Step  // nil: auto
	Until          float64 // the last target weight
	Replicas       Optional[int]
	MaxSurge       Bound // rounds up
	MaxUnavailable Bound // rounds down
	MaxWeightError float64

	Probe         string // one of ProbeWords, YAML, or the name of a file
	ProbeFrom     string // runner or cluster
	ProbeImage    string // empty: this version's
	Address       string // empty: the Service's own
	StablePattern *regexp.Regexp
	CanaryPattern *regexp.Regexp
	Tolerance     float64
	Confidence    float64
	Rate          float64 // flows a second, above 0
	MaxProbes     Optional[int]
	Close         string // fin, rst or auto
	MaxErrorRate  Optional[float64]
	MaxSlower     Optional[float64] // max-latency-increase, in percent of the baseline's p95
	HoldOpen      int
	Prometheus    Prometheus
	ShareGate     string // enforce or report
	Smoke         bool

	Settle       time.Duration
	Propagation  Optional[time.Duration]
	Drain        Optional[time.Duration]
	Bake         time.Duration
	StageTimeout time.Duration
	MoveTimeout  time.Duration
	Timeout      time.Duration

	Finish  string // auto, keep, delete, adopt or handover
	Removal string // auto, park or terminate
	HPA     string // refuse or pause

	OnFailure      string // rollback or hold
	OnInconclusive string // fail or continue
	KeepFailedPod  bool
}

// Run are the options of the command run.
type Run struct {
	Rollout
	Faces

	OnExisting string // auto or refuse
}

// Plan are the options of the command plan.
type Plan struct {
	Rollout

	Output string // table or json
}

// Offline reports whether the plan is pure arithmetic: no manifests, no cluster.
func (p Plan) Offline() bool { return len(p.Manifests) == 0 }

// ParseRun turns the values of run into options. The error is [Problems].
func ParseRun(v Values) (Run, error) {
	r := &reader{values: v}
	run := Run{Rollout: r.rollout(), Faces: r.faces(), OnExisting: r.choice("on-existing", "auto", "refuse")}
	if len(run.Manifests) == 0 {
		r.reject("manifests", "missing: name the files or directories that hold the Service and the Deployments")
	}
	return run, r.err()
}

// Rollback are the options of the command rollback.
type Rollback struct {
	Place
	Faces

	Drain         Optional[time.Duration]
	MoveTimeout   time.Duration
	KeepFailedPod bool
}

// Post are the options of the command post: those of the run that it finishes.
type Post struct {
	Rollback

	Manifests []string // they can say in which namespace the run was
}

// Status are the options of the command status.
type Status struct {
	Place

	Output string // table or json
}

// ParseRollback turns the values of rollback into options. The error is [Problems].
func ParseRollback(v Values) (Rollback, error) {
	r := &reader{values: v}
	return r.wayBack(), r.err()
}

// ParsePost turns the values of post into options. The error is [Problems].
func ParsePost(v Values) (Post, error) {
	r := &reader{values: v}
	return Post{Rollback: r.wayBack(), Manifests: r.lines("manifests")}, r.err()
}

func (r *reader) wayBack() Rollback {
	return Rollback{
		Place: r.place(), Faces: r.faces(), Drain: r.optionalDuration("drain"), MoveTimeout: r.duration("move-timeout", false),
		KeepFailedPod: r.truth("keep-failed-pod"),
	}
}

// ParseStatus turns the values of status into options. The error is [Problems].
func ParseStatus(v Values) (Status, error) {
	r := &reader{values: v}
	status := Status{Place: r.place(), Output: r.choice("output", "table", "json")}
	return status, r.err()
}

// ParseDoctor turns the values of doctor into the options of a rollout that it is to
// think of. The error is [Problems].
func ParseDoctor(v Values) (Rollout, error) {
	r := &reader{values: v}
	options := Rollout{
		Place: r.place(), Stable: r.object("stable"), Canary: r.object("canary"),
		MaxSurge:       r.bound("max-surge", "a number of pods or a percentage, such as 1 or 25%"),
		MaxUnavailable: r.maxUnavailable(), MaxWeightError: 100,
		Probe: r.probe(), ProbeFrom: r.probeFrom(), Address: r.host("address"), Prometheus: r.prometheus(),
		Drain: r.optionalDuration("drain"), MoveTimeout: r.duration("move-timeout", false), Timeout: r.duration("timeout", false),
		Finish: "auto", Removal: r.choice("removal", "auto", "park", "terminate"),
	}
	r.room(options)
	return options, r.err()
}

// ParsePlan turns the values of plan into options. The error is [Problems].
func ParsePlan(v Values) (Plan, error) {
	r := &reader{values: v}
	plan := Plan{Rollout: r.rollout(), Output: r.choice("output", "table", "json")}
	if plan.Offline() && !plan.Replicas.Set {
		r.reject("replicas", "missing: say how many pods serve, or give manifests and a cluster")
	}
	return plan, r.err()
}

func (r *reader) rollout() Rollout {
	options := Rollout{
		Place:     r.place(),
		Manifests: r.lines("manifests"), Images: r.lines("images"),
		Stable: r.object("stable"), Canary: r.object("canary"),

		Steps: r.steps(), Until: r.until(), Replicas: r.optionalWhole("replicas", 100_000),
		MaxSurge: r.bound("max-surge", "a number of pods or a percentage, such as 1 or 25%"), MaxUnavailable: r.maxUnavailable(),
		MaxWeightError: r.between("max-weight-error", 0, 100),

		Probe: r.probe(), ProbeFrom: r.probeFrom(), ProbeImage: r.image("probe-image"), Address: r.host("address"),
		StablePattern: r.pattern("stable-pattern"), CanaryPattern: r.pattern("canary-pattern"),
		Tolerance: r.tolerance(), Confidence: r.confidence(),
		Rate: r.number("rate", "flows per second, above 0 and up to 100000", false,
			func(n float64) bool { return n > 0 && n <= 100_000 }),
		MaxProbes: r.maxProbes(), Close: r.choice("close", "fin", "rst", "auto"),
		MaxErrorRate: r.maxErrorRate(), MaxSlower: r.maxLatencyIncrease(), Prometheus: r.prometheus(),
		HoldOpen: r.whole("hold-open", 0, 10_000), ShareGate: r.choice("share-gate", "enforce", "report"), Smoke: r.truth("smoke"),

		Settle: r.duration("settle", true), Propagation: r.optionalDuration("propagation"), Drain: r.optionalDuration("drain"),
		Bake:         r.duration("bake", true),
		StageTimeout: r.duration("stage-timeout", false), MoveTimeout: r.duration("move-timeout", false),
		Timeout: r.duration("timeout", false),

		Finish:  r.choice("finish", "auto", "keep", "delete", "adopt", "handover"),
		Removal: r.choice("removal", "auto", "park", "terminate"),
		HPA:     r.choice("hpa", "refuse", "pause"),

		OnFailure: r.choice("on-failure", "rollback", "hold"), OnInconclusive: r.choice("on-inconclusive", "fail", "continue"),
		KeepFailedPod: r.truth("keep-failed-pod"),
	}
	r.together(options)
	return options
}

// together checks inputs against each other.
func (r *reader) together(o Rollout) {
	if o.Stable != "" && o.Stable == o.Canary {
		r.reject("canary", fmt.Sprintf("it must differ from input \"stable\", which is %q too", o.Stable))
	}
	r.room(o)
	r.fromCluster(o)
	r.samePattern(o.StablePattern, o.CanaryPattern)
	for name, other := range map[string]string{"stable-pattern": "canary-pattern", "canary-pattern": "stable-pattern"} {
		if r.text(name) == "" && r.text(other) != "" {
			r.reject(name, fmt.Sprintf("missing beside input %q: write both, or neither to have them learned from the answers", other))
		}
	}
	if r.values.Given("until") && o.Steps != nil && o.Until < 100 && r.sound("until") &&
		!slices.ContainsFunc(o.Steps, func(s Step) bool { return s.Weight == o.Until }) {
		r.reject("until", "one of the weights in input \"steps\", or 100")
	}
	if waits := o.waits(); waits > o.Timeout && r.sound("timeout", "steps", "drain", "bake") {
		r.rejectHint("timeout", fmt.Sprintf("the pauses and drains of all stages and bake alone take %s", waits),
			"allow more time, or shorten the pauses in steps, drain or bake")
	}
}

// room checks that a pod can be replaced at all.
func (r *reader) room(o Rollout) {
	if o.MaxSurge.Value == 0 && o.MaxUnavailable.Value == 0 && r.sound("max-surge", "max-unavailable") {
		r.rejectHint("max-surge", "input \"max-unavailable\" is zero too, so no pod could ever be replaced", "set max-surge to 1 or more")
	}
}

// sound reports whether none of the inputs has a problem yet.
func (r *reader) sound(names ...string) bool {
	return !slices.ContainsFunc(r.problems, func(p Problem) bool { return slices.Contains(names, p.Input) })
}

func (r *reader) samePattern(stable, canary *regexp.Regexp) {
	if stable != nil && canary != nil && stable.String() == canary.String() {
		r.reject("canary-pattern", "it must differ from input \"stable-pattern\"")
	}
}

// autoDrain is the least that drain: auto can come to, and autoStages the least
// number of stages that steps: auto can find.
const (
	autoDrain  = 30 * time.Second
	autoStages = 2
)

// waits is the time that every run with these options spends waiting: the pauses,
// a drain in each stage, and bake. What is longer than can be counted is as long as can be.
func (o Rollout) waits() time.Duration {
	sum := o.Bake
	wait := func(d time.Duration) { sum += min(d, math.MaxInt64-sum) }
	for _, step := range o.Steps {
		wait(step.Pause)
		wait(o.Drain.Or(autoDrain))
	}
	if o.Steps == nil {
		for range autoStages {
			wait(o.Drain.Or(autoDrain))
		}
	}
	return sum
}

// until is the weight to stop after.
func (r *reader) until() float64 {
	return r.number("until", "a percentage above 0 and up to 100", true, func(n float64) bool { return n > 0 && n <= 100 })
}

func (r *reader) steps() []Step {
	text := r.text("steps")
	if strings.EqualFold(text, "auto") {
		return nil
	}
	steps, allowed := parseSteps(text)
	if allowed != "" {
		r.reject("steps", allowed)
	}
	return steps
}

func (r *reader) bound(name, allowed string) Bound {
	bound, ok := parseBound(r.text(name))
	if _, number := parseWhole(strings.TrimSuffix(r.text(name), "%")); !ok && number {
		r.rejectHint(name, allowed, fmt.Sprintf("%d is the most", maxBound))
	} else if !ok {
		r.reject(name, allowed)
	}
	return bound
}

func (r *reader) maxUnavailable() Bound {
	allowed := "a number of pods or a percentage up to 100%, such as 1 or 25%"
	bound := r.bound("max-unavailable", allowed)
	if bound.Percent && bound.Value > 100 {
		r.reject("max-unavailable", allowed)
	}
	return bound
}

func (r *reader) tolerance() float64 {
	return r.number("tolerance", "percentage points above 0 and up to 50", true,
		func(n float64) bool { return n > 0 && n <= 50 })
}

func (r *reader) confidence() float64 { return r.between("confidence", 50, 99.99) }

func (r *reader) maxErrorRate() Optional[float64] { return r.percentageOrOff("max-error-rate", 100) }

func (r *reader) maxLatencyIncrease() Optional[float64] {
	return r.percentageOrOff("max-latency-increase", 10_000)
}

// percentageOrOff is a percentage up to a highest one, or absent if the input is off.
func (r *reader) percentageOrOff(name string, highest float64) Optional[float64] {
	if strings.EqualFold(r.text(name), "off") {
		return Optional[float64]{}
	}
	rate := r.number(name, fmt.Sprintf("off, or a percentage from 0 to %v", highest), true,
		func(n float64) bool { return n <= highest })
	return Optional[float64]{Value: rate, Set: true}
}
