package report

import (
	"time"

	"github.com/org/l4-canary/internal/rollout"
)

// stopped is a run that on-failure: hold left as it was, and one pod of it.
func stopped() *rollout.Record {
	r := byCrash()
	r.Outcome, r.Rollback = rollout.Stopped, nil
	r.KeptPod = r.Troubles[0].Pod
	return r
}

func takenOver() *rollout.Record {
	r := interrupted()
	r.Outcome, r.Reason = rollout.Stopped, rollout.ReasonTakenOver
	r.Message = "the rollout was taken over by process 7 on build-2"
	return r
}

// undecided is a run that on-inconclusive: continue let go on.
func undecided() *rollout.Record {
	r := ended(lobby(), rollout.Held, rollout.ReasonPass, 64*time.Second)
	r.Message = "every other stage up to 25 % passed, where this run ends; undecided, and gone on from all the same (on-inconclusive): 10"
	r.Stages, r.NotReached = lobbyStages()[:3], []rollout.Percent{50, 100}
	r.Stages[1] = judged(r.Stages[1], rollout.Inconclusive, rollout.ReasonInconclusive, "after 430 flows the interval is still wider than what is allowed")
	r.Notices = append(r.Notices, "the run went on from stage 10, which is undecided (on-inconclusive)")
	return r
}
