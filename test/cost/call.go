package cost

import (
	"net/http"
	"strings"
	"time"
)

// Call is one request to the API server.
type Call struct {
	At       time.Time
	Verb     string // get, list, watch, apply, …
	Resource string // with its subresource, as in "deployments/scale"
	Sent     int    // bytes of the body
	Received []Chunk
}

// Chunk is some of an answer's body: a watch brings it as things happen.
type Chunk struct {
	At    time.Time
	Bytes int
}

// Sort is what a call is good for.
type Sort string

// The sorts of calls.
const (
	Read  Sort = "read"
	Write Sort = "write"
	Trial Sort = "trial" // a dry run, or a question about rights: nothing is kept
	Watch Sort = "watch"
)

// Sort of the call.
func (c Call) Sort() Sort {
	switch {
	case c.Verb == "watch":
		return Watch
	case c.Verb == "get", c.Verb == "list", c.Verb == "discover":
		return Read
	case c.Verb == "ask", strings.HasPrefix(c.Verb, "try to "):
		return Trial
	}
	return Write
}

// bytes are those of the body that arrived in a part.
func (c Call) bytes(part Part) int {
	n := 0
	for _, chunk := range c.Received {
		if part.has(chunk.At) {
			n += chunk.Bytes
		}
	}
	return n
}

// newCall names a request. Names of objects and of namespaces are left out.
func newCall(r *http.Request) Call {
	c := Call{At: time.Now()}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		parts = parts[3:]
	default:
		c.Verb, c.Resource = "discover", "the API"
		return c
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		parts = parts[2:]
	}
	c.Resource = parts[0]
	if len(parts) > 2 {
		c.Resource += "/" + strings.Join(parts[2:], "/")
	}
	c.Verb = verb(r, len(parts) > 1)
	if r.URL.Query().Has("dryRun") {
		c.Verb = "try to " + c.Verb
	}
	return c
}

// verb is what a request does, to one object or to many.
func verb(r *http.Request, one bool) string {
	switch r.Method {
	case http.MethodGet:
		switch {
		case r.URL.Query().Has("watch") && r.URL.Query().Get("watch") != "false":
			return "watch"
		case one:
			return "get"
		}
		return "list"
	case http.MethodPost:
		if strings.Contains(r.URL.Path, "/selfsubject") {
			return "ask"
		}
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch:
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/apply-patch") {
			return "apply"
		}
		return "patch"
	}
	return strings.ToLower(r.Method)
}
