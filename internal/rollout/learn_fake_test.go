package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// backend is what pods answer, by port and side, asked directly and through the balancer.
type backend struct {
	cluster *cluster
	says    func(port int, side probe.Version) string // "%s" becomes the pod's name
	fail    func(pod string, port int) error          // asked directly; nil: it answers

	mu      sync.Mutex
	asked   []string // "pod port"
	smoked  int
	snuffed int
	onSmoke func(*rollout.SmokePod) // what becomes of the pod; nil: it gets ready
	noRoom  error
}

const smokePod = "lobby-green-smoke-x"

func (b *backend) answer(pod string, port int) string {
	side := probe.Stable
	if strings.HasPrefix(pod, "canary") || pod == smokePod {
		side = probe.Canary
	}
	return strings.ReplaceAll(b.says(port, side), "%s", pod)
}

func (b *backend) Ask(ctx context.Context, q rollout.Question) ([]probe.Heard, error) {
	b.mu.Lock()
	b.asked = append(b.asked, fmt.Sprintf("%s %s as %s", q.Pod, q.Port, q.Address))
	b.mu.Unlock()
	port := int(q.Port.Number) - 80
	if b.fail != nil {
		if err := b.fail(q.Pod, port); err != nil {
			return nil, err
		}
	}
	var heard []probe.Heard
	for range q.Times {
		select {
		case <-time.After(q.Over / time.Duration(q.Times)):
		case <-ctx.Done():
			return heard, ctx.Err()
		}
		heard = append(heard, probe.Heard{Pod: q.Pod, Answer: []byte(b.answer(q.Pod, port))})
	}
	return heard, nil
}

func (b *backend) Smoke(context.Context) (string, error) {
	b.smoked++
	if b.noRoom != nil {
		return "", b.noRoom
	}
	b.cluster.change(func(s *rollout.State) { s.Smoke = []rollout.SmokePod{{Pod: smokePod}} })
	time.AfterFunc(readyAfter, func() {
		b.cluster.change(func(s *rollout.State) {
			for i := range s.Smoke {
				s.Smoke[i].Ready = true
				if b.onSmoke != nil {
					b.onSmoke(&s.Smoke[i])
				}
			}
		})
	})
	return smokePod, nil
}

func (b *backend) Snuff(context.Context) error {
	b.snuffed++
	b.cluster.change(func(s *rollout.State) { s.Smoke = nil })
	return nil
}

// versions is a service that says its version and the pod's name.
func versions(port int, side probe.Version) string {
	if side == probe.Canary {
		return "1.9.0 %s\n"
	}
	return "1.8.2 %s\n"
}

// alike is one that says nothing.
func alike(int, probe.Version) string { return "hello\n" }

// newLearner is newRollout without patterns: its flows carry answers and no version.
func newLearner(t *testing.T, stable int, says func(int, probe.Version) string) (*rollout.Rollout, *backend, *journal) {
	t.Helper()
	c := newCluster(stable, 0)
	c.named = true
	c.endpoints()
	r, b, j := newRollout(t, c)
	back := &backend{cluster: c, says: says}
	b.answer = func(share float64, random *rand.Rand) probe.Flow {
		f := byShare(share, random)
		f.Port = random.IntN(len(r.Ports))
		f.Answer = []byte(back.answer(fmt.Sprintf("%s-%d", f.Version, random.IntN(3)), f.Port))
		f.Version = probe.Unknown
		return f
	}
	r.Learn, r.Asker, r.Smoker = true, back, back
	r.Record.Stable.Deployment, r.Record.Canary.Deployment = "lobby-blue", "lobby-green"
	return r, back, j
}

var errAway = errors.New("connection refused")
