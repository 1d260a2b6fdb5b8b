package rollout

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/stats"
)

// Sample feeds flows to the judge until it has decided, the flows end or ctx is
// done, and has it conclude from what it saw. The error is that of ctx; then the
// judge has not concluded.
func Sample(ctx context.Context, flows iter.Seq[probe.Flow], judge *Judge) error {
	for flow := range flows {
		if judge.Add(flow) {
			return nil
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	judge.Expire()
	return nil
}

// tally counts the flows of one port in one window.
type tally struct {
	stable, canary, unknown int
	both                    int    // of unknown: both patterns match
	sequence                []bool // answers of known version, in order: whether the canary's
	errors                  map[probe.Class]int
	failures                map[probe.Version]map[probe.Class]int // by who failed; None: nobody knows
	notSent                 int
	places                  map[netip.Addr]*place
	mixed                   bool // a place was heard with both versions
	pods                    map[pod]int
	times                   map[probe.Version]*times // of stable and canary
}

// place is what an address of the balancer showed.
type place struct {
	count   AddressCount
	heard   sides // in answers and in failures that tell who failed
	answers sides // in answers alone
}

// times are how long the answers of a version took, in order.
type times struct {
	service  []time.Duration // from the start to the first byte
	response []time.Duration // from the scheduled start to the end
}

// sides is how often each version was heard.
type sides struct{ stable, canary int }

type pod struct {
	name    string
	version probe.Version
}

// Pod names are cut out of foreign answers: a pattern that catches a time-stamp
// must not fill the memory.
const (
	maxPods    = 1000
	maxPodName = 253 // of a name in Kubernetes
)

func newTally() *tally {
	return &tally{
		errors:   map[probe.Class]int{},
		failures: map[probe.Version]map[probe.Class]int{},
		places:   map[netip.Addr]*place{},
		pods:     map[pod]int{},
		times:    map[probe.Version]*times{probe.Stable: {}, probe.Canary: {}},
	}
}

// add counts a flow.
func (t *tally) add(f probe.Flow) {
	t.notSent += f.Skipped
	if f.Class == probe.Local {
		t.errors[probe.Local]++
		return
	}
	at := t.places[f.Address]
	if at == nil {
		at = &place{count: AddressCount{Address: f.Address.String()}}
		t.places[f.Address] = at
	}
	at.heard.add(f.Version)
	t.mixed = t.mixed || at.heard.stable > 0 && at.heard.canary > 0
	if f.Failed() {
		t.fail(f)
		at.count.Failed++
		return
	}
	switch f.Version {
	case probe.Stable:
		t.stable++
		at.count.Stable++
	case probe.Canary:
		t.canary++
		at.count.Canary++
	case probe.Unknown, probe.None:
		t.unknown++
		t.both += one(f.Both)
		at.count.Unknown++
		return
	}
	at.answers.add(f.Version)
	t.sequence = append(t.sequence, f.Version == probe.Canary)
	t.times[f.Version].add(f)
	t.addPod(f)
}

func (t *times) add(f probe.Flow) {
	t.service = append(t.service, f.FirstByte)
	t.response = append(t.response, f.Start-f.Scheduled+f.Total)
}

// fail counts a flow that the service failed.
func (t *tally) fail(f probe.Flow) {
	t.errors[f.Class]++
	version := f.Version
	if version == probe.Unknown {
		version = probe.None
	}
	if t.failures[version] == nil {
		t.failures[version] = map[probe.Class]int{}
	}
	t.failures[version][f.Class]++
}

func (s *sides) add(v probe.Version) {
	switch v {
	case probe.Stable:
		s.stable++
	case probe.Canary:
		s.canary++
	case probe.Unknown, probe.None:
	}
}

func (t *tally) addPod(f probe.Flow) {
	key := pod{f.Pod, f.Version}
	if _, known := t.pods[key]; f.Pod == "" || len(f.Pod) > maxPodName || !known && len(t.pods) == maxPods {
		return
	}
	t.pods[key]++
}

// attributed is how many answers have a version.
func (t *tally) attributed() int { return t.stable + t.canary }

// answered is how many flows got an answer.
func (t *tally) answered() int { return t.stable + t.canary + t.unknown }

// samples are the flows that tell something of the service.
func (t *tally) samples() int { return t.answered() + t.failed() }

// failed is how many of them the service failed.
func (t *tally) failed() int {
	if len(t.errors) == 0 { // as after nearly every flow of a healthy service
		return 0
	}
	n := -t.errors[probe.Local]
	for _, count := range t.errors {
		n += count
	}
	return n
}

// measurement is the tally in the form of the record; what depends on an
// expectation is left to the judge.
func (t *tally) measurement(port probe.Port) Measurement {
	m := Measurement{
		Port: port.String(), Samples: t.samples(),
		Stable: t.stable, Canary: t.canary, Unknown: t.unknown, NotSent: t.notSent,
		Errors:  map[probe.Class]int{},
		Wilson:  stats.Wilson(t.canary, t.attributed(), 0.95),
		Latency: map[probe.Version]Latency{},
	}
	for _, class := range []probe.Class{probe.Refused, probe.Reset, probe.Timeout, probe.Faulty, probe.Local} {
		m.Errors[class] = t.errors[class]
	}
	if n := t.attributed(); n > 0 {
		observed := Percent(100 * float64(t.canary) / float64(n))
		m.Observed = &observed
	}
	for version, took := range t.times {
		if len(took.service) > 0 {
			m.Latency[version] = latency(took.service)
		}
	}
	for _, address := range slices.SortedFunc(maps.Keys(t.places), netip.Addr.Compare) {
		m.Addresses = append(m.Addresses, t.places[address].count)
	}
	for p, flows := range t.pods {
		m.Pods = append(m.Pods, PodCount{Pod: p.name, Version: p.version, Flows: flows})
	}
	slices.SortFunc(m.Pods, func(a, b PodCount) int {
		return cmp.Or(cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Version, b.Version))
	})
	return m
}

// latency are the quantiles by nearest rank: values that were really observed.
func latency(times []time.Duration) Latency {
	sorted := slices.Sorted(slices.Values(times))
	at := func(q float64) time.Duration {
		return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
	}
	return Latency{P50: at(0.50), P95: at(0.95), P99: at(0.99)}
}
