package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// lotKey is where a connection's lot lies in the context of its requests.
type lotKey struct{}

// serveHTTP serves l until serving ends, and then until its requests are answered.
func (s *Server) serveHTTP(serving context.Context, l net.Listener, handler http.Handler) error {
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return serving },
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, lotKey{}, s.meet())
		},
	}
	drained := make(chan error, 1)
	context.AfterFunc(serving, func() { drained <- srv.Shutdown(context.WithoutCancel(serving)) })
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP on %s: %w", l.Addr(), err)
	}
	return <-drained
}

// healthHandler answers /healthz and /metrics only.
func (s *Server) healthHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", s.answerHealth)
	mux.HandleFunc("/metrics", s.answerMetrics)
	return mux
}

// trafficHandler answers every path with the version, except /healthz.
func (s *Server) trafficHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", s.answerHealth)
	mux.HandleFunc("/", s.answerHTTP)
	return mux
}

func (s *Server) answerHealth(w http.ResponseWriter, _ *http.Request) {
	if !s.ready.Load() {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}

// answerHTTP names version and pod in the headers of wrong answers too, so that
// a failure can be laid at the right door.
func (s *Server) answerHTTP(w http.ResponseWriter, r *http.Request) {
	lot := r.Context().Value(lotKey{}).(lot)
	s.delay(r.Context())
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Version", lot.version)
	w.Header().Set("X-Pod", s.cfg.Pod)
	if lot.wrong {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, "error\n")
		return
	}
	_, _ = fmt.Fprintln(w, lot.version)
}
