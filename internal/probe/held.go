package probe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"
)

// Ending says how a held flow ended.
type Ending string

// The ways in which a flow ends that somebody would have kept.
const (
	EndClosed  Ending = "closed"  // the other side finished it
	EndReset   Ending = "reset"   // the other side, or somebody between, broke it
	EndTimeout Ending = "timeout" // nobody answers on it any more
	EndMoved   Ending = "moved"   // another pod answers: what that one knew of the session is gone
)

// HeldFlow is one flow that is kept open, and what became of it.
type HeldFlow struct {
	Port    int // index into Options.Ports
	Address netip.Addr
	Version Version // that answered first; None if nobody has said a word
	Pod     string  // from the pattern's group "pod", if it has one
	Watched bool    // the server answers no question, so that only its end shows
	Err     error   // why it could not be opened; then nothing below is set

	Ended time.Time // when it was closed, when another pod answered, or when the first question went unanswered; zero while it lives
	How   Ending    // empty while it lives
}

// Held are flows that are kept open: each says something about once a second, from
// one socket with a source port that no sampler uses meanwhile.
//
// What it says depends on the port's exchange. "http" asks again on the same
// connection. "tcp" sends a line and takes whatever comes for an echo; a server that
// does not answer the first line is sent no other. UDP repeats the exchange's last
// datagram and expects the pod that answered first, or its version where answers name
// no pod. All other exchanges are held once, and then their connection is watched.
type Held struct {
	options Options
	every   time.Duration
	flows   []*held
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
}

// held is one flow of Held.
type held struct {
	conversation
	port  Port
	every time.Duration
	until time.Duration // how long an answer may take
	class *Classifier

	talk func() (Ending, time.Time) // until it ends; chosen by greet
	seen HeldFlow                   // guarded by Held.mu once the flow is open
}

const (
	talkEvery = time.Second
	openEvery = 2 * time.Millisecond // 500 flows a second

	// talkBuffer is what a flow reads at once after its first answer.
	talkBuffer = 4 << 10
)

// Hold opens Options.Count flows, spread evenly over ports and addresses, and
// returns when each has been answered for the first time or will not be. The error
// is that of the options or of ctx; flows that could not be opened say why.
func Hold(ctx context.Context, o Options) (*Held, error) { return hold(ctx, o, talkEvery) }

func hold(ctx context.Context, o Options, every time.Duration) (*Held, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	h := &Held{options: o.withDefaults(), every: every}
	defer whenDone(ctx, h.cut)()
	pacer := time.NewTicker(openEvery)
	defer pacer.Stop()
	var opening sync.WaitGroup
	for i := range h.options.Count {
		select {
		case <-pacer.C:
		case <-ctx.Done():
			h.Close()
			return nil, ctx.Err()
		}
		f := h.prepare(i)
		opening.Add(1)
		h.running.Go(func() { h.live(ctx, f, opening.Done) })
	}
	opening.Wait()
	if err := ctx.Err(); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// prepare makes the flow with a number, which decides where it goes.
func (h *Held) prepare(number int) *held {
	ports, addresses := len(h.options.Ports), h.options.Addresses
	f := &held{every: h.every, until: h.options.Timeout, class: h.options.Classifier}
	f.seen.Port = number % ports
	f.seen.Address = addresses[number/ports%len(addresses)]
	f.port = h.options.Ports[f.seen.Port]
	f.buffer = make([]byte, MaxAnswer)
	f.reset(f.port, f.seen.Address, time.Now(), f.until)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flows = append(h.flows, f)
	f.ended = h.closed
	return f
}

// live is a flow's whole life.
func (h *Held) live(ctx context.Context, f *held, opened func()) {
	defer f.close(false)
	source, err := f.connect(ctx, h.options.Cursor)
	if err == nil {
		h.options.Cursor.keep(source)
		if err = f.greet(); err != nil {
			h.options.Cursor.giveBack(source)
		}
	}
	f.buffer, f.answer = make([]byte, talkBuffer), nil
	h.mu.Lock()
	f.seen.Err = plain(err)
	h.mu.Unlock()
	opened()
	if err != nil {
		return
	}
	defer h.options.Cursor.giveBack(source)
	how, at := f.talk()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed { // else it is we who ended it
		f.seen.How, f.seen.Ended = how, at
	}
}

// Flows are all flows as they are now, in the order in which they were opened.
func (h *Held) Flows() []HeldFlow {
	h.mu.Lock()
	defer h.mu.Unlock()
	flows := make([]HeldFlow, 0, len(h.flows))
	for _, f := range h.flows {
		flows = append(flows, f.seen)
	}
	return flows
}

// Close ends all flows, whatever goes on, and returns when nothing is left of them.
func (h *Held) Close() {
	h.cut()
	h.running.Wait()
}

// cut closes the sockets.
func (h *Held) cut() {
	h.mu.Lock()
	h.closed = true
	flows := h.flows
	h.mu.Unlock()
	for _, f := range flows {
		f.cut()
	}
}

// spareFiles is what the process opens beside flows: files, and connections to the
// API server.
const spareFiles = 64

// Room says why this machine cannot hold so many flows beside a sampler of a rate;
// nil if it can.
func Room(count int, rate float64) error {
	need := count + Options{Rate: rate}.withDefaults().InFlight + spareFiles
	if most := mostFiles(); need > most {
		return fmt.Errorf("with the sampling they need %d open files, and this process may have %d: raise the limit (ulimit -n), or hold fewer", need, most)
	}
	if ports := int(NewCursor(0).size); count > ports/2 {
		return fmt.Errorf("each needs a source port of its own, half of them are left to the sampling, and this machine has %d (net.ipv4.ip_local_port_range)", ports)
	}
	return nil
}

// errHangsUp is a server with which no flow can be held.
var errHangsUp = errors.New("the server ends the connection after its first answer")

// plain is why a flow could not be opened, without the names of system calls.
func plain(err error) error {
	if classOf(err) == Timeout {
		return errors.New("no answer")
	}
	if call, ok := errors.AsType[*os.PathError](err); ok {
		return call.Err
	}
	return err
}
