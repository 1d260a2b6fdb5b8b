package rollout

import (
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/stats"
)

// Percent is a share in hundredths: 25 means a quarter.
type Percent float64

// Fraction is the share between 0 and 1.
func (p Percent) Fraction() float64 { return float64(p) / 100 }

// Outcome says how a whole run ended.
type Outcome string

// The outcomes of the contract that a run can have.
const (
	Promoted       Outcome = "promoted"
	Held           Outcome = "held"
	RolledBack     Outcome = "rolled-back"
	Aborted        Outcome = "aborted"
	Refused        Outcome = "refused"
	RollbackFailed Outcome = "rollback-failed"
	Interrupted    Outcome = "interrupted"
	NothingToDo    Outcome = "nothing-to-do"
	Stopped        Outcome = "stopped"
)

// Verdict is the judgement of one stage.
type Verdict string

// The verdicts of the contract.
const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail"
	Inconclusive Verdict = "inconclusive"
	Invalid      Verdict = "invalid"
)

// Reason is the one code that explains a verdict or an outcome.
type Reason string

// Reasons of a stage's verdict.
const (
	ReasonPass              Reason = "PASS"
	ReasonFailShare         Reason = "FAIL_SHARE"
	ReasonFailErrors        Reason = "FAIL_ERRORS"
	ReasonFailLatency       Reason = "FAIL_LATENCY"
	ReasonFailCeiling       Reason = "FAIL_CEILING"
	ReasonFailRestarts      Reason = "FAIL_RESTARTS"
	ReasonFailMetric        Reason = "FAIL_METRIC"
	ReasonInconclusive      Reason = "INCONCLUSIVE_BUDGET"
	ReasonInvalidSticky     Reason = "INVALID_STICKY"
	ReasonInvalidClassifier Reason = "INVALID_CLASSIFIER"
	ReasonInvalidOverload   Reason = "INVALID_OVERLOAD"
	ReasonInvalidLocal      Reason = "INVALID_LOCAL_ERRORS"
)

// Reasons of a run's outcome.
const (
	ReasonImage     Reason = "IMAGE"
	ReasonConfig    Reason = "CONFIG"
	ReasonCrashLoop Reason = "CRASH_LOOP"
	ReasonOOM       Reason = "OOM"
	ReasonQuota     Reason = "QUOTA"

	ReasonUnschedulable Reason = "UNSCHEDULABLE"
	ReasonDeadline      Reason = "DEADLINE"
	ReasonDrift         Reason = "DRIFT"
	ReasonBaseline      Reason = "BASELINE"
	ReasonCancelled     Reason = "CANCELLED"
	ReasonTakenOver     Reason = "TAKEN_OVER"
	ReasonLocked        Reason = "LOCKED"
	ReasonSuperseded    Reason = "SUPERSEDED"
	ReasonInput         Reason = "INPUT"
	ReasonPreflight     Reason = "PREFLIGHT"
	ReasonUnreachable   Reason = "UNREACHABLE"
	ReasonForbidden     Reason = "FORBIDDEN"
)

// Record is everything a run planned, did and saw. It is complete enough to
// write the report from, at any moment of the run: Outcome is empty while the
// run goes on.
type Record struct {
	Outcome Outcome
	Reason  Reason
	Message string // one sentence in words: what decided

	Namespace string
	Service   string
	Mode      string // as in [Mode]
	Release   string // digest of namespace, Service, roles and pod templates
	Stable    Side
	Canary    Side
	Addresses []string // of the Service, as the balancer announces them

	Replicas       int // R, S and U of the contract
	MaxSurge       int
	MaxUnavailable int
	Removal        string // how pods left: "park", "park by release", "terminate"

	Tolerance  Percent
	Confidence Percent
	Rate       float64   // flows a second
	Seed       uint64    // of the schedule
	ProbeFrom  string    // "runner", or "cluster": a pod of it made the flows
	Inside     bool      // flows began inside the cluster: kube-proxy alone was measured
	ShareGate  string    // "enforce", or "report": shares decide nothing
	Learned    []Learned // by port, once pods were asked; empty where patterns tell the versions apart

	StartedAt  time.Time
	FinishedAt time.Time // zero while the run goes on
	Stages     []StageRecord
	Held       *HeldRecord     // nil without held flows
	NotReached []Percent       // targets that were planned and never begun
	Troubles   []Trouble       // what pods said of themselves when the run failed
	Rollback   *RollbackRecord // nil if nothing was rolled back
	KeptPod    string          // a failing pod that was set aside; empty if none was
	Notices    []string        // what a reader should know, in the order it came up
	Paused     []string        // HorizontalPodAutoscalers, as the record stands
}

