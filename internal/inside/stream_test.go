package inside

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
)

// pod is one that says lines, and is cut off where a test wants that.
type pod struct {
	mu     sync.Mutex
	said   bytes.Buffer
	more   chan struct{} // closed and renewed when something is said
	over   error
	opened int
	closed int
	cuts   []int // each connection ends after so many bytes; none: it lasts
	fails  int   // so many connections cannot be made
}

func newPod() *pod { return &pod{more: make(chan struct{})} }

// say adds to what the pod has said.
func (p *pod) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said.WriteString(text)
	close(p.more)
	p.more = make(chan struct{})
}

// flows are said one after the other.
func (p *pod) flows(from, to int) {
	for i := from; i < to; i++ {
		p.say(string(flowLine(nil, probe.Flow{Index: i, Class: probe.Answered, Version: probe.Stable}, 0, nothing)))
	}
}

func (p *pod) begin() {
	p.say(hello("v1.2.3"))
	p.say(addressLine(twoAddresses))
}

// end is how the pod ends.
func (p *pod) end(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = why
	close(p.more)
	p.more = make(chan struct{})
}

func (p *pod) Open(ctx context.Context) (io.ReadCloser, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened++
	if p.fails > 0 {
		p.fails--
		return nil, errors.New("the API server is away")
	}
	c := &connection{pod: p, ctx: ctx, cut: -1}
	if len(p.cuts) > 0 {
		c.cut, p.cuts = p.cuts[0], p.cuts[1:]
	}
	return c, nil
}

func (p *pod) Over(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over
}

func (p *pod) Close(context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed++
}

// connection reads the pod from its first word on, and waits for more.
type connection struct {
	pod *pod
	ctx context.Context //nolint:containedctx // of the request, as in net/http
	at  int
	cut int // -1: never
}

func (c *connection) Read(to []byte) (int, error) {
	for {
		c.pod.mu.Lock()
		said, more, over := c.pod.said.Bytes(), c.pod.more, c.pod.over
		n := copy(to, said[min(c.at, len(said)):])
		if c.cut >= 0 {
			n = min(n, c.cut-c.at)
		}
		c.at += n
		c.pod.mu.Unlock()
		switch {
		case n > 0:
			return n, nil
		case c.at == c.cut:
			return 0, io.ErrUnexpectedEOF
		case over != nil:
			return 0, io.EOF
		}
		select {
		case <-more:
		case <-c.ctx.Done():
			return 0, c.ctx.Err()
		}
	}
}

func (c *connection) Close() error { return nil }

// follow begins to follow a pod.
func follow(t *testing.T, p *pod) *Stream {
	t.Helper()
	s, err := Follow(p, &Plan{Asked: []string{"80/TCP"}, Key: make([]byte, keySize)})
	require.NoError(t, err)
	return s
}

// collect takes so many flows, all there are if it is 0.
func collect(t *testing.T, s *Stream, count int) []int {
	t.Helper()
	var indexes []int
	for f := range s.Flows(t.Context()) {
		require.Equal(t, twoAddresses[0], f.Address)
		require.True(t, f.Told)
		indexes = append(indexes, f.Index)
		if len(indexes) == count {
			break
		}
	}
	return indexes
}

func upTo(n int) []int {
	var all []int
	for i := range n {
		all = append(all, i)
	}
	return all
}

// TestStream yields what the pod says, as it says it, and ends the pod once.
func TestStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPod()
		s := follow(t, p)
		go func() {
			time.Sleep(2 * time.Second)
			p.begin()
			p.flows(0, 3)
			time.Sleep(time.Second)
			p.say(progress{time.Second, probe.Stats{Sent: 9, NotSent: 1, Rate: 50}}.line())
			p.flows(3, 100)
		}()
		require.Equal(t, upTo(5), collect(t, s, 5))
		require.NoError(t, s.Err())
		require.Equal(t, probe.Stats{Sent: 9, NotSent: 1, Rate: 50}, s.Stats())
		require.Equal(t, 1, p.opened)
		require.Equal(t, 1, p.closed)
	})
}

// TestCutAnywhere: wherever the connection is cut, and however often, no flow is lost and
// none counted twice.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	whole := newPod()
	whole.begin()
	whole.flows(0, 6)
	for cut := range whole.said.Len() {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPod()
				p.cuts, p.fails = []int{cut, cut / 2, min(cut+7, whole.said.Len())}, 1
				p.begin()
				p.flows(0, 6)
				s := follow(t, p)
				require.Equal(t, upTo(6), collect(t, s, 6))
				require.NoError(t, s.Err())
				require.Equal(t, 1, p.closed)
			})
		})
	}
}

