package rollout

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/org/l4-canary/internal/probe"
)

// HeldRecord is what became of the flows that were held open.
//
// A flow that ended was cut if that was less than the drain after its pod began to
// leave, or while its pod did not leave by the engine's hand; else it outlived its
// pod's drain. Where answers name no pod, its version stands for it: then a flow
// outlived the drain if it ended when the drain of pods of that version was over and
// they were not all gone yet.
type HeldRecord struct {
	Asked  int           // flows
	Open   int           // that could be opened
	Drain  time.Duration // what a pod that leaves is given
	Ports  []HeldPort
	Stages []HeldStage
	Ends   []HeldEnd
}

// HeldPort is how the flows to one port began.
type HeldPort struct {
	Port    string // as in "80/TCP"
	Asked   int
	Open    int
	Watched int    // of Open: the server answers no question, only the end of the flow shows
	Named   int    // of Open: the first answer named the pod
	Failure string // why the first of the others could not be opened
}

// HeldStage is what one stage did to them.
type HeldStage struct {
	Stage    string // as the journal was told: also "bake", "adopt", "rollback"
	Open     int    // when it began
	Outlived int    // ended in it, after their pod's drain
	Cut      int    // ended in it, before that or for another reason
	Left     int    // open when it ended
}

// HeldEnd is how some flows ended alike.
type HeldEnd struct {
	Stage   string
	Port    string
	Version probe.Version // that answered first
	Pod     string        // empty where answers name none
	How     probe.Ending
	Cut     bool
	Flows   int
	After   *time.Duration // from when the pod began to leave to the first of these ends; nil if it did not leave
}

// late is how long after the fact something may be seen: the end of a flow that asks
// once a second, and a pod that leaves.
const late = 2 * time.Second

// account is what became of the flows up to now.
func (w *witness) account() *HeldRecord {
	record := &HeldRecord{Asked: w.options.HoldOpen, Drain: w.options.Drain}
	for _, port := range w.options.Ports {
		record.Ports = append(record.Ports, HeldPort{Port: port.String()})
	}
	for _, p := range w.periods {
		record.Stages = append(record.Stages, HeldStage{Stage: p.name})
	}
	ends := map[HeldEnd]HeldEnd{} // by what they have in common
	for _, flow := range w.flows.Flows() {
		record.Ports[flow.Port].add(flow)
		if flow.Err != nil {
			continue
		}
		record.Open++
		if flow.How == "" {
			continue
		}
		end, at := w.end(flow), w.during(flow.Ended)
		end.Port, end.Stage = record.Ports[flow.Port].Port, record.Stages[at].Stage
		record.Stages[at].count(end.Cut)
		ends[end.kind()] = end.join(ends[end.kind()])
	}
	open := record.Open
	for i := range record.Stages {
		s := &record.Stages[i]
		s.Open, s.Left = open, open-s.Outlived-s.Cut
		open = s.Left
	}
	if first := record.Stages[0]; len(record.Stages) > 1 && first.Open == first.Left {
		record.Stages = record.Stages[1:] // nothing happened before the first move
	}
	record.Ends = slices.SortedFunc(maps.Values(ends), w.order)
	return record
}

// add counts a flow that was asked for.
func (p *HeldPort) add(flow probe.HeldFlow) {
	p.Asked++
	switch {
	case flow.Err != nil && p.Failure == "":
		p.Failure = flow.Err.Error()
	case flow.Err == nil:
		p.Open++
		p.Watched += one(flow.Watched)
		p.Named += one(flow.Pod != "")
	}
}

func (s *HeldStage) count(cut bool) {
	s.Cut += one(cut)
	s.Outlived += one(!cut)
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// kind is an end without its figures.
func (e HeldEnd) kind() HeldEnd {
	e.Flows, e.After = 0, nil
	return e
}

// join adds another end of the same kind, or none.
func (e HeldEnd) join(other HeldEnd) HeldEnd {
	e.Flows += other.Flows
	if other.After != nil && (e.After == nil || *other.After < *e.After) {
		e.After = other.After
	}
	return e
}

// order sorts ends by time, then by what is worse.
func (w *witness) order(a, b HeldEnd) int {
	place := func(e HeldEnd) int {
		return slices.IndexFunc(w.periods, func(p period) bool { return p.name == e.Stage })
	}
	return cmp.Or(
		cmp.Compare(place(a), place(b)), cmp.Compare(one(b.Cut), one(a.Cut)), cmp.Compare(a.Port, b.Port),
		cmp.Compare(a.Version, b.Version), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.How, b.How),
	)
}

// during is the index of the period of a moment.
func (w *witness) during(at time.Time) int {
	for i, p := range slices.Backward(w.periods) {
		if at.After(p.began) {
			return i
		}
	}
	return 0
}

// end judges a flow that has ended.
func (w *witness) end(flow probe.HeldFlow) HeldEnd {
	end := HeldEnd{Version: flow.Version, Pod: flow.Pod, How: flow.How, Flows: 1, Cut: true}
	left, known := w.leftAt(flow)
	if !known {
		return end
	}
	after := max(flow.Ended.Sub(left), 0)
	end.After, end.Cut = &after, after < w.options.Drain
	return end
}

// leftAt is when the pod of a flow that has ended began to leave by the engine's hand;
// not known if it did not. A name that no pod has tells nothing.
func (w *witness) leftAt(flow probe.HeldFlow) (time.Time, bool) {
	if pod, known := w.pods[flow.Pod]; known && flow.Pod != "" {
		if pod.batch == nil || flow.Ended.Add(late).Before(pod.left) {
			return time.Time{}, false
		}
		// It left when the engine said so, unless it was seen to stay for longer.
		if seen := pod.left.Add(-late); seen.After(pod.batch.began) {
			return seen, true
		}
		return pod.batch.began, true
	}
	var began time.Time
	for _, b := range w.batches {
		mine := b.side == flow.Version || flow.Version != probe.Stable && flow.Version != probe.Canary
		if !mine || flow.Ended.Before(b.began) || !b.gone.IsZero() && flow.Ended.After(b.gone.Add(late)) {
			continue
		}
		// The oldest that it can have been of: pods of that one may be slow to go.
		if began.IsZero() {
			began = b.began
		}
	}
	return began, !began.IsZero()
}
