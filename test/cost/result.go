package cost

import (
	"fmt"
	"time"

	"github.com/org/l4-canary/test/tally"
)

// Run is one way of rolling out, once.
type Run struct {
	Wall   time.Duration
	CPU    time.Duration // of every process
	Memory int           // bytes that the largest process had resident at most
	Parts  []Part

	// Of the program alone.
	Report Report
	Pods   []Pod
}

// Result are runs of one rollout by both ways, round by round.
type Result struct {
	Asked Asked
	Ours  []Run // by the program
	Hand  []Run // by the script, with as many flows
}

// Counts are the calls of one run of either way, which was not timed.
type Counts struct {
	Parts      []Part // of the program's
	Ours, Hand []tally.Call
}

// The goals.
const (
	mostOverBound = 1.10 // times the lower bound, at most
	mostOverHand  = 1.00 // times the way by hand, less than
)

// bounds are those of the parts of one run.
func (r Result) bounds(run Run) []Bound {
	bounds := make([]Bound, len(run.Parts))
	for i, part := range run.Parts {
		bounds[i] = Least(part, run.Pods, run.Report, r.Asked)
	}
	return bounds
}

// bound is the lower bound of one run.
func (r Result) bound(run Run) Bound {
	var whole Bound
	for _, b := range r.bounds(run) {
		whole = whole.plus(b)
	}
	return whole
}

// overBound is how many times as long as its lower bound the program took.
func (r Result) overBound() Spread {
	return spreadOver(r.Ours, func(run Run) float64 { return run.Wall.Seconds() / r.bound(run).Total().Seconds() })
}

// against compares the program with the script, round by round.
func (r Result) against(ratio func(ours, hand Run) float64) Spread {
	ratios := make([]float64, len(r.Ours))
	for i, run := range r.Ours {
		ratios[i] = ratio(run, r.Hand[i])
	}
	return SpreadOf(ratios)
}

// slower is how many times as long as the script the program took.
func slower(ours, hand Run) float64 { return ours.Wall.Seconds() / hand.Wall.Seconds() }

func wall(run Run) time.Duration { return run.Wall }

// working is how long the program takes without the waits that it was asked for.
func (r Result) working(run Run) time.Duration {
	bound := r.bound(run)
	return run.Wall - bound.Settle - bound.Drain
}

// unsettled is how long the script takes without settling. It never drains.
func (r Result) unsettled(hand Run) time.Duration {
	return hand.Wall - r.Asked.Settle*time.Duration(len(r.Ours[0].Report.Stages))
}

// readUsed reads what GNU time writes for "%M %U %S": KiB, and seconds twice.
func readUsed(text string) (memory int, cpu time.Duration, err error) {
	var kibibytes int
	var user, system float64
	if _, err = fmt.Sscanf(text, "%d %f %f\n", &kibibytes, &user, &system); err != nil {
		return 0, 0, fmt.Errorf("reading %q of time: %w", text, err)
	}
	return kibibytes << 10, time.Duration((user + system) * float64(time.Second)), nil
}
