package rollout

import (
	"context"
	"fmt"
	"time"
)

// Grace is how long trouble that may pass by itself is given: pods that find no node,
// a quota that is used up, a registry that does not answer.
const Grace = 3 * time.Minute

// lookAgain is how often a state that does not change is looked at again: trouble that
// was young grows old.
const lookAgain = 10 * time.Second

// passing are the reasons that may pass by themselves.
var passing = map[Reason]bool{ReasonUnschedulable: true, ReasonQuota: true, ReasonImage: true}

// Scout knows of room that is on its way.
type Scout interface {
	// Coming are the pods, by name, for which a node is being added.
	Coming(ctx context.Context) map[string]bool
}

// patience is when each trouble was first seen: the clocks of other machines are not
// asked.
type patience struct {
	first  map[string]time.Time
	coming map[string]bool // what Scout said
	asked  time.Time       // when
}

func newPatience() *patience { return &patience{first: map[string]time.Time{}} }

// age is for how long a trouble has been seen.
func (p *patience) age(t Trouble) time.Duration {
	key := t.Pod + " " + string(t.Side) + " " + string(t.Reason)
	if _, known := p.first[key]; !known {
		p.first[key] = time.Now()
	}
	return time.Since(p.first[key])
}

// hopes reports whether a node is being added for a pod. A thousand pods may be waiting,
// and any may change at any moment: all of them are asked for at once, and not again for
// a while.
func (p *patience) hopes(ctx context.Context, scout Scout, pod string) bool {
	if scout == nil {
		return false
	}
	if p.asked.IsZero() || time.Since(p.asked) >= lookAgain {
		p.coming, p.asked = scout.Coming(ctx), time.Now()
	}
	return p.coming[pod]
}

// overdue is the setback of trouble that has had its grace. While pods terminate room
// is about to come, and while a node is being added only MoveTimeout limits the wait.
func (r *run) overdue(ctx context.Context, s State, waiting *patience) error {
	for _, t := range s.Troubles {
		age := waiting.age(t)
		if t.Fatal || !passing[t.Reason] || age < Grace {
			continue
		}
		if room := t.Reason != ReasonImage; room && s.Stable.Terminating+s.Canary.Terminating > 0 {
			continue
		}
		if t.Reason == ReasonUnschedulable && waiting.hopes(ctx, r.Scout, t.Pod) {
			continue
		}
		return &Setback{Reason: t.Reason, Troubles: s.Troubles, Message: fmt.Sprintf("%s, for %s now", r.accuse(t), age.Round(time.Second))}
	}
	return nil
}