// ReachesStable is what a notice says of a change that takes effect on the stable pods
// as soon as it is applied.
const ReachesStable = "reaches stable now; rollback does not undo it"

// Learned is what tells the versions apart on a port.
type Learned struct {
	Port  string // as in "80/TCP"
	Words string // as in: stable answers contain "1.8.2", canary's "1.9.0", in the banner
	Why   string // nothing does; empty where Words are not
}

// Side is one of the two Deployments.
type Side struct {
	Deployment string
	Images     []string
	Replicas   int // spec.replicas when the record was written
	Ready      int // its pods that are ready in the Service
}

// StageRecord is what one stage planned, did and saw.
type StageRecord struct {
	Name string // "baseline", or the target as in "12.5"
	PlannedStage
	Measurement                // of the port that decided; the first port while none has
	Ports       []Measurement  // one a port, in the Service's order
	Move        time.Duration  // from the first write until endpoints matched
	Drain       time.Duration  // of Move, spent waiting for the flows of pods that leave
	Propagation *time.Duration // from then until the beginning of the window that was judged; nil if nothing was judged
	Sampling    time.Duration
	Verdict     Verdict // empty while the stage runs
	Reason      Reason
	Detail      string        // one sentence with the figures that decided
	After       *AfterRecord  // nil: nothing was sampled after the verdict
	Queries     []QueryRecord // none: there are none, or they have not been asked yet
}

// AfterRecord is what was sampled after a stage's flows were judged, at a tenth of the
// rate: while its queries were waited for, in its pause, or in bake.
type AfterRecord struct {
	Name  string // the last of them: "queries", "pause" or "bake"
	Took  time.Duration
	Ports []Measurement // as the stage's; a verdict only where one failed
}

// Measurement is what sampling one port told.
type Measurement struct {
	Port      string // as in "80/TCP"
	Addresses []AddressCount
	Pods      []PodCount // empty where answers carry no pod name

	Samples  int // flows judged: Stable + Canary + Unknown + the service's errors
	Stable   int
	Canary   int
	Unknown  int
	Errors   map[probe.Class]int // the five failure classes, Local included
	NotSent  int                 // flows the in-flight cap left out
	Observed *Percent            // of Stable + Canary; nil if nothing was attributed
	Interval stats.Interval      // always valid, fractions
	Wilson   stats.Interval      // 95 %, descriptive, fractions
	Expected *Percent            // w*; nil without an expectation
	Band     stats.Interval      // the shares that would pass, fractions
	Verdict  Verdict             // empty while sampling, and without an expectation
	Reason   Reason
	Latency  map[probe.Version]Latency // service time per version that answered
	Rate     float64                   // achieved starts a second
	Seed     uint64
	Evidence *Evidence // what the verdict rests on; nil if nobody judged

	Unmeasured string // why there is no share; empty where there can be one
}

// Latency are quantiles of service time: from the start of a flow to the first
// byte of its answer.
type Latency struct{ P50, P95, P99 time.Duration }

// AddressCount is the split seen through one address of the balancer.
type AddressCount struct {
	Address                         string
	Stable, Canary, Unknown, Failed int
}

// PodCount is how many flows one pod answered.
type PodCount struct {
	Pod     string
	Version probe.Version
	Flows   int
}

// Trouble is a pod's own account of why it does not serve.
type Trouble struct {
	Pod      string        // empty: the Deployment could not make one
	Side     probe.Version // Stable or Canary
	Reason   Reason        // IMAGE, CONFIG, CRASH_LOOP, OOM, QUOTA, UNSCHEDULABLE; empty if it is none of them
	Message  string        // the kubelet's words
	Since    time.Time     // when it began; zero if unknown
	Restarts int
	Fatal    bool // waiting longer cannot help
}

// RollbackRecord is how the original state was brought back.
type RollbackRecord struct {
	Took   time.Duration
	Stable int // replicas afterwards
	Canary int
	Err    string // empty when it is done
}
