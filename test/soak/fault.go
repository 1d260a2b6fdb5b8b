// Package soak carries rollouts out one after the other on a cluster that things happen
// to, with users that are there all the time.
package soak

import "slices"

// End is a way for a rollout to end.
type End struct {
	Outcome string
	Exit    int
	Reason  string
}

func (e End) String() string {
	if e.Reason == "PASS" {
		return e.Outcome
	}
	return e.Outcome + " (" + e.Reason + ")"
}

// The right ends of rollouts.
var (
	promoted = End{"promoted", 0, "PASS"}
	refused  = End{"refused", 2, "PREFLIGHT"}
)

func rolledBack(reason string) End { return End{"rolled-back", 1, reason} }

// Fault is something that happens to a rollout, or is wrong with its new version.
type Fault struct {
	Name string
	What string // in the table

	// Right are the ends that are: more than one where it depends on the moment what a
	// rollout sees first.
	Right []End

	Env     string // of the new version's container, as YAML: what is wrong with it
	Missing bool   // the new version's image is
	// Harmful: flows that meet the new version may fail, and those that it has are cut when
	// it is turned down.
	Harmful bool
	Pause   string // after the first stage, for something to happen in
	Hold    string // hpa: what the run is told of an autoscaler that is there; empty: there is none
	Suits   func(Service) bool
}

// Faults are all of them: what is done, and which end of the rollout is right.
func Faults() []Fault {
	return []Fault{
		{Name: "nothing", What: "a release that is in order", Right: []End{promoted}},
		{
			Name: "crash at the start", What: "the new version ends after 0.1 s", Harmful: true,
			Env: `{name: CRASH_AFTER, value: 100ms}`, Right: []End{rolledBack("CRASH_LOOP")},
		},
		{
			Name: "crash while it serves", What: "it ends after 4 s", Harmful: true,
			Env: `{name: CRASH_AFTER, value: 4s}`, Right: []End{rolledBack("FAIL_RESTARTS"), rolledBack("FAIL_ERRORS"), rolledBack("CRASH_LOOP")},
		},
		{
			Name: "slow", What: "it answers 0.3 s later",
			Env: `{name: DELAY, value: 300ms}`, Right: []End{rolledBack("FAIL_LATENCY")},
		},
		{
			Name: "errors", What: "it fails every second flow", Harmful: true,
			Env: `{name: ERROR_SHARE, value: "0.5"}`, Right: []End{rolledBack("FAIL_ERRORS")},
		},
		{
			Name: "refusal", What: "it is ready and listens on no port", Harmful: true,
			Env: `{name: REFUSE, value: "true"}`, Right: []End{rolledBack("FAIL_ERRORS")},
		},
		{Name: "image missing", What: "the registry has no such image", Missing: true, Right: []End{rolledBack("IMAGE")}},
		{Name: "autoscaler", What: "there is one, and nobody said what to do about it", Hold: "refuse", Right: []End{refused}, Suits: single},
		{Name: "autoscaler paused", What: "`hpa: pause`", Hold: "pause", Pause: "16s", Right: []End{promoted}, Suits: single},
		{
			Name: "autoscaler edited", What: "somebody ends its pause by hand", Hold: "pause", Pause: "2m",
			Right: []End{rolledBack("DRIFT")}, Suits: single,
		},
		{Name: "old version scaled", What: "somebody adds a pod", Pause: "2m", Right: []End{rolledBack("DRIFT")}},
		{Name: "new version scaled", What: "somebody adds a pod", Pause: "2m", Right: []End{rolledBack("DRIFT")}},
		{Name: "parked pod deleted", What: "somebody deletes a pod that drains", Right: []End{promoted}, Suits: Service.Parks},
		{Name: "kubelet restart", What: "of either node, one after the other", Pause: "10s", Right: []End{promoted}},
		{Name: "kube-proxy restart", What: "of either node, one after the other", Pause: "10s", Right: []End{promoted}},
		{Name: "API server restart", What: "it is gone for some seconds", Pause: "10s", Right: []End{promoted}},
		{Name: "node down", What: "one of two loses its network", Pause: "2m", Right: []End{rolledBack("FAIL_ERRORS")}},
	}
}

func single(s Service) bool { return !s.Pair }

// Is reports whether a rollout ended as it should.
func (f Fault) Is(end End) bool { return slices.Contains(f.Right, end) }
