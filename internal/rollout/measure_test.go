package rollout

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/stats"
)

// TestMeasurement counts one flow of each kind.
func TestMeasurement(t *testing.T) {
	t.Parallel()
	o := options(50)
	o.Seed = 42
	o.NoEarlyStop = true
	j := NewJudge(o)
	stable, canary := answer(probe.Stable), answer(probe.Canary)
	stable.Pod, canary.Pod, canary.Address, canary.FirstByte = "web-1", "web-2", viaB, 7*time.Millisecond
	skipping := stable
	skipping.Skipped = 3
	for _, f := range []probe.Flow{
		stable, stable, skipping, canary, answer(probe.Unknown), answer(probe.None),
		failure(probe.Refused, probe.None), failure(probe.Reset, probe.None), failure(probe.Timeout, probe.None),
		failure(probe.Faulty, probe.Canary), failure(probe.Local, probe.None),
	} {
		j.Add(f)
	}
	j.Note(probe.Stats{Sent: 11, NotSent: 5, Rate: 49.5})

	observed, expected := Percent(25), Percent(50)
	measured := j.Measurements()
	require.Nil(t, measured[0].Evidence, "it is not decided")
	require.Equal(t, []Measurement{{
		Port: "80/TCP",
		Addresses: []AddressCount{
			{Address: "192.0.2.1", Stable: 3, Unknown: 2, Failed: 4},
			{Address: "192.0.2.2", Canary: 1},
		},
		Pods:    []PodCount{{"web-1", probe.Stable, 3}, {"web-2", probe.Canary, 1}},
		Samples: 10, Stable: 3, Canary: 1, Unknown: 2,
		Errors:   map[probe.Class]int{probe.Refused: 1, probe.Reset: 1, probe.Timeout: 1, probe.Faulty: 1, probe.Local: 1},
		NotSent:  5,
		Observed: &observed,
		Interval: stats.NewShareTest(0.5, 0.05, 0.95).Window(0).Interval(1, 4),
		Wilson:   stats.Wilson(1, 4, 0.95),
		Expected: &expected,
		Band:     stats.Interval{Lo: 0.45, Hi: 0.55},
		Latency: map[probe.Version]Latency{
			probe.Stable: {3 * time.Millisecond, 3 * time.Millisecond, 3 * time.Millisecond},
			probe.Canary: {7 * time.Millisecond, 7 * time.Millisecond, 7 * time.Millisecond},
		},
		Rate: 49.5,
		Seed: 42,
	}}, measured)
	require.Equal(t, &Baseline{
		Ports: []Failures{{Failed: 4, Flows: 10}}, Times: []Pace{{P95: 3 * time.Millisecond, Answers: 3}},
	}, j.AsBaseline())
}

func TestMeasurementOfNothing(t *testing.T) {
	t.Parallel()
	m := NewJudge(options(50)).Measurements()[0]
	require.Zero(t, m.Samples)
	require.Nil(t, m.Observed)
	require.Len(t, m.Errors, 5)
	require.Equal(t, stats.Interval{Lo: 0, Hi: 1}, m.Interval)
	require.Empty(t, m.Latency)
}

func TestRateIsSharedOutToPorts(t *testing.T) {
	t.Parallel()
	o := options(50)
	o.Ports = []probe.Port{port(80), port(81)}
	j := NewJudge(o)
	feed(j, 30, turns(1, 2), turns(1, 2))
	j.Note(probe.Stats{Rate: 50, NotSent: 7})
	for _, m := range j.Measurements() {
		require.InDelta(t, 25, m.Rate, 1e-9)
		require.Zero(t, m.NotSent, "flows tell which port was left out")
	}
}

func TestLatencyQuantilesAreObservedValues(t *testing.T) {
	t.Parallel()
	var times []time.Duration
	for i := 200; i > 0; i-- {
		times = append(times, time.Duration(i)*time.Millisecond)
	}
	require.Equal(t, Latency{100 * time.Millisecond, 190 * time.Millisecond, 198 * time.Millisecond}, latency(times))
	require.Equal(t, 200*time.Millisecond, times[0], "the argument is left as it is")
	one := []time.Duration{time.Second}
	require.Equal(t, Latency{time.Second, time.Second, time.Second}, latency(one))
}

// TestPodsAreBounded: pod names come out of foreign answers.
func TestPodsAreBounded(t *testing.T) {
	t.Parallel()
	o := options(50)
	o.NoEarlyStop = true
	j := NewJudge(o)
	for i := range 3 * maxPods {
		f := answer(probe.Stable)
		f.Pod = fmt.Sprint("web-", i)
		j.Add(f)
	}
	long := answer(probe.Stable)
	long.Pod = strings.Repeat("x", maxPodName+1)
	j.Add(long)
	m := j.Measurements()[0]
	require.Len(t, m.Pods, maxPods)
	require.Equal(t, 3*maxPods+1, m.Stable)
}

// BenchmarkJudge is the cost of one flow, the sequential test included.
func BenchmarkJudge(b *testing.B) {
	o := options(50)
	o.MaxProbes = 1 << 30
	j := NewJudge(o)
	f := answer(probe.Stable)
	b.ReportAllocs()
	for i := range b.N {
		f.Version = probe.Stable
		if i%20 < 11 { // on the edge: never decided
			f.Version = probe.Canary
		}
		if j.Add(f) {
			j = NewJudge(o)
		}
	}
}

// TestSampleLoopback puts sampler and judge together, with a server that answers
// as either version by the toss of a coin.
func TestSampleLoopback(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	server, err := config.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	go func() {
		coin, buffer := rand.New(rand.NewPCG(1, 1)), make([]byte, 100)
		for {
			_, from, rerr := server.ReadFrom(buffer)
			if rerr != nil {
				return
			}
			_, _ = server.WriteTo([]byte([]string{"old", "new"}[coin.IntN(2)]), from)
		}
	}()
	exchange, err := probe.Preset("udp")
	require.NoError(t, err)
	classifier, err := probe.NewClassifier("old", "new")
	require.NoError(t, err)
	address := netip.MustParseAddrPort(server.LocalAddr().String())
	o := options(50)
	o.Tolerance = 20
	o.Ports = []probe.Port{{Number: address.Port(), Protocol: probe.UDP, Exchange: exchange}}
	sampler, err := probe.NewSampler(probe.Options{
		Ports: o.Ports, Addresses: []netip.Addr{address.Addr()}, Classifier: classifier, Concurrency: 2,
	})
	require.NoError(t, err)
	j := NewJudge(o)
	require.NoError(t, Sample(t.Context(), sampler.Flows(t.Context()), j))
	j.Note(sampler.Stats())
	verdict, _, detail, _ := j.Verdict()
	require.Equal(t, Pass, verdict, detail)
	m := j.Measurements()[0]
	require.Positive(t, m.Rate)
	require.Positive(t, m.Latency[probe.Canary].P50)
}
