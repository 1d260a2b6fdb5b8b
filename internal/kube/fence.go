package kube

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
)

// ErrFenced says that a write was not sent because the Lease may be somebody
// else's by now.
var ErrFenced = errors.New("not written: the Lease is lost or has not been renewed for too long")

// fence stands before every request of a client. Once it is armed, no write
// passes unless the Lease is held at that moment: a process that was stopped and
// wakes up later must not write anything, and cannot know how long it slept before
// it looks at the clock.
type fence struct {
	next http.RoundTripper
	held *atomic.Pointer[Lease]
}

// RoundTrip implements http.RoundTripper.
func (f fence) RoundTrip(request *http.Request) (*http.Response, error) {
	if lease := f.held.Load(); lease != nil && writes(request) && !lease.valid() {
		if request.Body != nil {
			if err := request.Body.Close(); err != nil {
				return nil, err
			}
		}
		return nil, ErrFenced
	}
	return f.next.RoundTrip(request)
}

// writes reports whether a request changes anything but Leases, which carry the
// resourceVersion they were read at.
func writes(request *http.Request) bool {
	switch request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	path := request.URL.Path
	return request.URL.Query().Get("dryRun") == "" &&
		!strings.HasPrefix(path, "/apis/coordination.k8s.io/") && !strings.HasPrefix(path, "/apis/authorization.k8s.io/")
}
