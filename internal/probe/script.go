package probe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Step is one turn of a conversation: bytes to send, if any, then an answer to wait
// for, if any. A step that says nothing of an answer waits for none, unless it is the
// last: then whatever comes until the other side pauses is the answer.
type Step struct {
	Send []byte
	Refs []Ref // what is put between the bytes of Send, in their order

	// Where the answer ends. Without any of these, where Expect or Prefix matches.
	Until   Until
	Bytes   int
	measure measure

	// What the answer must be, from where the last step's ended.
	Expect *regexp.Regexp // over the bytes, not over lines
	Prefix []byte
}

// Ref stands for what an earlier step's Expect captured.
type Ref struct {
	At    int // index into Send before which it is put
	Step  int // from 0
	Group int // of its expression; 0 is the whole match
}

// Until says where an answer ends.
type Until string

// An answer ends with a line feed, when the other side closes, or when it pauses.
const (
	UntilLine  Until = "line"
	UntilClose Until = "close"
	UntilQuiet Until = "quiet"
)

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

// script is a conversation by steps, over either transport.
type script struct {
	name     string
	protocol Protocol // the only one it speaks; empty for both
	steps    []Step
	line     bool   // a line feed completes an answer that nothing expects
	goodbye  []byte // said once the answer is there
}

// NewScript is a conversation by steps, for TCP and UDP alike. Over UDP each
// answer is one datagram, and the last datagram sent is sent again, up to twice,
// while no answer comes. Over UDP the first step has to send, and an answer ends
// where its datagram does.
func NewScript(steps ...Step) Exchange { return script{name: "custom", steps: steps} }

// WithGoodbye is a conversation by steps that ends with a last word over TCP, such as
// QUIT; what is said to it is no part of the answer.
func WithGoodbye(goodbye []byte, steps ...Step) Exchange {
	return script{name: "custom", protocol: TCP, steps: steps, goodbye: goodbye}
}

func banner() Exchange { return script{name: "tcp", protocol: TCP, line: true} }

// info is "redis": what the server says of itself. A server that wants a password first
// answers with an error, and needs steps of its own.
func info() Exchange {
	return script{
		name: "redis", protocol: TCP, goodbye: []byte("QUIT\r\n"),
		steps: []Step{{Send: []byte("INFO server\r\n"), measure: bulk}},
	}
}

// bulk is a reply of Redis that begins with its length: $5 CRLF hello CRLF.
func bulk(heard []byte) (int, error) {
	line := bytes.IndexByte(heard, '\n') + 1
	if line == 0 {
		return 0, nil
	}
	size, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(string(heard[:line]), "$")))
	if err != nil || heard[0] != '$' || size < 0 || size > MaxAnswer {
		return 0, fmt.Errorf("the server answers %q", bytes.TrimSpace(heard[:line]))
	}
	if end := line + size + len("\r\n"); len(heard) >= end {
		return end, nil
	}
	return 0, nil
}

func datagram() Exchange {
	return script{name: "udp", protocol: UDP, steps: []Step{{Send: testLine}}}
}

func (s script) String() string { return s.name }

func (s script) speaks(p Protocol) bool {
	if p == UDP {
		if len(s.steps) == 0 || len(s.steps[0].Send) == 0 {
			return false
		}
		for _, step := range s.steps {
			if step.Until != "" || step.Bytes > 0 || step.measure != nil {
				return false
			}
		}
	}
	return s.protocol == "" || s.protocol == p
}

func (s script) hold(c *conversation) error {
	_, err := s.follow(c)
	if err == nil && (len(s.steps) == 0 || s.steps[len(s.steps)-1].silent()) {
		return s.gather(c)
	}
	return err
}

func (s script) part(c *conversation) {
	if len(s.goodbye) > 0 {
		_ = c.send(s.goodbye) // whoever has gone need not hear it
		c.lingers = true
	}
}

// follow takes one step after the other, and says where the last answer ends. What was
// heard before is no answer to any of them.
func (s script) follow(c *conversation) (int, error) {
	matched := c.received
	c.captured = c.captured[:0]
	for _, step := range s.steps {
		if len(step.Send)+len(step.Refs) > 0 {
			if err := c.send(step.render(c)); err != nil {
				return matched, err
			}
		}
		c.captured = append(c.captured, nil)
		if step.silent() {
			continue
		}
		end, err := c.hear(step, matched)
		if err != nil {
			return matched, err
		}
		matched = end
	}
	return matched, nil
}

// silent reports whether the step waits for nothing.
func (s Step) silent() bool {
	return s.Expect == nil && s.Prefix == nil && s.Until == "" && s.Bytes == 0 && s.measure == nil
}

// render is what the step sends.
func (s Step) render(c *conversation) []byte {
	if len(s.Refs) == 0 {
		return s.Send
	}
	var out []byte
	sent := 0
	for _, ref := range s.Refs {
		out = append(out, s.Send[sent:ref.At]...)
		sent = ref.At
		if at := c.captured[ref.Step]; len(at) > 2*ref.Group+1 && at[2*ref.Group] >= 0 {
			out = append(out, c.buffer[at[2*ref.Group]:at[2*ref.Group+1]]...)
		}
	}
	return append(out, s.Send[sent:]...)
}

// last is the datagram that a held flow repeats.
func (s script) last(c *conversation) []byte { return s.steps[len(s.steps)-1].render(c) }

// text is an answer as it is.
func (s script) text(datagram []byte) []byte { return datagram }

// gather reads an answer of which nothing is known.
func (s script) gather(c *conversation) error {
	if c.protocol == UDP {
		return c.datagram(s.last(c))
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
