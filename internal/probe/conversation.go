package probe

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"time"
)

// socket is what an exchange talks over: on Linux a file in Go's poller, which
// costs a third of a net.Conn; elsewhere a net.Conn.
type socket interface {
	io.ReadWriteCloser
	SetDeadline(t time.Time) error
	SetReadDeadline(t time.Time) error
}

// conversation is one flow's socket and what was heard on it. A worker uses the
// same one, with its buffers, for flow after flow.
type conversation struct {
	protocol Protocol
	target   netip.AddrPort
	begin    time.Time
	deadline time.Time // of the whole flow
	dialer   dialer

	buffer   []byte    // of MaxAnswer bytes
	received int       // bytes of it that were heard
	answer   []byte    // what is to be classified, if not that
	heard    time.Time // of the first byte
	resent   int
	reader   *bufio.Reader // of exchanges that parse

	mu     sync.Mutex
	socket socket
	ended  bool // cut off for good: no socket may be opened any more
}

var (
	errFull = errors.New("the answer is longer than is read")
	errCut  = errors.New("the sampling has ended")
)

// reset prepares for the next flow.
func (c *conversation) reset(p Port, address netip.Addr, begin time.Time, timeout time.Duration) {
	c.protocol = p.Protocol
	c.target = netip.AddrPortFrom(address, p.Number)
	c.begin, c.deadline = begin, begin.Add(timeout)
	c.received, c.answer, c.heard, c.resent = 0, nil, time.Time{}, 0
}

// portTries is how many source ports a flow tries before it gives up.
const portTries = 64

// connect opens a socket with the sweep's next source port that can be used, and
// says which. The target's own number is left out: over loopback such a socket would
// connect to itself.
func (c *conversation) connect(ctx context.Context, ports *Cursor) (uint16, error) {
	for range portTries {
		source := ports.take()
		if source == c.target.Port() {
			continue
		}
		if err := c.open(source); !errors.Is(err, errTaken) || ctx.Err() != nil {
			return source, err
		}
	}
	return 0, localError("finding a free source port", errTaken)
}

// keep takes the socket into the conversation, where cut can close it.
func (c *conversation) keep(s socket) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		_ = s.Close() // nothing was said on it
		return errCut
	}
	c.socket = s
	return nil
}

// close ends a flow. Everything heard has been read unless the answer was too
// long: then the rest is read as well, up to a limit, because closing with
// unread data resets the connection instead of finishing it.
func (c *conversation) close() {
	c.mu.Lock()
	s := c.socket
	c.socket = nil
	c.mu.Unlock()
	if s == nil {
		return
	}
	if c.protocol == TCP && c.received == len(c.buffer) {
		const rest, patience = 1 << 20, 100 * time.Millisecond
		// Only a matter of manners: the sample has been taken.
		_ = s.SetReadDeadline(time.Now().Add(patience))
		_, _ = io.Copy(io.Discard, io.LimitReader(s, rest))
	}
	_ = s.Close() // the sample has been taken
}

// cut closes the socket whatever goes on, and every later one.
func (c *conversation) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.socket != nil {
		_ = c.socket.Close() // whoever talks on it gets the error
	}
}

// send writes all of b.
func (c *conversation) send(b []byte) error {
	_, err := c.socket.Write(b)
	return err
}

// receive appends what one read gives to the buffer. It waits until the given
// moment or the flow's deadline, whichever is first.
func (c *conversation) receive(until time.Time) error {
	if c.received == len(c.buffer) {
		return errFull
	}
	if until.After(c.deadline) {
		until = c.deadline
	}
	if err := c.socket.SetReadDeadline(until); err != nil {
		return err
	}
	n, err := c.socket.Read(c.buffer[c.received:])
	c.record(n)
	if n > 0 {
		return nil // an error comes again with the next read
	}
	return err
}

// record notes that n more bytes of the buffer were heard, or an empty datagram.
func (c *conversation) record(n int) {
	if c.heard.IsZero() && n > 0 {
		c.heard = time.Now()
	}
	c.received += n
}

// Read lets a parser read, and keeps a copy in the buffer while it lasts. The
// flow's deadline applies.
func (c *conversation) Read(p []byte) (int, error) {
	n, err := c.socket.Read(p)
	copied := copy(c.buffer[c.received:], p[:n])
	c.record(copied)
	return n, err
}
