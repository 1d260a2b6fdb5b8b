package rollout

import (
	"context"

	"github.com/org/l4-canary/internal/probe"
)

// Keeper sets a failing pod aside, for people to look at.
type Keeper interface {
	// Keep takes one pod of a side that does not serve away from its ReplicaSet and
	// from every Service, and leaves it running with a note of why. It takes the one
	// that says most of itself; where silent, also one that says nothing. It gives
	// its name, empty if there is no such pod. Errors are the API server's.
	Keep(ctx context.Context, side probe.Version, because string, silent bool) (pod string, err error)
}

// failing are the reasons for which a pod that is not ready and says nothing of
// itself is what failed, and not one that has only just begun.
var failing = map[Reason]bool{
	ReasonFailErrors: true, ReasonFailCeiling: true, ReasonFailRestarts: true, ReasonDeadline: true,
	ReasonImage: true, ReasonConfig: true, ReasonCrashLoop: true, ReasonOOM: true, ReasonUnschedulable: true,
}

// keep sets one failing pod of the new version aside, if that is wanted. Should it
// fail, the way back matters more.
func (r *run) keep(ctx context.Context, setback *Setback) {
	if !r.KeepFailed || r.Record.KeptPod != "" {
		return
	}
	side, because, silent := probe.Canary, "the rollout was rolled back", false
	if r.adopting {
		side = probe.Stable // which has the new template
	}
	if setback != nil {
		because, silent = string(setback.Reason)+": "+setback.Message, failing[setback.Reason]
	}
	pod, err := r.Keeper.Keep(ctx, side, because, silent)
	if err != nil {
		r.Log.WarnContext(ctx, "no failing pod could be kept", "error", err)
		return
	}
	if pod == "" {
		r.Log.InfoContext(ctx, "no failing pod is kept: there is none that does not serve")
		return
	}
	r.Record.KeptPod = pod
	r.Log.WarnContext(ctx, "a failing pod is kept, out of the Service: delete it when you have looked at it", "pod", pod,
		"delete", "kubectl -n "+r.Record.Namespace+" delete pod "+pod)
}
