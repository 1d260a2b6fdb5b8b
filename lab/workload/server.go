package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// ErrCrash is what a server returns that was told to crash.
var ErrCrash = errors.New("crashing as told")

// Server is a workload whose sockets are open.
type Server struct {
	cfg   Config
	log   *slog.Logger
	lots  *lottery
	ready atomic.Bool
	flows atomic.Int64 // met so far, health probes included

	sessions atomic.Int64 // TCP conversations that are open
	resets   atomic.Int64 // and those that were reset

	health net.Listener // nil where there is none
	http   net.Listener // nil where there is none
	tcp    []net.Listener
	udp    []net.PacketConn
}

// Run listens and serves until ctx ends; then it drains and returns nil. It
// returns ErrCrash when the time to crash has come, or why a socket failed.
func Run(ctx context.Context, cfg Config, log *slog.Logger) error {
	s, err := Listen(ctx, cfg, log)
	if err != nil {
		return err
	}
	return s.Serve(ctx)
}

// Listen opens every socket that cfg names, or none and an error.
func Listen(ctx context.Context, cfg Config, log *slog.Logger) (_ *Server, err error) {
	s := &Server{cfg: cfg, log: log, lots: newLottery(cfg)}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.health, err = listenTCP(ctx, cfg.HealthAddr); err != nil {
		return nil, err
	}
	if cfg.Refuse {
		return s, nil
	}
	if s.http, err = listenTCP(ctx, cfg.HTTPAddr); err != nil {
		return nil, err
	}
	for _, addr := range cfg.TCPAddrs {
		l, err := listenTCP(ctx, addr)
		if err != nil {
			return nil, err
		}
		s.tcp = append(s.tcp, l)
	}
	for _, addr := range cfg.UDPAddrs {
		c, err := new(net.ListenConfig).ListenPacket(ctx, "udp", addr)
		if err != nil {
			return nil, fmt.Errorf("listening on UDP %s: %w", addr, err)
		}
		s.udp = append(s.udp, c)
	}
	return s, nil
}

// listenTCP opens addr, or returns nil for an empty one.
func listenTCP(ctx context.Context, addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening on TCP %s: %w", addr, err)
	}
	return l, nil
}

// close frees the sockets of a server that never served.
func (s *Server) close() {
	for _, l := range append([]net.Listener{s.health, s.http}, s.tcp...) {
		if l != nil {
			l.Close()
		}
	}
	for _, c := range s.udp {
		_ = c.Close()
	}
}

// Serve answers until ctx ends, goes on for the drain delay, finishes what is
// under way and returns nil; or ErrCrash, or the first socket's failure.
func (s *Server) Serve(ctx context.Context) error {
	// Answers outlive ctx: a terminating pod is still sent flows for a while.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()

	failed := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serveAll(serving, failed)
	}()
	s.ready.Store(!s.cfg.NeverReady)
	s.log.Info("serving", "version", s.cfg.Version, "pod", s.cfg.Pod)
	if s.cfg.AllocateMiB > 0 {
		go allocate(serving, s.cfg.AllocateMiB, s.log)
	}
	if s.cfg.CrashAfter > 0 {
		crash := time.AfterFunc(s.cfg.CrashAfter, func() { offer(failed, ErrCrash) })
		defer crash.Stop()
	}

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		s.log.Info("draining", "drain_delay", s.cfg.DrainDelay, "flows", s.flows.Load())
	}
	select {
	case err := <-failed:
		return err
	case <-time.After(s.cfg.DrainDelay):
	}
	stop()
	<-done
	return nil
}

// serveAll runs one loop per socket until serving ends.
func (s *Server) serveAll(serving context.Context, failed chan<- error) {
	var loops sync.WaitGroup
	defer loops.Wait()
	start := func(loop func() error) {
		loops.Go(func() {
			if err := loop(); err != nil {
				offer(failed, err)
			}
		})
	}
	if s.health != nil {
		start(func() error { return s.serveHTTP(serving, s.health, s.healthHandler()) })
	}
	if s.http != nil {
		start(func() error { return s.serveHTTP(serving, s.http, s.trafficHandler()) })
	}
	for _, l := range s.tcp {
		start(func() error { return s.serveTCP(serving, l) })
	}
	for _, c := range s.udp {
		start(func() error { return s.serveUDP(serving, c) })
	}
}

// offer keeps the first error and drops the rest.
func offer(failed chan<- error, err error) {
	select {
	case failed <- err:
	default:
	}
}

// meet draws the lot of a new flow.
func (s *Server) meet() lot {
	s.flows.Add(1)
	return s.lots.draw()
}

// delay waits as long as the configuration says, or until serving ends.
func (s *Server) delay(serving context.Context) {
	timer := time.NewTimer(s.cfg.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-serving.Done():
	}
}
