package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// serveUDP answers datagrams on conn until serving ends, and then waits for the
// answers under way.
func (s *Server) serveUDP(serving context.Context, conn net.PacketConn) error {
	defer func() { _ = conn.Close() }()
	context.AfterFunc(serving, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	var answers sync.WaitGroup
	defer answers.Wait()
	buf := make([]byte, 1<<16)
	for {
		_, peer, err := conn.ReadFrom(buf)
		if serving.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading from UDP %s: %w", conn.LocalAddr(), err)
		}
		answers.Go(func() { s.answerUDP(serving, conn, peer) })
	}
}

// answerUDP sends version and pod, or nothing where the answer is to be wrong.
func (s *Server) answerUDP(serving context.Context, conn net.PacketConn, peer net.Addr) {
	lot := s.meet()
	if lot.wrong {
		return
	}
	s.delay(serving)
	if _, err := conn.WriteTo(fmt.Appendf(nil, "%s %s\n", lot.version, s.cfg.Pod), peer); err != nil {
		s.log.Warn("answering a datagram failed", "peer", peer, "error", err)
	}
}
