package cost

import (
	"cmp"
	"maps"
	"slices"
)

// Traffic is what some calls came to.
type Traffic struct {
	Calls          map[Sort]int
	Sent, Received int // bytes
}

// TrafficIn is that of one part: the calls that began in it, and what arrived in it,
// also of watches that began before.
func TrafficIn(part Part, calls []Call) Traffic {
	t := Traffic{Calls: map[Sort]int{}}
	for _, call := range calls {
		if part.has(call.At) {
			t.Calls[call.Sort()]++
			t.Sent += call.Sent
		}
		t.Received += call.bytes(part)
	}
	return t
}

// Total is how many calls there were.
func (t Traffic) Total() int {
	n := 0
	for _, count := range t.Calls {
		n += count
	}
	return n
}

// kind is what calls have in common.
type kind struct{ verb, resource string }

// kinds are the calls by what they do: how many, and the bytes of both directions.
type kinds map[kind]amount

type amount struct{ calls, bytes int }

func kindsOf(calls []Call) kinds {
	all := kinds{}
	for _, call := range calls {
		key := kind{call.Verb, call.Resource}
		a := all[key]
		a.calls++
		a.bytes += call.Sent
		for _, chunk := range call.Received {
			a.bytes += chunk.Bytes
		}
		all[key] = a
	}
	return all
}

// sum is all of them.
func (k kinds) sum() amount {
	var all amount
	for a := range maps.Values(k) {
		all.calls += a.calls
		all.bytes += a.bytes
	}
	return all
}

// union are the kinds of both, by resource and verb.
func (k kinds) union(o kinds) []kind {
	both := maps.Clone(k)
	maps.Copy(both, o)
	return slices.SortedFunc(maps.Keys(both), func(a, b kind) int {
		return cmp.Or(cmp.Compare(a.resource, b.resource), cmp.Compare(a.verb, b.verb))
	})
}
