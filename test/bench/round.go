//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"time"
)

// turn is what each round has once.
type turn struct {
	kind    kind
	workers int
	rate    float64 // 0: as fast as it goes
	tool    *tool   // nil: the sampler
}

// turns are those of a round.
func turns(all []tool) []turn {
	var round []turn
	for _, workers := range []int{1, 16} {
		round = append(round, turn{kind: greeting, workers: workers}, turn{kind: datagram, workers: workers}, turn{kind: request, workers: workers})
		for i := range all {
			round = append(round, turn{kind: request, workers: workers, tool: &all[i]})
		}
	}
	for _, rate := range []float64{50, 500, 5000} {
		round = append(round, turn{kind: greeting, rate: rate})
	}
	return round
}

// String is a turn in a line of progress.
func (t turn) String() string {
	name := "samples"
	if t.tool != nil {
		name = t.tool.name
	}
	if t.rate > 0 {
		return fmt.Sprintf("%s over %s at %.0f/s", name, t.kind, t.rate)
	}
	return fmt.Sprintf("%s over %s, %d workers", name, t.kind, t.workers)
}

// figures are what a turn came to in one round.
type figures struct {
	samples  int
	rate     float64       // a second
	cpu      time.Duration // of the client, a sample
	allocs   float64       // a sample; only of the sampler
	leftOut  int           // starts that the cap on flows under way left out; only with a rate
	lateness time.Duration // p99; only with a rate
}

// measured are the figures of a turn in all rounds.
type measured struct {
	turn
	rounds []figures
}

// bench is everything that was measured.
type bench struct {
	options
	turns    []measured
	programs []string
}

// measureAll plays all rounds.
func measureAll(ctx context.Context, o options, progress io.Writer) (bench, error) {
	all := tools(o.fortio)
	if err := missing(all); err != nil {
		return bench{}, err
	}
	b := bench{options: o, programs: programs(ctx, all)}
	for _, t := range turns(all) {
		if o.Only.MatchString(t.String()) {
			b.turns = append(b.turns, measured{turn: t})
		}
	}
	p, err := newPlayer(ctx, o)
	if err != nil {
		return b, err
	}
	defer p.stop()
	for round := range o.rounds {
		for i := range b.turns {
			if round%2 == 1 { // nothing always comes after the same
				i = len(b.turns) - 1 - i
			}
			m := &b.turns[i]
			f, err := p.play(ctx, m.turn, m.rounds)
			if err != nil {
				return b, fmt.Errorf("%s: %w", m.turn, err)
			}
			m.rounds = append(m.rounds, f)
			_, _ = fmt.Fprintf(progress, "round %d: %s: %.0f/s, %s of CPU each\n", round+1, m.turn, f.rate, micros(f.cpu))
		}
	}
	return b, nil
}

// player plays turns against a server.
type player struct {
	options
	program string // this one
	ports   map[kind]uint16
	stop    func()
	runs    int
}

// newPlayer starts the server.
func newPlayer(ctx context.Context, o options) (*player, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &player{options: o, program: program}
	server := exec.CommandContext(ctx, program, "serve")
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe() // it ends with us
	if err != nil {
		return nil, err
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, err
	}
	p.stop = func() {
		_ = stdin.Close()
		_ = server.Wait() // nothing that it could say matters any more
	}
	if err := json.NewDecoder(stdout).Decode(&p.ports); err != nil {
		p.stop()
		return nil, fmt.Errorf("the server does not listen: %w", err)
	}
	return p, nil
}

// play has a turn, at an address of its own.
func (p *player) play(ctx context.Context, t turn, before []figures) (figures, error) {
	if t.tool != nil {
		did, err := t.tool.ask(ctx, t.workers, p.seconds, "http://"+p.next(request).String()+"/")
		if err != nil {
			return figures{}, err
		}
		return figures{samples: did.Requests, rate: did.Rate, cpu: did.CPU / time.Duration(did.Requests)}, nil
	}
	const trial = 500
	if len(before) == 0 && t.rate == 0 {
		first, err := p.sample(ctx, t, trial)
		if err != nil {
			return figures{}, err
		}
		before = append(before, first)
	}
	return p.sample(ctx, t, p.count(t, before))
}

// paceFactor is how much longer a slow schedule is watched: its p99 takes samples.
const paceFactor = 4

// mostPorts is how many flows one run has at most: each has a source port of its own,
// and the kernel has 28,232 by default.
const mostPorts = 28000

// count is how many samples take so long as a run, to judge by the round before.
func (p *player) count(t turn, before []figures) int {
	seconds := float64(p.seconds)
	switch {
	case t.rate > 0 && t.rate <= 50:
		return int(t.rate * seconds * paceFactor)
	case t.rate > 0:
		return int(t.rate * seconds)
	}
	return max(1, min(mostPorts, int(before[len(before)-1].rate*seconds)))
}

// next is the address of the next run.
func (p *player) next(k kind) netip.AddrPort {
	p.runs++
	return netip.AddrPortFrom(place(p.runs), p.ports[k])
}

// sample takes so many in a process of its own.
func (p *player) sample(ctx context.Context, t turn, count int) (figures, error) {
	job := task{kind: t.kind, target: p.next(t.kind), workers: t.workers, rate: t.rate, count: count, seed: p.seed + uint64(p.runs)}
	sampler := exec.CommandContext(ctx, p.program, job.args()...)
	sampler.Stderr = os.Stderr
	output, err := sampler.Output()
	if err != nil {
		return figures{}, err
	}
	var result taken
	if err := json.Unmarshal(output, &result); err != nil {
		return figures{}, fmt.Errorf("what the sampler says: %w", err)
	}
	if result.Lost != 0 || result.Samples != count {
		return figures{}, fmt.Errorf("%d of %d samples were lost", result.Lost, count)
	}
	n := time.Duration(result.Samples)
	return figures{
		samples: result.Samples, rate: float64(result.Samples) / result.Took.Seconds(), cpu: result.CPU / n,
		allocs: float64(result.Allocs) / float64(result.Samples), leftOut: result.LeftOut, lateness: result.Lateness,
	}, nil
}

// median of one figure over the rounds, which are an odd number.
func (m measured) median(figure func(figures) float64) float64 {
	var all []float64
	for _, f := range m.rounds {
		all = append(all, figure(f))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
