package probe

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"
)

// worker holds one flow after the other.
type worker struct {
	run          *run
	conversation conversation
}

func newWorker(r *run) *worker {
	return &worker{run: r, conversation: conversation{buffer: make([]byte, MaxAnswer)}}
}

// flow is one sample.
func (w *worker) flow(ctx context.Context, s slot) Flow {
	o, c := &w.run.options, &w.conversation
	port, begin := o.Ports[s.port], time.Now()
	f := Flow{
		Index: s.index, Port: s.port, Address: o.Addresses[s.address], Skipped: s.skipped,
		Scheduled: s.at, Start: begin.Sub(w.run.begin),
	}
	w.run.started(f)
	c.reset(port, f.Address, begin, o.Timeout)
	_, err := c.connect(ctx, o.Cursor)
	if err == nil {
		if port.Protocol == TCP {
			f.Connect = time.Since(begin)
		}
		if err = c.phase(c.limits.FirstByte); err == nil {
			err = port.Exchange.hold(c)
		}
	}
	f.Total = time.Since(begin)
	if err == nil {
		c.part(port.Exchange)
	}
	c.close(err == nil && w.run.resets(f.Address))
	f.Resent = c.resent
	if !c.heard.IsZero() {
		f.FirstByte = c.heard.Sub(begin)
	}
	w.judge(&f, err)
	return f
}

// judge classes the flow and says whose it is.
func (w *worker) judge(f *Flow, err error) {
	c := &w.conversation
	f.Class, f.Err = classOf(err), brief(err)
	f.Answer = c.answer
	if f.Answer == nil && (f.Class == Answered || c.received > 0) {
		f.Answer = bytes.Clone(c.buffer[:c.received])
	}
	f.Answer = f.Answer[:min(len(f.Answer), MaxAnswer)]
	f.Answer = w.run.options.Ports[f.Port].shown(f.Answer)
	w.run.options.Classifier.Attribute(f)
}

// brief is an error that does not quote at length what a server said.
func brief(err error) error {
	const longest = 300
	if err == nil || len(err.Error()) <= longest {
		return err
	}
	return errors.New(strings.ToValidUTF8(err.Error()[:longest], "") + "…")
}

// started counts a flow that begins.
func (r *run) started(f Flow) {
	r.late.observe(f.Start - f.Scheduled)
	if r.sent.Add(1) == 1 {
		r.first.Store(int64(f.Start))
	}
	for last := r.last.Load(); int64(f.Start) > last; last = r.last.Load() {
		if r.last.CompareAndSwap(last, int64(f.Start)) {
			return
		}
	}
}
