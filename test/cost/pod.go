package cost

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// Pod is when something was first seen of a pod; zero if it never was.
type Pod struct {
	Created time.Time
	Ready   time.Time
	Parked  time.Time // taken out of the Service
	Leaving time.Time // told to end
	Gone    time.Time
}

// Glance is what a watch says of a pod at one moment.
type Glance struct {
	UID                          string
	Ready, Parked, Leaving, Gone bool
}

// Sight is what was seen of the pods of a namespace. The zero value has seen nothing.
type Sight struct {
	mu   sync.Mutex
	pods map[string]*Pod
}

// See takes note of a pod. What has been seen before stays as it was.
func (s *Sight) See(at time.Time, g Glance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pods == nil {
		s.pods = map[string]*Pod{}
	}
	pod := s.pods[g.UID]
	if pod == nil {
		pod = &Pod{Created: at}
		s.pods[g.UID] = pod
	}
	for _, fact := range []struct {
		seen bool
		at   *time.Time
	}{{g.Ready, &pod.Ready}, {g.Parked, &pod.Parked}, {g.Leaving, &pod.Leaving}, {g.Gone, &pod.Gone}} {
		if fact.seen && fact.at.IsZero() {
			*fact.at = at
		}
	}
}

// Pods are all that were seen, the oldest first.
func (s *Sight) Pods() []Pod {
	s.mu.Lock()
	defer s.mu.Unlock()
	var pods []Pod
	for pod := range maps.Values(s.pods) {
		pods = append(pods, *pod)
	}
	slices.SortFunc(pods, func(a, b Pod) int { return a.Created.Compare(b.Created) })
	return pods
}

// span is what one pod went through.
type span struct{ from, to time.Time }

// batches are groups of spans: those of a group overlap, so they went on at one time;
// one group ended before the next began.
func batches(spans []span) [][]span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(a.from.Compare(b.from), a.to.Compare(b.to)) })
	var all [][]span
	var end time.Time
	for _, s := range spans {
		if len(all) == 0 || !s.from.Before(end) {
			all = append(all, nil)
		}
		last := len(all) - 1
		all[last] = append(all[last], s)
		if s.to.After(end) {
			end = s.to
		}
	}
	return all
}

// slowest is the longest of some spans.
func slowest(spans []span) time.Duration {
	var most time.Duration
	for _, s := range spans {
		most = max(most, s.to.Sub(s.from))
	}
	return most
}
