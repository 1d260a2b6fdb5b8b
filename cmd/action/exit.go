package main

import (
	"errors"

	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/rollout"
)

// ExitCode is the exit status of the program, a promise to scripts.
type ExitCode int

// The statuses of the contract.
const (
	ExitOK             ExitCode = 0   // promoted, held, nothing to do; sample passed
	ExitFailed         ExitCode = 1   // rolled back, stopped, aborted; sample did not pass
	ExitUsage          ExitCode = 2   // refused: inputs, manifests, preflight; nothing was changed
	ExitUnreachable    ExitCode = 3   // refused: cluster unreachable or forbidden; nothing was changed
	ExitRollbackFailed ExitCode = 4   // not safely restored: a person is needed
	ExitInterrupted    ExitCode = 130 // stopped by a signal, safe
)

// exitOfOutcome maps how a run ended to its status.
func exitOfOutcome(record *rollout.Record) ExitCode {
	switch record.Outcome {
	case rollout.Promoted, rollout.Held, rollout.NothingToDo:
		return ExitOK
	case rollout.RolledBack, rollout.Aborted, rollout.Stopped:
		return ExitFailed
	case rollout.Refused:
		if record.Reason == rollout.ReasonUnreachable || record.Reason == rollout.ReasonForbidden {
			return ExitUnreachable
		}
		return ExitUsage
	case rollout.RollbackFailed:
		return ExitRollbackFailed
	case rollout.Interrupted:
		return ExitInterrupted
	}
	return ExitFailed // a run that never ended
}

// usageError is a wrong command line, input or manifest.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func usage(err error) error { return usageError{err} }

// exitOf is the status of a command that could not do its work.
func exitOf(err error) ExitCode {
	if _, ok := errors.AsType[usageError](err); ok {
		return ExitUsage
	}
	if _, ok := errors.AsType[forbiddenError](err); ok {
		return ExitUnreachable
	}
	if kube.Unreachable(err) || kube.Forbidden(err) {
		return ExitUnreachable
	}
	return ExitUsage // cobra's own: unknown command or flag
}
