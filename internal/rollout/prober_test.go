package rollout_test

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// remote is a prober that is somewhere else: it takes time to be ready, may never be, and
// may die. It counts windows from 1.
type remote struct {
	rollout.Prober
	windows []rollout.Aim
	starts  map[int]time.Duration // how long a window's prober takes to be ready
	fails   map[int]error         // why it is not
	dies    map[int]int           // after so many flows
	within  []time.Duration       // how long flows are wanted, by window; 0: no end
}

func (p *remote) Sampler(ctx context.Context, aim rollout.Aim) (rollout.Flows, error) {
	p.windows = append(p.windows, aim)
	n := len(p.windows)
	until, _ := ctx.Deadline()
	p.within = append(p.within, max(0, time.Until(until)))
	select {
	case <-time.After(p.starts[n]):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := p.fails[n]; err != nil {
		return nil, err
	}
	flows, err := p.Prober.Sampler(ctx, aim)
	return &mortal{made: flows, lives: p.dies[n]}, err
}

// mortal are flows that may end by themselves.
type mortal struct {
	made  rollout.Flows
	lives int // 0: for ever
	err   error
}

var errDead = &rollout.Setback{Reason: rollout.ReasonInvalidLocal, Prober: true, Message: "the prober in the cluster was evicted"}

func (m *mortal) Stats() probe.Stats { return m.made.Stats() }
func (m *mortal) Err() error         { return m.err }

func (m *mortal) Flows(ctx context.Context) iter.Seq[probe.Flow] {
	return func(yield func(probe.Flow) bool) {
		n := 0
		for flow := range m.made.Flows(ctx) {
			if !yield(flow) {
				return
			}
			if n++; n == m.lives {
				m.err = errDead
				return
			}
		}
	}
}

// newRemote is a rollout whose flows are made elsewhere.
func newRemote(t *testing.T) (*cluster, *rollout.Rollout, *remote) {
	t.Helper()
	c := newCluster(10, 0)
	r, b, _ := newRollout(t, c)
	p := &remote{Prober: b, starts: map[int]time.Duration{}, fails: map[int]error{}, dies: map[int]int{}}
	r.Prober = p
	return c, r, p
}

// TestProberElsewhere: that it takes its time to be ready changes nothing, and it is told
// for how long flows are wanted.
func TestProberElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, p := newRemote(t)
		for i := range 10 {
			p.starts[i] = 20 * time.Second
		}
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.Len(t, p.windows, 5)
		for i, aim := range p.windows {
			require.Equal(t, []string{"192.0.2.7"}, aim.Addresses)
			require.Equal(t, r.Seed+uint64(i)+1, aim.Seed)
			require.False(t, aim.Listen)
			require.Nil(t, aim.Known)
			require.InDelta(t, (r.Propagation + r.StageTimeout - r.Settle).Seconds(), p.within[i].Seconds(), 1)
		}
		requireInvariants(t, c, 10, 3)
	})
}

// TestProberFails: whatever keeps it from its work is neither the service's fault nor the
// canary's. Nothing goes on by it, and nothing is hurried.
func TestProberFails(t *testing.T) {
	t.Parallel()
	imageless := &rollout.Setback{Reason: rollout.ReasonImage, Prober: true, Message: "the prober in the cluster cannot run: not found"}
	for name, row := range map[string]struct {
		harm    func(*remote)
		outcome rollout.Outcome
		reason  rollout.Reason
		calls   []string
	}{
		"at the start":    {func(p *remote) { p.fails[1] = imageless }, rollout.Aborted, rollout.ReasonImage, nil},
		"in the baseline": {func(p *remote) { p.dies[1] = 100 }, rollout.Aborted, rollout.ReasonInvalidLocal, nil},
		"at a stage": {func(p *remote) { p.fails[2] = imageless }, rollout.RolledBack, rollout.ReasonImage,
			[]string{"apply surroundings", "apply canary", "scale canary 1", "scale stable 9", "scale stable 10", "scale canary 0"}},
		"in a stage": {func(p *remote) { p.dies[2] = 100 }, rollout.RolledBack, rollout.ReasonInvalidLocal,
			[]string{"apply surroundings", "apply canary", "scale canary 1", "scale stable 9", "scale stable 10", "scale canary 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, p := newRemote(t)
				row.harm(p)
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, row.outcome, r.Record.Outcome, r.Record.Message)
				require.Equal(t, row.reason, r.Record.Reason)
				require.Contains(t, r.Record.Message, "the prober in the cluster")
				require.NotContains(t, r.Record.Message, "not our change")
				last := r.Record.Stages[len(r.Record.Stages)-1]
				require.Equal(t, rollout.Invalid, last.Verdict)
				require.Equal(t, row.reason, last.Reason)
				require.Equal(t, row.calls, c.calls)
				requireInvariants(t, c, 10, 3)
			})
		})
	}
}

