package kube

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// answersIn is how long the API server may take for a whole answer. It ends its own
// work on a request after 60 s, but what stands before it may never say so, and a
// rollout must not wait longer than its Lease lives.
const answersIn = 30 * time.Second

// patience bounds every request but watches and logs that are followed, which last for
// as long as they like.
// client-go's own time-out would end those as well.
type patience struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (p patience) RoundTrip(request *http.Request) (*http.Response, error) {
	if query := request.URL.Query(); query.Has("watch") || query.Has("follow") {
		return p.next.RoundTrip(request)
	}
	ctx, cancel := context.WithTimeoutCause(request.Context(), answersIn,
		fmt.Errorf("the API server did not answer within %s: %w", answersIn, context.DeadlineExceeded))
	response, err := p.next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		err = overdue(ctx, request, err)
		cancel()
		return nil, err
	}
	response.Body = cancelling{response.Body, cancel, func(err error) error { return overdue(ctx, request, err) }}
	return response, nil
}

// overdue is an error of a request, in the words of the time-out if that has ended it.
func overdue(ctx context.Context, request *http.Request, err error) error {
	if ctx.Err() != nil && request.Context().Err() == nil {
		return context.Cause(ctx)
	}
	return err
}

// cancelling ends the time-out of an answer that has been read.
type cancelling struct {
	io.ReadCloser
	cancel  context.CancelFunc
	overdue func(error) error
}

// Read implements io.Reader.
func (c cancelling) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // a reader's end is io.EOF itself
		err = c.overdue(err)
	}
	return n, err
}

// Close implements io.Closer.
func (c cancelling) Close() error {
	defer c.cancel()
	return c.ReadCloser.Close()
}
