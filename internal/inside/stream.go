package inside

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/org/l4-canary/internal/probe"
)

// Log is what a pod says.
type Log interface {
	// Open reads it from its first line on, and then as it comes. An error may pass.
	Open(ctx context.Context) (io.ReadCloser, error)

	// Over returns why nothing more will come, nil as long as something may. The error
	// names the pod.
	Over(ctx context.Context) error

	// Close ends the pod, also when ctx is done. It is called once.
	Close(ctx context.Context)
}

const (
	silence  = 30 * time.Second       // for which a pod that says something all the time is believed to live
	quiet    = 10 * time.Second       // after which the connection is suspected
	openedIn = 500 * time.Millisecond // between two attempts
)

// Stream are flows that a pod makes. A connection that is cut is opened again; no flow
// is lost by it, and none counted twice.
type Stream struct {
	log     Log
	decoder decoder

	met  bool      // it has greeted
	next int       // index of the flow that comes next
	new  time.Time // when something came that had not been said before
	err  error

	mu   sync.Mutex
	last progress
}

// Follow is the stream of a pod that carries the plan out.
func Follow(log Log, plan *Plan) (*Stream, error) {
	seal, err := plan.seal()
	if err != nil {
		return nil, err
	}
	return &Stream{log: log, decoder: decoder{ports: len(plan.Asked), seal: seal}}, nil
}

// Stats is how the sampling went, by what the pod said last.
func (s *Stream) Stats() probe.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.stats
}

// Err is why the flows ended by themselves, nil if they did not.
func (s *Stream) Err() error { return s.err }

// Flows yields each flow once, in scheduled order, until ctx is done, the loop is left
// or the pod can say no more, which Err tells. Then the pod is ended.
func (s *Stream) Flows(ctx context.Context) iter.Seq[probe.Flow] {
	return func(yield func(probe.Flow) bool) {
		defer s.log.Close(ctx)
		inner, cancel := context.WithCancel(ctx)
		defer cancel()
		s.new = time.Now()
		if err := s.follow(inner, yield); !errors.Is(err, errEnough) && ctx.Err() == nil {
			s.err = err
		}
	}
}

// errEnough is a loop that was left, errCut a connection that says no more.
var (
	errEnough = errors.New("no more flows are wanted")
	errCut    = errors.New("the connection was cut")
)

// follow reads what the pod says until the end, however often the connection is cut.
func (s *Stream) follow(ctx context.Context, yield func(probe.Flow) bool) error {
	var over error
	for {
		err := s.read(ctx, yield)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, errCut):
			return err
		case over != nil:
			return over // and all that it said has been read
		}
		if over = s.log.Over(ctx); over != nil {
			continue
		}
		if silent := time.Since(s.new); silent > silence {
			return fmt.Errorf("it has said nothing for %s: %w", silent.Round(time.Second), err)
		}
		select {
		case <-time.After(openedIn):
		case <-ctx.Done():
		}
	}
}

// read opens the log once and reads it to its end. Errors other than errCut are final.
func (s *Stream) read(ctx context.Context, yield func(probe.Flow) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opened, err := s.log.Open(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errCut, err)
	}
	lines, ended := make(chan string), make(chan error, 1)
	var reading sync.WaitGroup
	reading.Go(func() { ended <- scan(ctx, opened, lines) })
	defer func() {
		cancel()
		_ = opened.Close() // it was read, or is not wanted any more
		reading.Wait()
	}()
	watchdog := time.NewTimer(quiet)
	defer watchdog.Stop()
	for number := 0; ; number++ {
		watchdog.Reset(quiet)
		select {
		case line := <-lines:
			if err = s.take(number, line, yield); err != nil {
				return err
			}
		case err = <-ended:
			return err
		case <-watchdog.C:
			return fmt.Errorf("%w: no word came for %s", errCut, quiet)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// scan passes whole lines on. One that does not end is none: the connection was cut in
// it.
func scan(ctx context.Context, from io.Reader, lines chan<- string) error {
	scanner := bufio.NewScanner(from)
	scanner.Buffer(nil, maxLine)
	scanner.Split(func(data []byte, _ bool) (int, []byte, error) {
		if end := bytes.IndexByte(data, '\n'); end >= 0 {
			return end + 1, data[:end], nil
		}
		return 0, nil, nil
	})
	for scanner.Scan() {
		select {
		case lines <- scanner.Text():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if errors.Is(scanner.Err(), bufio.ErrTooLong) {
		return wrong("a line without an end")
	}
	return errCut
}

// take understands a line.
func (s *Stream) take(number int, line string, yield func(probe.Flow) bool) error {
	if number == 0 {
		return s.greeted(line)
	}
	word, rest, _ := strings.Cut(line, " ")
	fields := strings.Split(rest, " ")
	switch {
	case word == "e":
		return saidError(fields)
	case number == 1 && word == "a":
		return s.decoder.setAddresses(fields)
	case number > 1 && word == "f":
		return s.flow(fields, yield)
	case number > 1 && word == "s":
		return s.progress(fields)
	}
	return wrong("word")
}

// errRotated is a log that does not begin as it did. The node keeps some megabytes.
var errRotated = errors.New("its log begins elsewhere than before: the node has thrown the beginning away, and the connection was cut")

// greeted takes the first line.
func (s *Stream) greeted(line string) error {
	err := greet(line)
	if err != nil && s.met {
		return errRotated
	}
	s.met = s.met || err == nil
	return err
}

// flow yields a flow that is new.
func (s *Stream) flow(fields []string, yield func(probe.Flow) bool) error {
	f, err := s.decoder.flow(fields)
	switch {
	case err != nil:
		return err
	case f.Index < s.next:
		return nil // said again, after a cut
	case f.Index > s.next:
		return fmt.Errorf("flows %d to %d are missing in what it said", s.next, f.Index-1)
	}
	s.next, s.new = s.next+1, time.Now()
	if !yield(f) {
		return errEnough
	}
	return nil
}

// progress keeps the newest figures.
func (s *Stream) progress(fields []string) error {
	p, err := readProgress(fields)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.elapsed > s.last.elapsed {
		s.last, s.new = p, time.Now()
	}
	return nil
}
