package kube

import (
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// A request that failed for no reason of its own is repeated after each of these, unless
// the first one was begun repeatFor ago: one that nobody answers has cost answersIn by then.
var repeatAfter = []time.Duration{250 * time.Millisecond, time.Second, 3 * time.Second}

const repeatFor = answersIn + 15*time.Second

// insistence repeats requests that the API server, or what stands before it, failed. A
// release that is in order is not to be rolled back for a moment in which a server
// changed its leader, or a balancer its backend. What a request finds that was carried
// out before, though nobody heard of it, is for its caller to see: a conflict, or an
// object that is gone.
//
// Answers with Retry-After are left to client-go, which does as they say.
type insistence struct {
	next  http.RoundTripper
	reach *reach
	say   func(message string, args ...any)
}

// reach is what is known of the way to the API server.
type reach struct {
	answered atomic.Bool // one that has never answered may be none: the address is wrong, or a proxy lacks
	lost     atomic.Bool // it has failed a request since
}

// RoundTrip implements http.RoundTripper.
func (i insistence) RoundTrip(request *http.Request) (*http.Response, error) {
	began := time.Now()
	response, err := i.next.RoundTrip(request)
	for _, after := range repeatAfter {
		if !failed(response, err) || !i.reach.answered.Load() || !repeatable(request) || time.Since(began) >= repeatFor || !pause(request.Context(), after) {
			break
		}
		i.lost(request, response, err)
		again, bodyErr := copyOf(request)
		if bodyErr != nil {
			break
		}
		if err == nil {
			_ = response.Body.Close() // it is not read
		}
		response, err = i.next.RoundTrip(again)
	}
	if !failed(response, err) {
		i.answered()
	}
	return response, err
}

// lost says, once, that a request failed.
func (i insistence) lost(request *http.Request, response *http.Response, err error) {
	if i.reach.lost.Swap(true) {
		return
	}
	why := []any{"error", err}
	if err == nil {
		why = []any{"status", response.Status}
	}
	i.say("the API server failed a request, which is sent again", append([]any{"request", request.Method + " " + request.URL.Path}, why...)...)
}

// answered takes note of an answer.
func (i insistence) answered() {
	i.reach.answered.Store(true)
	if i.reach.lost.Swap(false) {
		i.say("the API server answers again")
	}
}

// failed reports whether a request failed in a way that says nothing of the request.
func failed(response *http.Response, err error) bool {
	if err != nil {
		return !errors.Is(err, ErrFenced)
	}
	bad := []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}
	return slices.Contains(bad, response.StatusCode) && response.Header.Get("Retry-After") == ""
}

// repeatable reports whether a request may be sent twice. What creates an object would
// find its own and take it for another's; watches begin anew by themselves.
func repeatable(request *http.Request) bool {
	switch {
	case request.Header.Get("Upgrade") != "", request.URL.Query().Has("watch"):
		return false
	case request.Method == http.MethodPost && writes(request):
		return false
	}
	return request.Body == nil || request.Body == http.NoBody || request.GetBody != nil
}

// copyOf is the same request with a body that has not been read.
func copyOf(request *http.Request) (*http.Request, error) {
	again := request.Clone(request.Context())
	if request.GetBody == nil {
		return again, nil
	}
	var err error
	again.Body, err = request.GetBody()
	return again, err
}
