package tally

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Call is one request to an API server.
type Call struct {
	Verb     string // as RBAC has it: get, list, watch, create, update, patch, delete, deletecollection
	Resource string // with its subresource: pods, deployments/scale; or a path that is no resource's
	DryRun   bool
	Began    time.Time
	Took     time.Duration
	Sent     int // bytes of the body
	Received []Chunk
}

// Chunk is some of an answer's body, as it came, compressed or not: a watch brings it as
// things happen.
type Chunk struct {
	At    time.Time
	Bytes int
}

// Kind is what a call has in common with others, as in "patch deployments/scale" or "dry
// run of patch services".
func (c Call) Kind() string {
	if c.DryRun {
		return "dry run of " + c.Verb + " " + c.Resource
	}
	return c.Verb + " " + c.Resource
}

// Bytes are those of both bodies.
func (c Call) Bytes() int {
	n := c.Sent
	for _, chunk := range c.Received {
		n += chunk.Bytes
	}
	return n
}

// describe reads what a request asks for.
func describe(r *http.Request) Call {
	query := r.URL.Query()
	resource, name := resourceOf(r.URL.Path)
	watch := query.Get("watch")
	call := Call{Resource: resource, DryRun: query.Has("dryRun")}
	switch {
	case r.Method == http.MethodGet && watch != "" && watch != "false":
		call.Verb = "watch"
	case r.Method == http.MethodGet && resource != r.URL.Path && name == "":
		call.Verb = "list"
	case r.Method == http.MethodPost:
		call.Verb = "create"
	case r.Method == http.MethodPut:
		call.Verb = "update"
	case r.Method == http.MethodDelete && name == "":
		call.Verb = "deletecollection"
	default:
		call.Verb = strings.ToLower(r.Method)
	}
	return call
}

// resourceOf is what a path is of, with the subresource, and the object's name if it has
// one. Of a path that is no resource's it is the path.
func resourceOf(path string) (resource, name string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		parts = parts[3:]
	default:
		return path, ""
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		parts = parts[2:]
	}
	resource = parts[0]
	if len(parts) > 1 {
		name = parts[1]
	}
	if len(parts) > 2 {
		resource += "/" + strings.Join(parts[2:], "/")
	}
	return resource, name
}

// Kinds are calls by their kind.
type Kinds map[string]Amount

// Amount is how many calls there were, and the bytes of their bodies, both ways.
type Amount struct{ Calls, Bytes int }

// plus is both.
func (a Amount) plus(o Amount) Amount { return Amount{a.Calls + o.Calls, a.Bytes + o.Bytes} }

// KindsOf sums calls up.
func KindsOf(calls []Call) Kinds {
	all := Kinds{}
	for _, call := range calls {
		all[call.Kind()] = all[call.Kind()].plus(Amount{1, call.Bytes()})
	}
	return all
}

// Sum is all of them.
func (k Kinds) Sum() (all Amount) {
	for a := range maps.Values(k) {
		all = all.plus(a)
	}
	return all
}

// Names are those of all kinds that are in any of some, by resource.
func Names(some ...Kinds) []string {
	all := Kinds{}
	for _, kinds := range some {
		maps.Copy(all, kinds)
	}
	resource := func(kind string) string { return kind[strings.LastIndex(kind, " ")+1:] }
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(cmp.Compare(resource(a), resource(b)), cmp.Compare(a, b))
	})
}
