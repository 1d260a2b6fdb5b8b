package probe

import (
	"errors"
	"io"
	"os"
	"time"
)

const (
	// echoWait is how long a server may think about the first line before it is sent
	// no other.
	echoWait = 2 * time.Second

	// missable is how many datagrams in a row may go unanswered.
	missable = 2
)

// testLine is what a flow says to a server of whose protocol nothing is known.
var testLine = []byte("l4-canary\n")

// greet holds the first exchange, notes who answered, and decides how the flow goes
// on.
func (f *held) greet() error {
	err := f.phase(f.limits.FirstByte)
	if err != nil {
		return err
	}
	if l, ok := f.port.Exchange.(layered); ok {
		if err = l.establish(&f.conversation); err != nil {
			return err
		}
	}
	e := innermost(f.port.Exchange)
	talk, isScript := e.(script)
	asking, isRequest := e.(request)
	switch {
	case isRequest:
		f.talk, err = func() (Ending, time.Time) { return f.requests(asking) }, f.request(asking)
	case isScript && talk.line:
		f.talk, err = f.lines, f.echo(talk)
	default:
		if err = e.hold(&f.conversation); err != nil {
			break
		}
		f.talk, f.seen.Watched = f.watch, true
		if again, ok := e.(repeated); ok && f.protocol == UDP {
			question := again.last(&f.conversation)
			f.talk, f.seen.Watched = func() (Ending, time.Time) { return f.datagrams(question, again.text) }, false
		}
	}
	if err != nil {
		return err
	}
	f.recognise()
	return f.socket.SetDeadline(time.Time{})
}

// repeated is an exchange whose last datagram can be asked again.
type repeated interface {
	last(c *conversation) []byte
	text(datagram []byte) []byte // of an answer, as patterns see it
}

// recognise notes who answered, if that is not known yet.
func (f *held) recognise() {
	answer := f.answer
	if answer == nil {
		answer = f.buffer[:f.received]
	}
	if known := f.seen.Version == Stable || f.seen.Version == Canary; known || len(answer) == 0 {
		return
	}
	f.seen.Version, f.seen.Pod = f.class.Classify(answer)
}

// echo hears the banner, if there is one, and finds out whether the server answers a
// line.
func (f *held) echo(banner script) error {
	if err := banner.hold(&f.conversation); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	f.recognise()
	f.received, f.deadline = 0, time.Now().Add(f.until)
	f.due = f.deadline
	if err := f.socket.SetDeadline(f.deadline); err != nil {
		return err
	}
	err := f.send(testLine)
	if err == nil {
		err = f.receive(time.Now().Add(min(echoWait, f.until)))
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		f.talk, f.seen.Watched = f.watch, true
	case errors.Is(err, io.EOF) || classOf(err) == Reset: // the latter if it closes before it has read the line
		return errHangsUp
	case err != nil:
		return err
	}
	return nil
}

// hear waits for something until then, for ever if that is the zero time.
func (f *held) hear(until time.Time) error {
	f.received, f.deadline, f.due = 0, until, until
	return f.receive(until)
}

// watch waits for the end.
func (f *held) watch() (Ending, time.Time) {
	for {
		if err := f.hear(time.Time{}); err != nil {
			return endOf(err), time.Now()
		}
	}
}

// lines says one every so often. While no answer is due, the server may still say
// what it likes.
func (f *held) lines() (Ending, time.Time) {
	if f.seen.Watched {
		return f.watch()
	}
	var asked time.Time // zero while no answer is due
	next := time.Now().Add(f.every)
	for {
		until := next
		if !asked.IsZero() {
			until = asked.Add(f.until)
		}
		err := f.hear(until)
		switch {
		case err == nil:
			asked = time.Time{}
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return endOf(err), time.Now()
		case !asked.IsZero():
			return EndTimeout, asked
		default:
			asked = time.Now()
			next = asked.Add(f.every)
			if err := f.send(testLine); err != nil {
				return endOf(err), time.Now()
			}
		}
	}
}

// requests asks again and again on the same connection.
func (f *held) requests(r request) (Ending, time.Time) {
	for {
		// What comes unasked announces that the server is about to close.
		f.received = 0
		if err := f.socket.SetReadDeadline(time.Now().Add(f.every)); err != nil {
			return endOf(err), time.Now()
		}
		if _, err := f.reader.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
			return endOf(err), time.Now()
		}
		asked := time.Now()
		if err := f.socket.SetReadDeadline(asked.Add(f.until)); err != nil {
			return endOf(err), asked
		}
		err := f.request(r)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return EndTimeout, asked
		}
		if err != nil {
			return endOf(err), time.Now()
		}
	}
}

// request asks once. Whatever the status, an answer is an answer.
func (f *held) request(r request) error {
	f.received = 0
	h, err := r.ask(&f.conversation, "keep-alive")
	if err == nil && h.last {
		return errHangsUp
	}
	return err
}

// datagrams repeats the question. A flow that moves does not always do so at once:
// what ends it is the first question that its pod did not answer.
func (f *held) datagrams(question []byte, text func([]byte) []byte) (Ending, time.Time) {
	var asked time.Time // the first question that its pod has not answered; zero before there is any
	for missed := 0; ; {
		answered, moved, err := f.listen(time.Now().Add(f.every), text)
		switch at := time.Now(); {
		case err != nil:
			return endOf(err), at
		case moved && asked.IsZero():
			return EndMoved, at
		case moved:
			return EndMoved, asked
		case answered, asked.IsZero():
			missed, asked = 0, at
		case missed == missable:
			return EndTimeout, asked
		default:
			missed++
		}
		_ = f.send(question) // what cannot be sent is not answered either
	}
}

// listen takes what comes until then. It does not end early: a question is asked once
// in a while, however fast the answer.
func (f *held) listen(until time.Time, text func([]byte) []byte) (answered, moved bool, _ error) {
	for {
		err := f.hear(until)
		switch class := classOf(err); {
		case err == nil && f.elsewhere(text(f.buffer[:f.received])):
			return true, true, nil
		case err == nil, errors.Is(err, io.EOF): // an empty datagram
			answered = true
		case class == Timeout:
			return answered, false, nil
		case class == Refused: // nobody listens there any more, or not yet
		default:
			return answered, false, err
		}
	}
}

// elsewhere reports whether an answer is another pod's.
func (f *held) elsewhere(answer []byte) bool {
	version, pod := f.class.Classify(answer)
	if pod != "" && f.seen.Pod != "" {
		return pod != f.seen.Pod
	}
	return version != f.seen.Version && version != Unknown && f.seen.Version != Unknown
}

// endOf says how a flow with this error ended; nil is an answer that nobody asked for
// and that announces an end.
func endOf(err error) Ending {
	switch classOf(err) {
	case Reset:
		return EndReset
	case Timeout:
		return EndTimeout
	case Answered, Refused, Faulty, Local:
	}
	return EndClosed
}
