// Package tally counts what a program asks an API server for.
package tally

import (
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Tally writes down every call that passes. The zero value has seen none.
type Tally struct {
	mu    sync.Mutex
	calls []Call
	open  sync.WaitGroup
}

// Calls are those that have ended, in the order in which they began. It waits for the
// others: the program has to have ended.
func (t *Tally) Calls() []Call {
	t.open.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(t.calls), func(a, b Call) int { return a.Began.Compare(b.Began) })
}

// Count stands before what passes calls on, and writes each down once it is over.
func (t *Tally) Count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.open.Add(1)
		defer t.open.Done()
		call := describe(r)
		call.Began = time.Now()
		body := &countedBody{ReadCloser: r.Body}
		r.Body = body
		defer func() { // also of a watch whose client has gone, which ends with a panic
			call.Took, call.Sent = time.Since(call.Began), int(body.n.Load())
			t.mu.Lock()
			defer t.mu.Unlock()
			t.calls = append(t.calls, call)
		}()
		next.ServeHTTP(&countedAnswer{w, &call}, r)
	})
}

// countedBody is what a client sends. It may still be read when the answer is there.
type countedBody struct {
	io.ReadCloser
	n atomic.Int64
}

// Read implements io.Reader.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

// countedAnswer is what it gets.
type countedAnswer struct {
	http.ResponseWriter
	call *Call
}

// Write implements http.ResponseWriter.
func (a *countedAnswer) Write(p []byte) (int, error) {
	began := time.Now() // before a client can have it
	n, err := a.ResponseWriter.Write(p)
	a.call.Received = append(a.call.Received, Chunk{began, n})
	return n, err
}

// Unwrap lets a reverse proxy flush.
func (a *countedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