// TestSilentConnection: one over which nothing comes is opened again, and a pod that says
// nothing over any is given up.
func TestSilentConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPod()
		p.begin()
		p.flows(0, 2)
		began := time.Now()
		s := follow(t, p)
		require.Equal(t, upTo(2), collect(t, s, 0))
		require.ErrorContains(t, s.Err(), "it has said nothing for 3")
		require.ErrorContains(t, s.Err(), "no word came for 10s")
		require.Greater(t, p.opened, 2)
		require.InDelta(t, 35, time.Since(began).Seconds(), 10)
	})
}

// TestAliveWithoutFlows: a pod that tells every second that nothing ends is no dead one,
// and what it said long ago is nothing new.
func TestAliveWithoutFlows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPod()
		p.begin()
		s := follow(t, p)
		stop := make(chan struct{})
		go func() {
			for i := range 300 {
				p.say(progress{time.Duration(i+1) * time.Second, probe.Stats{Sent: i}}.line())
				time.Sleep(time.Second)
			}
			p.flows(0, 1)
			close(stop)
		}()
		require.Equal(t, []int{0}, collect(t, s, 1))
		<-stop
		require.Equal(t, 1, p.opened)
		require.Equal(t, 299, s.Stats().Sent)
	})
}

// TestPodEnds: all that it said is read first, then its end is the error.
func TestPodEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPod()
		p.begin()
		p.flows(0, 4)
		p.cuts = []int{70}
		gone := errors.New("pod was evicted")
		p.end(gone)
		s := follow(t, p)
		require.Equal(t, upTo(4), collect(t, s, 0))
		require.ErrorIs(t, s.Err(), gone)
		require.Equal(t, 1, p.closed)
	})
}

// TestCancelled: a stream that is told to end has not failed.
func TestCancelled(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*pod{"talking": newPod(), "away": {more: make(chan struct{}), fails: 1000}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p.more = make(chan struct{})
				p.begin()
				s := follow(t, p)
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				for range s.Flows(ctx) {
					t.Error("there is none")
				}
				require.NoError(t, s.Err())
				require.Equal(t, 1, p.closed)
			})
		})
	}
}

// TestWhatNoProberSays ends the stream at once, with what is wrong.
func TestWhatNoProberSays(t *testing.T) {
	t.Parallel()
	good := addressLine(twoAddresses)
	flow := func(index int) string {
		return string(flowLine(nil, probe.Flow{Index: index, Class: probe.Answered}, 0, nothing))
	}
	for name, row := range map[string]struct{ text, why string }{
		"another program":   {"listening on :80\n", "knows nothing of probing"},
		"another version":   {"l4-canary-prober 7 v2\n" + good, `holds l4-canary "v2", which speaks format "7"`},
		"flow first":        {hello("v1") + flow(0), "(word)"},
		"addresses again":   {hello("v1") + good + good, "(word)"},
		"no address":        {hello("v1") + "a\n", "(address)"},
		"a gap":             {hello("v1") + good + flow(0) + flow(2), "flows 1 to 1 are missing"},
		"a stray word":      {hello("v1") + good + flow(0) + "panic: runtime error\n", "(word)"},
		"a flow of no port": {hello("v1") + good + "f 0 1 0 a s 0 0 1 1 1 1 1 - -\n", "(place of a flow)"},
		"an error":          {hello("v1") + errorLine(errors.New("no such host")), `it cannot work: "no such host"`},
		"a later error":     {hello("v1") + good + flow(0) + errorLine(errors.New("disk")), `it cannot work: "disk"`},
		"no end":            {hello("v1") + good + "f " + strings.Repeat("x", maxLine), "a line without an end"},
		"progress":          {hello("v1") + good + "s x\n", "(figures of a progress)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPod()
				p.say(row.text)
				s := follow(t, p)
				collect(t, s, 0)
				require.ErrorContains(t, s.Err(), row.why)
				require.Equal(t, 1, p.opened)
				require.Equal(t, 1, p.closed)
			})
		})
	}
}

// TestRotatedLog: a node that has thrown the beginning of a log away is not taken for a
// wrong image.
func TestRotatedLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPod()
		p.begin()
		p.flows(0, 2)
		p.cuts = []int{p.said.Len()}
		s := follow(t, p)
		for range s.Flows(t.Context()) {
			p.mu.Lock()
			if p.opened == 1 && s.next == 2 {
				p.said.Reset()
				p.said.Write(flowLine(nil, probe.Flow{Index: 2, Class: probe.Answered}, 0, nothing))
			}
			p.mu.Unlock()
		}
		require.ErrorIs(t, s.Err(), errRotated)
	})
}
