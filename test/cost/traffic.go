package cost

import (
	"strings"

	"github.com/org/l4-canary/test/tally"
)

// Sort is what a call is good for.
type Sort string

// The sorts of calls.
const (
	Read  Sort = "read"
	Write Sort = "write"
	Trial Sort = "trial" // a dry run, or a question about rights: nothing is kept
	Watch Sort = "watch"
)

// SortOf a call.
func SortOf(c tally.Call) Sort {
	switch {
	case c.Verb == "watch":
		return Watch
	case c.Verb == "get", c.Verb == "list":
		return Read
	case c.DryRun, strings.HasPrefix(c.Resource, "selfsubject"):
		return Trial
	}
	return Write
}

// Traffic is what some calls came to.
type Traffic struct {
	Calls          map[Sort]int
	Sent, Received int // bytes
}

// TrafficIn is that of one part: the calls that began in it, and what arrived in it,
// also of watches that began before.
func TrafficIn(part Part, calls []tally.Call) Traffic {
	t := Traffic{Calls: map[Sort]int{}}
	for _, call := range calls {
		if part.has(call.Began) {
			t.Calls[SortOf(call)]++
			t.Sent += call.Sent
		}
		for _, chunk := range call.Received {
			if part.has(chunk.At) {
				t.Received += chunk.Bytes
			}
		}
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
