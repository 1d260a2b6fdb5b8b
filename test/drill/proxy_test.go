//go:build e2e

package drill

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/org/l4-canary/test/harness"
)

// proxy does to a call whatever the drill asks for.
type proxy struct {
	*harness.Proxy
	passing   http.Handler // to the API server
	interfere interference

	mu    sync.Mutex
	namer namer
	seen  map[string]int
	dead  bool // the program is no more: nothing of it may come through

	written []point // in the order in which the API server answered
	read    []point // in the order in which they came
}

// interference may do something to a call. It reports whether it has taken care of
// the answer; forward passes the call on and returns the API server's answer.
type interference func(w http.ResponseWriter, r *http.Request, at point, c call, forward func() reply) bool

// reply is a whole answer of the API server.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// newProxy begins to listen on loopback. Nil interferes with nothing.
func newProxy(t *testing.T, l *harness.Lab, interfere interference) *proxy {
	t.Helper()
	p := &proxy{interfere: interfere, seen: map[string]int{}}
	p.Proxy = harness.NewProxy(t, l.Config, func(passing http.Handler) http.Handler {
		p.passing = passing
		return p
	})
	return p
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	c, at, dead := p.meet(r, body)
	if dead {
		panic(http.ErrAbortHandler)
	}
	if p.interfere != nil && p.interfere(w, r, at, c, func() reply { return p.forward(r, body) }) {
		return
	}
	if c.watch || !c.write {
		p.passing.ServeHTTP(w, r)
		return
	}
	p.answer(w, at, p.forward(r, body))
}

// meet names a call and counts it.
func (p *proxy) meet(r *http.Request, body []byte) (call, point, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.namer.name(r, body)
	p.seen[c.name]++
	at := point{c.name, p.seen[c.name]}
	if !c.write {
		p.read = append(p.read, at)
	}
	return c, at, p.dead
}

// bury lets nothing through any more.
func (p *proxy) bury() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

// forward passes a call on and reads the whole answer. It is not bound to the
// program's connection: what is sent is sent.
func (p *proxy) forward(r *http.Request, body []byte) reply {
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.Body = io.NopCloser(bytes.NewReader(body))
	whole := httptest.NewRecorder()
	p.passing.ServeHTTP(whole, out)
	return reply{whole.Code, whole.Header(), whole.Body.Bytes()}
}

// answer hands the API server's answer to a write on. A conflict does not count:
// the program reads again and repeats the write, and how often is chance.
func (p *proxy) answer(w http.ResponseWriter, at point, r reply) {
	p.mu.Lock()
	if r.status == http.StatusConflict {
		p.seen[at.name]--
	} else {
		p.written = append(p.written, at)
	}
	p.mu.Unlock()
	maps.Copy(w.Header(), r.header)
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body) // the program may be gone
}

// writes are the points at which something was written, in their order; of the
// Lease's renewals the first two, and of the Events the first.
func (p *proxy) writes() []point {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.written), func(at point) bool {
		return at.name == "Lease: renewed" && at.n > 2 || at.name == "create event" && at.n > 1
	})
}
