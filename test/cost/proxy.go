package cost

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Proxy stands before an API server and counts what passes. Watches stream through it.
// Bodies are counted as they travel, which is compressed where the client asks for that.
type Proxy struct {
	passing httputil.ReverseProxy

	mu    sync.Mutex
	calls []*Call
}

// NewProxy passes on to target, by a transport that has the credentials.
func NewProxy(target *url.URL, transport http.RoundTripper) *Proxy {
	return &Proxy{passing: httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // whatever comes, at once
		ErrorLog:      slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}}
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := newCall(r)
	p.mu.Lock()
	p.calls = append(p.calls, &c)
	p.mu.Unlock()
	if r.Body != nil {
		r.Body = &countedBody{r.Body, p, &c}
	}
	p.passing.ServeHTTP(&countedAnswer{w, p, &c}, r)
}

// Calls are all so far, in the order in which they came.
func (p *Proxy) Calls() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	var calls []Call
	for _, c := range p.calls {
		had := *c
		had.Received = slices.Clone(c.Received)
		calls = append(calls, had)
	}
	return calls
}

// countedBody is what a client sends.
type countedBody struct {
	io.ReadCloser
	proxy *Proxy
	call  *Call
}

// Read implements io.Reader.
func (b *countedBody) Read(data []byte) (int, error) {
	n, err := b.ReadCloser.Read(data)
	b.proxy.mu.Lock()
	defer b.proxy.mu.Unlock()
	b.call.Sent += n
	return n, err
}

// countedAnswer is what it gets.
type countedAnswer struct {
	http.ResponseWriter
	proxy *Proxy
	call  *Call
}

// Write implements http.ResponseWriter.
func (a *countedAnswer) Write(data []byte) (int, error) {
	a.proxy.mu.Lock()
	a.call.Received = append(a.call.Received, Chunk{time.Now(), len(data)})
	a.proxy.mu.Unlock()
	return a.ResponseWriter.Write(data)
}

// Unwrap lets the answer be flushed.
func (a *countedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
