package inside

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/spec"
)

// greeter answers in turn, and returns its port.
func greeter(t *testing.T, answers ...string) uint16 {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	go func() {
		for i := 0; ; i++ {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(connection, answers[i%len(answers)])
			_ = connection.Close()
		}
	}()
	return uint16(listener.Addr().(*net.TCPAddr).Port)
}

// planFor asks one port for its banner.
func planFor(port uint16) Plan {
	return Plan{
		Spec: Spec{Text: "tcp"}, Available: []spec.Port{{Number: port, Protocol: probe.TCP}}, Asked: []string{fmt.Sprintf("%d/TCP", port)},
		Addresses: []string{"127.0.0.1"}, Rate: 2000, Seed: 42, Stable: "old", Canary: `new (?P<pod>\S+)`,
	}
}

// local is a pod that is this process.
type local struct {
	*pod
	cancel context.CancelFunc
}

func (l local) Close(ctx context.Context) {
	l.cancel()
	l.pod.Close(ctx)
}

func (l local) Write(line []byte) (int, error) {
	l.say(string(line))
	return len(line), nil
}

// serveLocally carries the plan out and follows it.
func serveLocally(t *testing.T, plan *Plan) (*Stream, <-chan error) {
	t.Helper()
	data, err := plan.Encode()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	l := local{newPod(), cancel}
	served := make(chan error, 1)
	go func() {
		failed := Serve(ctx, data, "v1.2.3", l)
		if failed != nil {
			l.end(errors.New("exit 2"))
		}
		served <- failed
	}()
	s, err := Follow(l, plan)
	require.NoError(t, err)
	return s, served
}

// TestServe: what a pod makes is what comes out at the other end, told by the patterns,
// and without a word of any answer in between.
func TestServe(t *testing.T) {
	t.Parallel()
	plan := planFor(greeter(t, "old\n", "new lobby-a\n"))
	s, served := serveLocally(t, &plan)
	versions, pods, count := map[probe.Version]int{}, map[string]int{}, 0
	for f := range s.Flows(t.Context()) {
		require.Equal(t, count, f.Index)
		require.Equal(t, probe.Answered, f.Class)
		require.Nil(t, f.Answer)
		require.Positive(t, f.Total)
		require.Positive(t, f.FirstByte)
		versions[f.Version]++
		pods[f.Pod]++
		if count++; count == 400 {
			break
		}
	}
	require.NoError(t, s.Err())
	require.NoError(t, <-served)
	require.Equal(t, 400, versions[probe.Stable]+versions[probe.Canary])
	require.InDelta(t, 200, versions[probe.Canary], 50)
	require.Equal(t, versions[probe.Canary], pods["lobby-a"])
	said := s.log.(local).said.String()
	require.True(t, strings.HasPrefix(said, "l4-canary-prober 1 v1.2.3\na 127.0.0.1\n"))
	for line := range strings.Lines(said) {
		require.True(t, line[0] != 'f' || strings.HasSuffix(line, " -\n"), line)
	}
}

// TestServeForThoseWhoListen: answers come back, sealed, and nobody tells their version.
func TestServeForThoseWhoListen(t *testing.T) {
	t.Parallel()
	plan := planFor(greeter(t, "220 old\n"))
	plan.Listen = true
	s, served := serveLocally(t, &plan)
	answers, told := 0, 0
	for f := range s.Flows(t.Context()) {
		require.Equal(t, probe.None, f.Version)
		if f.Told {
			if told++; told == 20 {
				break
			}
			continue
		}
		require.Equal(t, "220 old\n", string(f.Answer))
		answers++
	}
	require.NoError(t, s.Err())
	require.NoError(t, <-served)
	require.Equal(t, mostHeard, answers, "as many as somebody learns from")
	require.NotContains(t, s.log.(local).said.String(), encoding.EncodeToString([]byte("220 old")))
}

