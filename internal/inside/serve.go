package inside

import (
	"context"
	"crypto/cipher"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/org/l4-canary/internal/probe"
)

// sayEvery is how often a pod tells how it goes, also when no flow ends. A stage may be
// decided within a second.
const sayEvery = time.Second / 4

// As much of the answers comes back as the engine learns from: so many of each port, and
// so many bytes of them.
const (
	mostHeard = 400
	mostBytes = 4 << 20
)

// Serve carries a plan out until ctx is done, and says in lines what comes of it. Before
// it returns an error it says that, too.
func Serve(ctx context.Context, data []byte, version string, out io.Writer) error {
	if _, err := io.WriteString(out, hello(version)); err != nil {
		return err
	}
	err := serve(ctx, data, out)
	if err != nil {
		_, _ = io.WriteString(out, errorLine(err)) // if nobody hears it, the status tells
	}
	return err
}

func serve(ctx context.Context, data []byte, out io.Writer) error {
	plan, err := DecodePlan(data)
	if err != nil {
		return err
	}
	s, err := newServer(ctx, plan, out)
	if err != nil {
		return err
	}
	if err = s.say([]byte(addressLine(s.addresses))); err != nil {
		return err
	}
	working, cancel := context.WithCancel(ctx)
	var telling sync.WaitGroup
	telling.Go(func() {
		defer cancel() // nobody hears us any more
		s.tell(working)
	})
	err = s.flows(working)
	cancel()
	telling.Wait()
	return err
}

// server carries one plan out.
type server struct {
	sampler     *probe.Sampler
	addresses   []netip.Addr
	classifiers []*probe.Classifier // nil: answers come back as they are
	seal        cipher.AEAD
	heard       []heard // by port
	line        []byte

	mu  sync.Mutex // guards out
	out io.Writer
}

// heard is how many answers of a port came back.
type heard struct{ answers, bytes int }

func newServer(ctx context.Context, plan Plan, out io.Writer) (*server, error) {
	ports, err := plan.ports()
	if err != nil {
		return nil, err
	}
	s := &server{out: out, heard: make([]heard, len(ports))}
	if s.classifiers, err = plan.classifiers(); err != nil {
		return nil, err
	}
	if s.seal, err = plan.seal(); err != nil {
		return nil, err
	}
	for _, address := range plan.Addresses {
		literal, failed := probe.Resolve(ctx, address)
		if failed != nil {
			return nil, failed
		}
		s.addresses = append(s.addresses, literal...)
	}
	s.sampler, err = probe.NewSampler(probe.Options{
		Ports: ports, Addresses: s.addresses, Rate: plan.Rate, Close: plan.Close, Seed: plan.Seed,
	})
	return s, err
}

func (s *server) say(line []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.out.Write(line)
	return err
}

// tell says again and again how it goes, until ctx is done or nobody hears it.
func (s *server) tell(ctx context.Context) {
	began := time.Now()
	ticker := time.NewTicker(sayEvery)
	defer ticker.Stop()
	for {
		if err := s.say([]byte(progress{time.Since(began), s.sampler.Stats()}.line())); err != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// flows says every flow, in scheduled order.
func (s *server) flows(ctx context.Context) error {
	for flow := range s.sampler.Flows(ctx) {
		answer := s.attribute(&flow)
		s.line = flowLine(s.line[:0], flow, slices.Index(s.addresses, flow.Address), answer)
		if err := s.say(s.line); err != nil {
			return err
		}
	}
	return nil
}

// attribute says whose a flow is, or returns its answer for others to say.
func (s *server) attribute(f *probe.Flow) string {
	if s.classifiers != nil {
		s.classifiers[f.Port].Attribute(f)
		return nothing
	}
	f.Version, f.Pod, f.Both = probe.None, "", false
	if f.Class != probe.Answered {
		return nothing
	}
	h := &s.heard[f.Port]
	if h.bytes += len(f.Answer); h.answers == mostHeard || h.bytes >= mostBytes {
		return nothing
	}
	h.answers++
	return sealed(s.seal, f.Answer)
}
