package probe

// reorder gives flows back in the order of their indexes. Its zero value waits
// for index 0.
type reorder struct {
	ring []Flow // by index modulo its length, a power of two; no Class: not there
	next int
}

// put takes a flow that has finished. No index may come twice.
func (r *reorder) put(f Flow) {
	for f.Index-r.next >= len(r.ring) {
		r.grow()
	}
	r.ring[f.Index&(len(r.ring)-1)] = f
}

// pop is the next flow in order, if it has finished.
func (r *reorder) pop() (Flow, bool) {
	if len(r.ring) == 0 {
		return Flow{}, false
	}
	place := &r.ring[r.next&(len(r.ring)-1)]
	if place.Class == "" {
		return Flow{}, false
	}
	flow := *place
	*place = Flow{}
	r.next++
	return flow, true
}

func (r *reorder) grow() {
	old := r.ring
	r.ring = make([]Flow, max(64, 2*len(old)))
	for _, f := range old {
		if f.Class != "" {
			r.ring[f.Index&(len(r.ring)-1)] = f
		}
	}
}
