package cost

import "time"

// Asked are the waits that a rollout's inputs ask for.
type Asked struct {
	Settle time.Duration // before each stage is sampled
	Drain  time.Duration // for each batch of pods that leaves
}

// Bound is the least that a part of a rollout can take, by what it is spent on.
type Bound struct {
	Starts   time.Duration // of pods, from created to ready
	Sampling time.Duration // the flows that were judged, at the rate that was asked for
	Settle   time.Duration
	Drain    time.Duration
}

// Total is the whole of it.
func (b Bound) Total() time.Duration { return b.Starts + b.Sampling + b.Settle + b.Drain }

// plus is the bound of two parts, one after the other.
func (b Bound) plus(o Bound) Bound {
	return Bound{b.Starts + o.Starts, b.Sampling + o.Sampling, b.Settle + o.Settle, b.Drain + o.Drain}
}

// Least is the bound of one part. The pods of one batch start at the same time, so it
// takes as long as the slowest of them, and a batch that waited for another comes on top
// of it: the pods that there may be at once are bounded. What leaves is bounded in the
// same way: a batch that was parked takes the drain, and one that was not takes as long
// as its slowest pod needs to end, but never more than the drain.
//
// A part that is no stage, such as the preparation, has neither sampling nor settling.
func Least(part Part, pods []Pod, report Report, asked Asked) Bound {
	var starts, parked, ends []span
	for _, pod := range pods {
		if part.has(pod.Created) && !pod.Ready.IsZero() {
			starts = append(starts, span{pod.Created, pod.Ready})
		}
		if part.has(pod.Parked) {
			parked = append(parked, span{pod.Parked, later(pod.Leaving, pod.Parked)})
		}
		if part.has(pod.Leaving) && pod.Parked.IsZero() {
			ends = append(ends, span{pod.Leaving, later(pod.Gone, pod.Leaving)})
		}
	}
	var b Bound
	for _, batch := range batches(starts) {
		b.Starts += slowest(batch)
	}
	b.Drain = asked.Drain * time.Duration(len(batches(parked)))
	for _, batch := range batches(ends) {
		b.Drain += min(asked.Drain, slowest(batch))
	}
	if stage := report.stage(part.Name); stage.Name != "" {
		b.Sampling, b.Settle = report.sampling(stage.Flows()), asked.Settle
	}
	return b
}

// later is a moment, or the least that it can be if it has not been seen.
func later(at, least time.Time) time.Time {
	if at.Before(least) {
		return least
	}
	return at
}
