package probe

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"time"
)

// socket is what an exchange talks over: on Linux a file in Go's poller, which
// costs a third of a net.Conn, or one that a lone worker waits for itself; elsewhere
// a net.Conn.
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
	limits   Timeouts
	deadline time.Time // of the whole flow
	due      time.Time // of the phase it is in, never after the deadline
	dialer   dialer
	alone    bool // no other worker's flows are under way: how it waits is chosen for that

	buffer   []byte    // of MaxAnswer bytes
	received int       // bytes of it that were heard
	room     int       // bytes that a parser may still read
	broken   error     // why a parser could not, the last time: it may not tell
	answer   []byte    // what is to be classified, if not that
	heard    time.Time // of the first byte
	resent   int
	reader   *bufio.Reader // of exchanges that parse
	said     []byte        // room for what they say
	text     bytes.Buffer  // and for what they heard
	over     io.ReadWriter // TLS, if there is any: what is talked over; nil: the socket itself
	name     string        // of the server, as TLS was told
	captured [][]int       // by step: where in the buffer its expression and its groups matched
	lingers  bool          // the last word is said: hear the other side out before closing

	mu     sync.Mutex
	socket socket
	ended  bool // cut off for good: no socket may be opened any more
}

// mostParsed is how much a parser reads of one answer, of which it shows no more than
// MaxAnswer: what frames, compresses or goes before that is not as long.
const mostParsed = 16 * MaxAnswer

var (
	errFull = errors.New("the answer is longer than is read")
	errCut  = errors.New("the sampling has ended")
)

// reset prepares for the next flow.
func (c *conversation) reset(p Port, address netip.Addr, begin time.Time, timeout time.Duration) {
	c.protocol, c.limits = p.Protocol, p.Timeouts
	c.target = netip.AddrPortFrom(address, p.Number)
	c.begin, c.deadline = begin, begin.Add(p.Timeouts.total(timeout))
	c.due = c.limit(begin, c.limits.Connect)
	c.received, c.answer, c.heard, c.resent = 0, nil, time.Time{}, 0
	c.over, c.name, c.lingers, c.room = nil, "", false, mostParsed
}

// limit is when a phase that begins then has to be over, if it may last so long; 0 is
// as long as the flow.
func (c *conversation) limit(begin time.Time, d time.Duration) time.Time {
	if until := begin.Add(d); d > 0 && until.Before(c.deadline) {
		return until
	}
	return c.deadline
}

// phase begins a phase that may last so long.
func (c *conversation) phase(d time.Duration) error {
	due := c.deadline
	if d > 0 {
		due = c.limit(time.Now(), d)
	}
	if due.Equal(c.due) {
		return nil
	}
	c.due = due
	return c.socket.SetDeadline(due)
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
// long, or more may come after a last word: then the rest is read as well, up to a
// limit, because closing with unread data resets the connection instead of
// finishing it. A reset on purpose leaves no source port behind in TIME_WAIT, so it
// must not be preceded by a FIN of ours.
func (c *conversation) close(resets bool) {
	s := c.take()
	if s == nil {
		return
	}
	if c.protocol == TCP && (c.lingers || c.received == len(c.buffer)) {
		const rest, patience = 1 << 20, 500 * time.Millisecond
		// Only a matter of manners: the sample has been taken.
		_ = s.SetDeadline(time.Now().Add(patience))
		if c.lingers && !resets {
			_ = finish(s)
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(s, rest))
	}
	if resets && c.protocol == TCP {
		_ = abort(s) // else it is finished, which is as good for the sample
	}
	_ = s.Close() // the sample has been taken
}

// take takes the socket away from the conversation.
func (c *conversation) take() socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.socket
	c.socket = nil
	return s
}

// farewell is an exchange that has a last word, which is no part of the sample.
type farewell interface{ part(c *conversation) }

// part says the last word of an exchange that was answered, if it has any.
func (c *conversation) part(e Exchange) {
	const patience = 500 * time.Millisecond
	polite, ok := e.(farewell)
	if !ok {
		return
	}
	c.deadline = time.Now().Add(patience)
	c.due = c.deadline
	if c.socket.SetDeadline(c.deadline) == nil {
		polite.part(c)
	}
}

// cut ends the socket whatever goes on, and every later one.
func (c *conversation) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.socket != nil {
		interrupt(c.socket)
	}
}

// whenDone calls f once ctx is done. What it returns has to be called once: from then on f
// is not called any more, and has returned if it was.
func whenDone(ctx context.Context, f func()) (end func()) {
	returned := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(returned)
		f()
	})
	return func() {
		if !stop() {
			<-returned
		}
	}
}

// send writes all of b.
func (c *conversation) send(b []byte) error {
	_, err := c.stream().Write(b)
	return err
}

// stream is what is talked over.
func (c *conversation) stream() io.ReadWriter {
	if c.over != nil {
		return c.over
	}
	return c.socket
}

// receive appends what one read gives to the buffer. It waits until the given
// moment or the end of the phase, whichever is first.
func (c *conversation) receive(until time.Time) error {
	if c.received == len(c.buffer) {
		return errFull
	}
	if until.After(c.due) {
		until = c.due
	}
	if err := c.socket.SetReadDeadline(until); err != nil {
		return err
	}
	n, err := c.stream().Read(c.buffer[c.received:])
	c.record(n)
	if n > 0 {
		return nil // an error comes again with the next read
	}
	return err
}

// record notes that n more bytes of the buffer were heard. With the first of them the
// wait for it is over, and the flow's own deadline is what remains.
func (c *conversation) record(n int) {
	if c.heard.IsZero() && n > 0 {
		c.heard = time.Now()
		_ = c.phase(0) // a socket that takes no deadline is closed, and the next read says so
	}
	c.received += n
}

// Read lets a parser read, and keeps a copy in the buffer while it lasts. The
// flow's deadline applies, and mostParsed.
func (c *conversation) Read(p []byte) (int, error) {
	if c.room <= 0 {
		c.broken = errFull
		return 0, errFull
	}
	n, err := c.stream().Read(p[:min(len(p), c.room)])
	c.room, c.broken = c.room-n, err
	copied := copy(c.buffer[c.received:], p[:n])
	c.record(copied)
	return n, err
}
