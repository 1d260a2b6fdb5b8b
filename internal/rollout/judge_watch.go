package rollout

// Watch is a judge of the flows after the verdict, in a pause or in bake. The share is
// not judged any more; failures and slow answers still fail, and their counts go on
// from this judge's, as do their promises: those hold at every look, however long one
// looks. What was measured is left as it is.
func (j *Judge) Watch() *Judge {
	w := &Judge{options: j.options}
	for _, p := range j.ports {
		q := newPortJudge(j.options, p.port, p.index)
		q.gates, q.watching = p.gates, true
		w.ports = append(w.ports, q)
	}
	return w
}

// strange looks, while only the gates do, at answers that nobody knows: they are of the
// service, unlike what this machine failed or left out. Where no share is looked for,
// nobody has to know them.
func (p *portJudge) strange() {
	if p.free {
		return
	}
	if unknown, answered := p.tally.unknown, p.tally.answered(); unknown > 0 && answered >= foulFlows && p.proven(unknown, answered, foulLimit) {
		p.decide(Invalid, ReasonInvalidClassifier, p.unknownDetail())
	}
}