// TestProberIsNotReady: a stage whose time is up before there was a flow says so.
func TestProberIsNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, r, p := newRemote(t)
		p.starts[2] = time.Hour
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.RolledBack, r.Record.Outcome, r.Record.Message)
		require.Equal(t, rollout.ReasonDeadline, r.Record.Reason)
		require.Contains(t, r.Record.Message, "the prober was not ready within propagation and stage-timeout")
		require.Equal(t, rollout.Invalid, r.Record.Stages[1].Verdict)
		requireInvariants(t, c, 10, 3)
	})
}

// TestProberIsCancelled: a run that is stopped while its prober starts has not failed.
func TestProberIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, r, p := newRemote(t)
		p.starts[2] = time.Minute
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(45*time.Second, cancel)
		require.NoError(t, r.Run(ctx))
		require.Equal(t, rollout.Interrupted, r.Record.Outcome, r.Record.Message)
	})
}

// TestQuietProberElsewhere: in a pause it is told how long that lasts; when it dies, or is
// never ready, the pause is as long as it was to be, and the pods are watched.
func TestQuietProberElsewhere(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(*remote){
		"lives":       func(p *remote) { p.starts[1] = time.Minute },
		"dies":        func(p *remote) { p.dies[1] = 3 },
		"fails":       func(p *remote) { p.fails[1] = errDead },
		"never ready": func(p *remote) { p.starts[1] = time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, r, _ := newRemote(t)
				p := &remote{Prober: r.Quiet, starts: map[int]time.Duration{}, fails: map[int]error{}, dies: map[int]int{}}
				harm(p)
				r.Quiet, r.Plan.Steps = p, []rollout.Percent{10, 100}
				r.Pauses = map[rollout.Percent]time.Duration{10: 10 * time.Minute}
				var paused, resumed time.Time
				c.onScale = func(_ *cluster, side probe.Version, to int) error {
					if side == probe.Canary && to > 1 && resumed.IsZero() {
						resumed = time.Now()
					}
					return nil
				}
				herald := judgedFunc(func(s rollout.StageRecord) {
					if s.Name == "10" {
						paused = time.Now()
					}
				})
				r.Herald = herald
				require.NoError(t, r.Run(t.Context()))
				require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
				require.InDelta(t, 600, resumed.Sub(paused).Seconds(), 2)
				require.InDelta(t, 600, p.within[0].Seconds(), 1)
				requireInvariants(t, c, 10, 3)
			})
		})
	}
}

// lastMinute is a prober that is ready just when the run is told to stop, and notes whether
// its flows were given back.
type lastMinute struct {
	rollout.Prober
	stop  func()
	freed bool
}

func (p *lastMinute) Sampler(ctx context.Context, aim rollout.Aim) (rollout.Flows, error) {
	p.stop()
	flows, err := p.Prober.Sampler(ctx, aim)
	return &lastMinuteFlows{flows, p}, err
}

type lastMinuteFlows struct {
	made rollout.Flows
	of   *lastMinute
}

func (f *lastMinuteFlows) Stats() probe.Stats { return f.made.Stats() }
func (f *lastMinuteFlows) Err() error         { return f.made.Err() }

func (f *lastMinuteFlows) Flows(ctx context.Context) iter.Seq[probe.Flow] {
	f.of.freed = true
	return f.made.Flows(ctx)
}

// TestQuietFlowsAreGivenBack: what makes the flows of a pause is freed by the range over
// them, also where the run was told to stop in the moment in which they were ready.
func TestQuietFlowsAreGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, r, _ := newRemote(t)
		ctx, cancel := context.WithCancel(t.Context())
		p := &lastMinute{Prober: r.Quiet, stop: cancel}
		r.Quiet, r.Pauses = p, map[rollout.Percent]time.Duration{10: 10 * time.Minute}
		require.NoError(t, r.Run(ctx))
		require.Equal(t, rollout.Interrupted, r.Record.Outcome, r.Record.Message)
		require.True(t, p.freed)
	})
}

