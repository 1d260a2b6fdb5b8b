package metric

import (
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/prometheus/client_golang/api"
)

// longestAnswer is how much of an answer is read: thousands of samples, where a query
// that judges has a few.
const longestAnswer = 4 << 20

// transport lets the client in, and bounds what it reads.
type transport struct {
	server Server
	host   *url.URL // whom the credentials are for
	next   http.RoundTripper
}

func newTransport(s Server) http.RoundTripper {
	host, err := url.Parse(s.address)
	if err != nil {
		host = &url.URL{} // nobody gets them
	}
	return &transport{server: s, host: host, next: api.DefaultRoundTripper}
}

// RoundTrip implements http.RoundTripper. Where a redirect leads elsewhere the
// credentials do not go along.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme == t.host.Scheme && request.URL.Host == t.host.Host {
		request = request.Clone(request.Context())
		switch {
		case t.server.token != "":
			request.Header.Set("Authorization", "Bearer "+t.server.token)
		case t.server.user+t.server.password != "":
			request.SetBasicAuth(t.server.user, t.server.password)
		}
	}
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Body = &bounded{ReadCloser: response.Body, left: longestAnswer}
	return response, nil
}

// bounded is a body that fails where it becomes too long.
type bounded struct {
	io.ReadCloser
	left int
}

var errLong = errors.New("the answer is longer than 4 MiB: let the query aggregate")

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLong
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
