package rollout_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// meter is a monitoring system in memory. It remembers when it was asked what.
type meter struct {
	t       *testing.T
	cluster *cluster

	mu      sync.Mutex
	answers map[string]func(at moment) ([]rollout.Reading, error) // by expression
	asked   []moment
}

// moment is when a query was asked: the pods, and for how long they had been so.
type moment struct {
	expr           string
	stable, canary int
	at             time.Time
	nth            int // time that this query was asked at these pods, from 1
}

func (m *meter) Ask(ctx context.Context, expr string) ([]rollout.Reading, error) {
	state, err := m.cluster.Next(ctx, 0)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := moment{expr: expr, stable: state.Stable.Serving, canary: state.Canary.Serving, at: time.Now(), nth: 1}
	for _, before := range m.asked {
		if before.expr == expr && before.stable == now.stable && before.canary == now.canary {
			now.nth++
		}
	}
	m.asked = append(m.asked, now)
	answer := m.answers[expr]
	if answer == nil {
		m.t.Errorf("nobody should ask %q", expr)
		return nil, nil
	}
	return answer(now)
}

// times is how often a query was asked at so many pods.
func (m *meter) times(expr string, stable, canary int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, asked := range m.asked {
		if asked.expr == expr && asked.stable == stable && asked.canary == canary {
			n++
		}
	}
	return n
}

// numbers are an answer.
func numbers(values ...float64) []rollout.Reading {
	var all []rollout.Reading
	for i, value := range values {
		all = append(all, rollout.Reading{Labels: `{pod="lobby-` + string(rune('a'+i)) + `"}`, Value: value})
	}
	return all
}

// always is a query that answers the same at all times.
func always(values ...float64) func(moment) ([]rollout.Reading, error) {
	return func(moment) ([]rollout.Reading, error) { return numbers(values...), nil }
}

// upTo is a query of which every number may be so large.
func upTo(name string, limit float64) rollout.Query {
	return rollout.Query{Name: name, Expr: name, Max: &limit}
}

// metered is a rollout of R=4 S=2 in two stages with queries.
func metered(t *testing.T, queries ...rollout.Query) (*cluster, *rollout.Rollout, *meter) {
	t.Helper()
	c := newCluster(4, 0)
	r, _, _ := newRollout(t, c)
	r.Plan = rollout.PlanOptions{Replicas: 4, MaxSurge: 2, Steps: []rollout.Percent{50, 100}, MaxWeightError: 5}
	m := &meter{t: t, cluster: c, answers: map[string]func(moment) ([]rollout.Reading, error){}}
	r.Queries, r.Meter = queries, m
	return c, r, m
}

// canaryOnly is a query about pods of the canary.
func canaryOnly(q rollout.Query) rollout.Query {
	q.NamesCanary = true
	return q
}

// scaledGently reports whether canaries were taken out of the Service before they went.
func scaledGently(c *cluster) bool {
	for _, call := range c.calls {
		if call == "park "+string(probe.Canary)+" 1" || call == "park "+string(probe.Canary)+" 2" {
			return true
		}
	}
	return false
}
