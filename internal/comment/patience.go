package comment

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	mostTries   = 3                // of one request, with those that wait for a limit
	longestWait = 30 * time.Second // for a limit to be lifted
	breath      = time.Second      // before a server that fell over is asked again
)

// newTransport is the usual one, with connections of its own, so that nothing else waits
// for them.
func newTransport() http.RoundTripper {
	if usual, ok := http.DefaultTransport.(*http.Transport); ok {
		return usual.Clone()
	}
	return http.DefaultTransport
}

// patient asks again where a platform says when, and once where it falls over. It waits
// for no longer than the caller does.
type patient struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (p patient) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	for try := 1; ; try++ {
		response, err := p.next.RoundTrip(request)
		if err != nil || try == mostTries {
			return response, err
		}
		wait, again := pause(request, response, try, time.Now())
		if deadline, bounded := ctx.Deadline(); !again || bounded && time.Until(deadline) < wait {
			return response, nil
		}
		next := request.Clone(ctx)
		if request.GetBody != nil {
			if next.Body, err = request.GetBody(); err != nil {
				return response, nil //nolint:nilerr // the answer that is there says more
			}
		}
		_, _ = io.CopyN(io.Discard, response.Body, 1<<16) // what is left makes the connection useless, and no more
		response.Body.Close()
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		request = next
	}
}

// pause is how long to wait before a request is made again, if it is.
func pause(request *http.Request, response *http.Response, try int, now time.Time) (wait time.Duration, again bool) {
	switch response.StatusCode {
	case http.StatusForbidden, http.StatusTooManyRequests:
		wait, said := lifted(response.Header, now)
		return wait, said && wait <= longestWait
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		// What was to be created may have been.
		return breath, try == 1 && request.Method != http.MethodPost
	}
	return 0, false
}

// lifted is when a limit will be, as the answer says: Retry-After, or the moment when
// the count of requests begins anew.
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
// https://docs.gitlab.com/security/rate_limits/
func lifted(header http.Header, now time.Time) (time.Duration, bool) {
	if after := header.Get("Retry-After"); after != "" {
		if seconds, err := strconv.Atoi(after); err == nil && seconds >= 0 {
			return time.Duration(min(seconds, 1<<20)) * time.Second, true
		}
		if at, err := http.ParseTime(after); err == nil {
			return max(0, at.Sub(now)), true
		}
	}
	for _, prefix := range []string{"X-Ratelimit-", "Ratelimit-"} {
		if header.Get(prefix+"Remaining") != "0" {
			continue
		}
		if at, err := strconv.ParseInt(header.Get(prefix+"Reset"), 10, 64); err == nil {
			return max(0, time.Unix(at, 0).Sub(now)), true
		}
	}
	return 0, false
}
