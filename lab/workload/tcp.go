package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// serveTCP accepts on l until serving ends, and then waits for the answers
// under way.
func (s *Server) serveTCP(serving context.Context, l net.Listener) error {
	context.AfterFunc(serving, func() { l.Close() })
	var conversations sync.WaitGroup
	defer conversations.Wait()
	for {
		conn, err := l.Accept()
		if serving.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("accepting on TCP %s: %w", l.Addr(), err)
		}
		conversations.Go(func() { s.converse(serving, conn) })
	}
}

// converse greets and echoes lines until the client leaves, sends a line over
// 64 KiB, or serving ends.
func (s *Server) converse(serving context.Context, conn net.Conn) {
	defer conn.Close()
	s.sessions.Add(1)
	defer s.sessions.Add(-1)
	lot := s.meet()
	s.delay(serving)
	if lot.wrong {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // closing then resets the connection
			s.resets.Add(1)
		}
		return
	}
	// A read that waits for the next line ends with serving; an answer does not.
	unhook := context.AfterFunc(serving, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer unhook()
	if _, err := fmt.Fprintf(conn, "%s %s\n", lot.version, s.cfg.Pod); err != nil {
		return
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		s.delay(serving)
		if _, err := fmt.Fprintf(conn, "%s %s\n", lot.version, lines.Text()); err != nil {
			return
		}
	}
}
