package kube

import (
	"cmp"
	"fmt"

	"github.com/org/l4-canary/internal/rollout"
)

// Holder identifies one run of the program.
type Holder struct {
	Run      string `json:"run,omitempty"`     // of the CI system; empty elsewhere
	Attempt  string `json:"attempt,omitempty"` // of that run
	Job      string `json:"job,omitempty"`
	Step     string `json:"step,omitempty"`
	URL      string `json:"url,omitempty"` // of the run, for people
	Workflow string `json:"workflow,omitempty"`
	Number   int    `json:"number,omitempty"` // of the run within its workflow, rising
	Undoes   bool   `json:"undoes,omitempty"` // it is a rollback

	Host    string `json:"host,omitempty"`
	Boot    string `json:"boot,omitempty"` // changes when the host restarts
	PIDs    string `json:"pids,omitempty"` // the namespace that the process number is of
	PID     int    `json:"pid,omitempty"`
	Started string `json:"started,omitempty"` // of the process: a pid is used again
	Token   string `json:"token"`             // random
}

// String names the run for people.
func (h Holder) String() string {
	if h.Run != "" {
		return cmp.Or(h.URL, "run "+h.Run) + ", job " + h.Job
	}
	return fmt.Sprintf("process %d on %s", h.PID, cmp.Or(h.Host, "an unknown host"))
}

// succeeds reports whether this run may take over from the other at once: it is
// the same job of the same run, tried again or gone on with by its next step.
func (h Holder) succeeds(other Holder) bool {
	return h.Run != "" && h.Run == other.Run && h.Job == other.Job
}

// Same reports whether the other is this very step of this very attempt of a CI
// run, in whichever process: the step itself, or what is called after it.
func (h Holder) Same(other Holder) bool {
	return h.Run != "" && h.Run == other.Run && h.Attempt == other.Attempt && h.Job == other.Job && h.Step == other.Step
}

// neighbour reports whether the other ran on this very host since it started, where
// its process can be seen.
func (h Holder) neighbour(other Holder) bool {
	return h.Host != "" && h.Host == other.Host && h.Boot == other.Boot && h.PIDs == other.PIDs
}

// supersededBy reports whether a newer run of the same workflow was here.
func (h Holder) supersededBy(other Holder) bool {
	return h.Workflow != "" && h.Workflow == other.Workflow && h.Number < other.Number
}

// LockedError is a Lease that somebody else holds and renews.
type LockedError struct{ Holder Holder }

// Error names the holder.
func (e *LockedError) Error() string {
	return fmt.Sprintf("another rollout of this Service is under way: %s\n  hint: wait until it has ended; \"l4-canary rollback\" ends it", e.Holder)
}

// SupersededError is a rollout that a newer run has already passed.
type SupersededError struct{ Holder Holder }

// Error names the newer run.
func (e *SupersededError) Error() string {
	return fmt.Sprintf("a newer run of this workflow was here already: number %d (%s)", e.Holder.Number, e.Holder)
}

// TakenOverError is a Lease that somebody took away from us.
type TakenOverError struct{ By string }

// Error names who.
func (e *TakenOverError) Error() string { return "the rollout was taken over by " + e.By }

// Is makes it match rollout.ErrLost.
func (e *TakenOverError) Is(target error) bool { return target == rollout.ErrLost }

// UnrenewedError is a Lease that was not renewed for so long that anybody may have it.
type UnrenewedError struct{ Err error } // of the last try

// Error names the last try.
func (e *UnrenewedError) Error() string {
	return fmt.Sprintf("the lease could not be renewed for %s, and from then on anybody may take the rollout over: %v", validFor, e.Err)
}

// Unwrap is the last try.
func (e *UnrenewedError) Unwrap() error { return e.Err }

// Is makes it match rollout.ErrLost and rollout.ErrAway.
func (e *UnrenewedError) Is(target error) bool {
	return target == rollout.ErrLost || target == rollout.ErrAway
}