// TestServeByLesson: what was learned tells versions apart where they answer.
func TestServeByLesson(t *testing.T) {
	t.Parallel()
	plan := planFor(greeter(t, "lobby 1.8\n", "lobby 1.9\n"))
	var learned probe.Classifier
	require.NoError(t, json.Unmarshal([]byte(`{"stable":[{"text":"MS44"}],"canary":[{"text":"MS45"}],"words":"w"}`), &learned))
	plan.Known = []*probe.Classifier{&learned}
	s, served := serveLocally(t, &plan)
	versions := map[probe.Version]int{}
	for f := range s.Flows(t.Context()) {
		if versions[f.Version]++; f.Index == 99 {
			break
		}
	}
	require.NoError(t, <-served)
	require.Equal(t, 100, versions[probe.Stable]+versions[probe.Canary])
	require.Positive(t, versions[probe.Stable])
	require.Positive(t, versions[probe.Canary])
}

// TestServeTellsOfFailures: they come with their class and none of their words.
func TestServeTellsOfFailures(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := uint16(listener.Addr().(*net.TCPAddr).Port)
	require.NoError(t, listener.Close())
	plan := planFor(port)
	s, served := serveLocally(t, &plan)
	for f := range s.Flows(t.Context()) {
		require.Equal(t, probe.Refused, f.Class)
		require.EqualError(t, f.Err, "the flow ended as refused")
		if f.Index == 20 {
			break
		}
	}
	require.NoError(t, s.Err())
	require.NoError(t, <-served)
}

// TestServeKeepsTalking tells how it goes from the beginning, also when nothing ends.
func TestServeKeepsTalking(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // accepts nothing and says nothing
	require.NoError(t, err)
	defer listener.Close()
	plan := planFor(uint16(listener.Addr().(*net.TCPAddr).Port))
	data, err := plan.Encode()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var lines atomic.Int64
	out := writerFunc(func(line []byte) (int, error) {
		if line[0] == 's' && lines.Add(1) == 3 {
			cancel()
		}
		return len(line), nil
	})
	began := time.Now()
	require.NoError(t, Serve(ctx, data, "v1", out))
	require.Equal(t, int64(3), lines.Load())
	require.GreaterOrEqual(t, time.Since(began), 2*sayEvery-100*time.Millisecond)
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

// TestServeIsStopped by whatever reads it no more.
func TestServeIsStopped(t *testing.T) {
	t.Parallel()
	plan := planFor(greeter(t, "old\n"))
	data, err := plan.Encode()
	require.NoError(t, err)
	full := errors.New("no space left on device")
	var written atomic.Int64
	err = Serve(t.Context(), data, "v1", writerFunc(func(line []byte) (int, error) {
		if line[0] == 'f' && written.Add(1) == 10 {
			return 0, full
		}
		return len(line), nil
	}))
	require.ErrorIs(t, err, full)
	require.ErrorIs(t, Serve(t.Context(), data, "v1", writerFunc(func([]byte) (int, error) { return 0, full })), full)
}

// TestServeRefuses says why it does not even begin.
func TestServeRefuses(t *testing.T) {
	t.Parallel()
	port := greeter(t, "old\n")
	for name, row := range map[string]struct {
		change func(*Plan)
		why    string
	}{
		"no such host": {func(p *Plan) { p.Addresses = []string{"nowhere.invalid"} }, "nowhere.invalid"},
		"no host":      {func(p *Plan) { p.Addresses = []string{"0.0.0.0"} }, "is not that of a host"},
		"bad probe":    {func(p *Plan) { p.Spec.Text = "- {port: 1, preset: tcp}" }, "the Service has no such port"},
		"bad pattern":  {func(p *Plan) { p.Stable = "(" }, "stable-pattern"},
		"few lessons":  {func(p *Plan) { p.Known = []*probe.Classifier{} }, "knows the answers of 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := planFor(port)
			row.change(&plan)
			s, served := serveLocally(t, &plan)
			require.Empty(t, collect(t, s, 0))
			require.ErrorContains(t, s.Err(), "it cannot work: ")
			require.ErrorContains(t, s.Err(), row.why)
			require.ErrorContains(t, <-served, row.why)
		})
	}
	var out bytes.Buffer
	require.ErrorContains(t, Serve(t.Context(), []byte("{}"), "v1", &out), "it is of format 0")
	require.Contains(t, out.String(), "\ne ")
}
