//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"syscall"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// task is what one process samples.
type task struct {
	kind    kind
	target  netip.AddrPort
	workers int
	rate    float64 // 0: as fast as the workers go
	count   int
	seed    uint64
}

// taken is what became of it, and what it took.
type taken struct {
	Samples  int           // answered, and known whose answer it is
	Lost     int           // all others
	LeftOut  int           // starts that came to nothing because as many flows as may be were under way
	Stages   int           // that were decided on the way
	Took     time.Duration // from the first to the last
	CPU      time.Duration // of the process meanwhile, the kernel's work for it included
	Allocs   uint64
	Lateness time.Duration // p99 behind the schedule
}

// args are the task as flags.
func (t task) args() []string {
	return []string{
		"sample", "-kind", string(t.kind), "-target", t.target.String(), "-workers", fmt.Sprint(t.workers), "-rate", fmt.Sprint(t.rate),
		"-count", fmt.Sprint(t.count), "-seed", fmt.Sprint(t.seed),
	}
}

// sampleCommand is the task of these flags, and writes what became of it.
func sampleCommand(ctx context.Context, args []string, stdout io.Writer) error {
	var t task
	flags := flag.NewFlagSet("sample", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar((*string)(&t.kind), "kind", "", "")
	flags.TextVar(&t.target, "target", netip.AddrPort{}, "")
	flags.IntVar(&t.workers, "workers", 0, "")
	flags.Float64Var(&t.rate, "rate", 0, "")
	flags.IntVar(&t.count, "count", 0, "")
	flags.Uint64Var(&t.seed, "seed", 0, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	result, err := t.take(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(result)
}

// take samples.
func (t task) take(ctx context.Context) (taken, error) {
	o, err := t.options()
	if err != nil {
		return taken{}, err
	}
	if o.Classifier, err = learn(ctx, o); err != nil {
		return taken{}, err
	}
	sampler, err := probe.NewSampler(o)
	if err != nil {
		return taken{}, err
	}
	var result taken
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, began := used(), time.Now()
	err = result.stages(ctx, sampler, judgedBy(o))
	result.Took, result.CPU = time.Since(began), used()-cpu
	runtime.ReadMemStats(&after)
	result.Allocs = after.Mallocs - before.Mallocs
	stats := sampler.Stats()
	result.Lost, result.LeftOut = t.count-result.Samples, stats.NotSent
	result.Lateness = stats.Lateness.P99
	return result, err
}

// stages has one stage judged after the other, all from one sampler: when one is
// decided the next begins.
func (r *taken) stages(ctx context.Context, sampler *probe.Sampler, o rollout.JudgeOptions) error {
	judge := rollout.NewJudge(o)
	var problem error
	for flow := range sampler.Flows(ctx) {
		switch {
		case flow.Version == probe.Stable, flow.Version == probe.Canary:
			r.Samples++
		case problem == nil:
			problem = lost(flow)
		}
		if judge.Add(flow) {
			r.Stages++
			judge = rollout.NewJudge(o)
		}
	}
	return errors.Join(problem, ctx.Err())
}

// lost says what became of a sample that nobody answered, or nobody knows who.
func lost(f probe.Flow) error {
	if f.Err == nil {
		return fmt.Errorf("a sample was lost: nobody knows whose answer %q is", f.Answer)
	}
	return fmt.Errorf("a sample was lost: %s: %w", f.Class, f.Err)
}

// options are those of the sampler.
func (t task) options() (probe.Options, error) {
	exchange, err := probe.Preset(string(t.kind))
	if err != nil {
		return probe.Options{}, err
	}
	port := probe.Port{Number: t.target.Port(), Protocol: probe.TCP, Exchange: exchange}
	if t.kind == datagram {
		port.Protocol = probe.UDP
	}
	return probe.Options{
		Ports: []probe.Port{port}, Addresses: []netip.Addr{t.target.Addr()},
		Rate: t.rate, Concurrency: t.workers, Count: t.count, Seed: t.seed,
	}, nil
}

// learn finds out what tells the answers apart, as a run does that was told no patterns.
func learn(ctx context.Context, o probe.Options) (*probe.Classifier, error) {
	o.Rate, o.Count = 0, 64
	sampler, err := probe.NewSampler(o)
	if err != nil {
		return nil, err
	}
	var heard probe.Evidence
	for flow := range sampler.Flows(ctx) {
		if flow.Err != nil {
			return nil, lost(flow)
		}
		if bytes.HasSuffix(flow.Answer, []byte(words[0])) {
			heard.Stable = append(heard.Stable, probe.Heard{Answer: flow.Answer})
		} else {
			heard.Canary = append(heard.Canary, probe.Heard{Answer: flow.Answer})
		}
	}
	return probe.Learn(heard)
}

// judgedBy is what a stage at 50 % is judged by, after a baseline, with all gates on.
func judgedBy(o probe.Options) rollout.JudgeOptions {
	half, increase, errorRate := rollout.Percent(50), rollout.Percent(25), rollout.Percent(1)
	return rollout.JudgeOptions{
		Ports: o.Ports, Expected: &half, Tolerance: 5, Confidence: 95, Seed: o.Seed, MaxErrorRate: &errorRate, MaxSlower: &increase,
		Baseline: &rollout.Baseline{
			Ports: []rollout.Failures{{Flows: 300}},
			Times: []rollout.Pace{{P95: 10 * time.Millisecond, Answers: 300}},
		},
	}
}

// used is the CPU time of this process so far.
func used() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // there is no such failure with these arguments
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
