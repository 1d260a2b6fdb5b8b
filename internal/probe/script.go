package probe

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"
)

// Step is one turn of a conversation: bytes to send, if any, then an answer to
// wait for, if any.
type Step struct {
	Send   []byte
	Expect *regexp.Regexp // over the bytes received since the last match, not over lines
}

const (
	// firstByteWait is how long a server may be silent before its first byte
	// when nothing says what it should answer.
	firstByteWait = 2 * time.Second

	// quiet ends an answer that nothing else ends: no byte for so long. A lost
	// segment comes again within it (Linux' least retransmission time-out is
	// 200 ms).
	quiet = 250 * time.Millisecond

	// resends and resendAfter govern datagrams that get no answer: the same
	// bytes from the same socket, hence the same flow to any balancer.
	resends     = 2
	resendAfter = time.Second
)

// script is a conversation by steps, over either transport. If its last step
// expects nothing, the answer is whatever comes until the server closes, or
// pauses, or (banners) ends a line.
type script struct {
	name     string
	protocol Protocol // the only one it speaks; empty for both
	steps    []Step
	line     bool // a line feed completes an answer that nothing expects
}

// NewScript is a conversation by steps, for TCP and UDP alike. Over UDP each
// answer is one datagram, and the last datagram sent is sent again, up to twice,
// while no answer comes. Over UDP the first step has to send.
func NewScript(steps ...Step) Exchange { return script{name: "custom", steps: steps} }

// Custom is the script of one step that a user types: text to send (ParseText)
// and a RE2 expression to expect; either may be empty.
func Custom(send, expect string) (Exchange, error) {
	bytes, err := ParseText(send)
	if err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	step := Step{Send: bytes}
	if expect != "" {
		if step.Expect, err = regexp.Compile(expect); err != nil {
			return nil, fmt.Errorf("expect: %w", err)
		}
	}
	return NewScript(step), nil
}

func banner() Exchange { return script{name: "tcp", protocol: TCP, line: true} }

func datagram() Exchange {
	return script{name: "udp", protocol: UDP, steps: []Step{{Send: []byte("l4-canary\n")}}}
}

func (s script) String() string { return s.name }

func (s script) speaks(p Protocol) bool {
	if p == UDP && (len(s.steps) == 0 || len(s.steps[0].Send) == 0) {
		return false
	}
	return s.protocol == "" || s.protocol == p
}

func (s script) hold(c *conversation) error {
	matched, satisfied := 0, false
	for _, step := range s.steps {
		if len(step.Send) > 0 {
			if err := c.send(step.Send); err != nil {
				return err
			}
		}
		if satisfied = step.Expect != nil; !satisfied {
			continue
		}
		end, err := c.expect(step, matched)
		if err != nil {
			return err
		}
		matched = end
	}
	if satisfied {
		return nil
	}
	return s.gather(c)
}

// gather reads an answer of which nothing is known.
func (s script) gather(c *conversation) error {
	if c.protocol == UDP {
		return c.datagram(s.steps[len(s.steps)-1].Send)
	}
	if err := c.receive(time.Now().Add(firstByteWait)); err != nil {
		return silence(err)
	}
	for {
		if s.line && c.buffer[c.received-1] == '\n' {
			return nil
		}
		switch err := c.receive(time.Now().Add(quiet)); {
		case errors.Is(err, io.EOF), errors.Is(err, errFull):
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil // what came is the answer: nothing promised more
		case err != nil:
			return err
		}
	}
}

// silence words the end of a connection on which nothing was said.
func silence(err error) error {
	if errors.Is(err, io.EOF) {
		return errSilent
	}
	return err
}

// expect reads until the bytes after from match, and says where the match ends.
func (c *conversation) expect(step Step, from int) (int, error) {
	if c.protocol == UDP {
		from = c.received
		if err := c.datagram(step.Send); err != nil {
			return 0, err
		}
		if at := step.Expect.FindIndex(c.buffer[from:c.received]); at != nil {
			return from + at[1], nil
		}
		return 0, fmt.Errorf("a datagram of %d bytes does not match %q", c.received-from, step.Expect)
	}
	for {
		if at := step.Expect.FindIndex(c.buffer[from:c.received]); at != nil {
			return from + at[1], nil
		}
		switch err := c.receive(c.deadline); {
		case errors.Is(err, io.EOF), errors.Is(err, errFull):
			return 0, fmt.Errorf("an answer of %d bytes does not match %q: %w", c.received-from, step.Expect, err)
		case err != nil:
			return 0, err
		}
	}
}

// datagram waits for one datagram, and sends the question again while none
// comes. A refusal is an answer of its own and not asked twice.
func (c *conversation) datagram(question []byte) error {
	for range resends {
		patience := min(resendAfter, c.deadline.Sub(c.begin)/(resends+1))
		err := c.receive(time.Now().Add(patience))
		if !errors.Is(err, os.ErrDeadlineExceeded) || len(question) == 0 {
			return c.emptyDatagram(err)
		}
		if err := c.send(question); err != nil {
			return err
		}
		c.resent++
	}
	return c.emptyDatagram(c.receive(c.deadline))
}

// emptyDatagram lets a datagram without bytes pass: it is an answer, although a
// read of nothing looks like the end of a stream.
func (c *conversation) emptyDatagram(err error) error {
	if errors.Is(err, io.EOF) {
		c.heard = time.Now()
		return nil
	}
	return err
}