type judgedFunc func(rollout.StageRecord)

func (f judgedFunc) Judged(_ context.Context, s rollout.StageRecord) { f(s) }

// TestProberIsTaughtElsewhere: first it is asked for answers, then it is told what they
// taught, and what it says of versions stands.
func TestProberIsTaughtElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _, _ := newLearner(t, 10, versions)
		p := &remote{Prober: &taught{r.Prober}}
		r.Prober = p
		require.NoError(t, r.Run(t.Context()))
		require.Equal(t, rollout.Promoted, r.Record.Outcome, r.Record.Message)
		require.True(t, p.windows[0].Listen)
		require.Equal(t, []*probe.Classifier{nil}, p.windows[0].Known)
		for _, aim := range p.windows[1:] {
			require.False(t, aim.Listen)
			require.Equal(t, words, aim.Known[0].String())
		}
		for _, stage := range r.Record.Stages {
			require.Equal(t, rollout.Pass, stage.Verdict)
			require.Zero(t, stage.Unknown)
		}
	})
}

// taught tells versions apart itself, and keeps the answers; while somebody listens it
// keeps every other one.
type taught struct{ rollout.Prober }

func (p *taught) Sampler(ctx context.Context, aim rollout.Aim) (rollout.Flows, error) {
	flows, err := p.Prober.Sampler(ctx, aim)
	return &taughtFlows{flows, aim}, err
}

type taughtFlows struct {
	made rollout.Flows
	aim  rollout.Aim
}

func (f *taughtFlows) Stats() probe.Stats { return f.made.Stats() }
func (f *taughtFlows) Err() error         { return f.made.Err() }

func (f *taughtFlows) Flows(ctx context.Context) iter.Seq[probe.Flow] {
	return func(yield func(probe.Flow) bool) {
		for flow := range f.made.Flows(ctx) {
			if !f.aim.Listen {
				f.aim.Known[flow.Port].Attribute(&flow)
			}
			if !f.aim.Listen || flow.Index%2 == 0 {
				flow.Answer, flow.Told = nil, true
			}
			if !yield(flow) {
				return
			}
		}
	}
}

// TestInsideThereIsNoLocalPolicy: flows that begin inside reach every pod alike, and that is
// what is expected of them.
func TestInsideThereIsNoLocalPolicy(t *testing.T) {
	t.Parallel()
	for inside, want := range map[bool]rollout.Percent{true: 10, false: 50} { // one pod of ten, alone on its node of two
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(10, 0)
			c.state.Local = true
			r, b, _ := newRollout(t, c)
			r.Record.Inside, r.Until = inside, 10
			b.answer = func(_ float64, random *rand.Rand) probe.Flow {
				c.mu.Lock()
				state := c.state
				c.mu.Unlock()
				state.Local = !inside
				return byShare(state.ExpectedWeight().Fraction(), random)
			}
			require.NoError(t, r.Run(t.Context()))
			require.Equal(t, rollout.Held, r.Record.Outcome, r.Record.Message)
			require.InDelta(t, float64(want), float64(*r.Record.Stages[1].Expected), 1e-9)
		})
	}
}

// sweeper counts.
type sweeper struct {
	swept int
	err   error
}

func (s *sweeper) Sweep(context.Context) error {
	s.swept++
	return s.err
}

// TestSweepsWhatAProberLeft: a run and a rollback begin with it, and go on if it fails.
func TestSweepsWhatAProberLeft(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, errors.New("forbidden")} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(10, 0)
			r, _, _ := newRollout(t, c)
			s, l := &sweeper{err: err}, &ledger{cluster: c}
			r.Sweeper, r.Ledger, r.Until = s, l, 50
			require.NoError(t, r.Run(t.Context()))
			require.Equal(t, rollout.Held, r.Record.Outcome, r.Record.Message)
			require.Equal(t, 1, s.swept)

			back, _, _ := newRollout(t, c)
			back.Sweeper, back.Memory = s, &l.kept[len(l.kept)-1]
			require.NoError(t, back.Restore(t.Context()))
			require.Equal(t, rollout.RolledBack, back.Record.Outcome, back.Record.Message)
			require.Equal(t, 2, s.swept)
		})
	}
}
