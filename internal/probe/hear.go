package probe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// hear waits for a step's answer, which begins at from, and says where it ends.
func (c *conversation) hear(step Step, from int) (int, error) {
	switch {
	case c.protocol == UDP:
		from = c.received
		if err := c.datagram(step.render(c)); err != nil {
			return 0, err
		}
		return c.judge(step, from, c.received)
	case step.Until == "" && step.Bytes == 0 && step.measure == nil:
		return c.expect(step, from)
	}
	end, err := c.until(step, from)
	if err != nil {
		return 0, err
	}
	return c.judge(step, from, end)
}

// expect reads until the bytes after from match, and says where the match ends. What
// cannot become the prefix any more is not waited for.
func (c *conversation) expect(step Step, from int) (int, error) {
	for {
		heard := c.buffer[from:c.received]
		if step.Prefix != nil && (len(heard) >= len(step.Prefix) || !bytes.HasPrefix(step.Prefix, heard)) {
			return c.judge(step, from, min(c.received, from+len(step.Prefix)))
		}
		if end, ok := c.match(step, from, c.received); ok {
			return end, nil
		}
		switch err := c.receive(c.deadline); {
		case errors.Is(err, io.EOF), errors.Is(err, errFull):
			return 0, fmt.Errorf("%w: %w", mismatch(step, c.received-from), err)
		case err != nil:
			return 0, err
		}
	}
}

// until reads an answer that something other than its content ends.
func (c *conversation) until(step Step, from int) (int, error) {
	for {
		size, err := step.complete(c.buffer[from:c.received])
		if err != nil || size > 0 {
			return from + size, err
		}
		patience := c.deadline
		if step.Until == UntilQuiet && c.received > from {
			patience = time.Now().Add(quiet)
		}
		err = c.receive(patience)
		ended := errors.Is(err, io.EOF) || errors.Is(err, errFull)
		switch {
		case ended && step.Until == UntilClose, ended && step.Until == UntilQuiet && c.received > from,
			errors.Is(err, os.ErrDeadlineExceeded) && step.Until == UntilQuiet && c.received > from && time.Now().Before(c.deadline):
			return c.received, nil
		case ended && c.received == 0:
			return 0, errSilent
		case ended:
			return 0, fmt.Errorf("an answer of %d bytes is not complete: %w", c.received-from, err)
		case err != nil:
			return 0, err
		}
	}
}

// complete is the length of an answer that has ended, 0 while it has not.
func (s Step) complete(heard []byte) (int, error) {
	switch {
	case s.measure != nil:
		return s.measure(heard)
	case s.Bytes > 0 && len(heard) >= s.Bytes:
		return s.Bytes, nil
	case s.Until == UntilLine:
		return oneLine(heard)
	}
	return 0, nil
}

// judge holds an answer that is complete against what the step expects.
func (c *conversation) judge(step Step, from, end int) (int, error) {
	_, matched := c.match(step, from, end)
	if !bytes.HasPrefix(c.buffer[from:end], step.Prefix) || step.Expect != nil && !matched {
		return 0, mismatch(step, end-from)
	}
	return end, nil
}

// match says where the step's expression ends to match, and keeps what it captured.
func (c *conversation) match(step Step, from, end int) (int, bool) {
	if step.Expect == nil {
		return 0, false
	}
	at := step.Expect.FindSubmatchIndex(c.buffer[from:end])
	if at == nil {
		return 0, false
	}
	for i := range at {
		if at[i] >= 0 {
			at[i] += from
		}
	}
	c.captured[len(c.captured)-1] = at
	return at[1], true
}

// mismatch says what an answer is not.
func mismatch(step Step, size int) error {
	if step.Prefix != nil {
		return fmt.Errorf("an answer of %d bytes does not begin with %q", size, step.Prefix)
	}
	return fmt.Errorf("an answer of %d bytes does not match %q", size, step.Expect)
}

// datagram waits for one datagram, and sends the question again while none
// comes; an empty one was not asked, and is not asked again. A refusal is an answer of its
// own and not asked twice.
func (c *conversation) datagram(question []byte) error {
	for range resends {
		if len(question) == 0 {
			break
		}
		patience := min(resendAfter, c.deadline.Sub(c.begin)/(resends+1))
		err := c.receive(time.Now().Add(patience))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
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
