//go:build e2e

package drill

import (
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

// kill is one case: the program is killed at one write, and then the rollout is
// gone on with or rolled back.
type kill struct {
	mode
	at       point
	after    bool // the API server has answered; before: the write never left
	rollback bool
}

// place implements drilled.
func (k kill) place() place {
	return place{k.kind + ": the rollout is killed", k.at.String(), when(k.after) + ", " + k.then()}
}

func when(after bool) string {
	if after {
		return "after"
	}
	return "before"
}

func (k kill) then() string {
	if k.rollback {
		return "rollback"
	}
	return "resume"
}

// result is what came of a case.
type result struct {
	outcome      string
	opened, lost int
	astray       int // of opened, lost by the node's kernel
	least        int // ready pods in the Service, at any instant
	took         time.Duration
	problems     []string
}

// users are clients of a Service and a count of what serves them.
type users struct {
	*harness.Clients
	*endpoints
}

// attend makes the first version of a namespace serve users.
func attend(t *testing.T, l *harness.Lab, namespace string) *users {
	t.Helper()
	e := watchEndpoints(t, l, namespace)
	e.await(t, capacity)
	return &users{harness.Use(t, harness.Serve(t, l, namespace), 20*time.Millisecond, 0), e}
}

// enough is how many connections have something to say about a case. One that a fault
// ends at once waits for them.
const enough = 100

// leave ends the users: none may have lost anything.
func (u *users) leave(t *testing.T, res *result) {
	t.Helper()
	require.Eventually(t, func() bool { return u.Opened() >= enough }, time.Minute, 20*time.Millisecond, "clients open too few connections")
	opened, failed, _ := u.Stop()
	res.opened, res.lost, res.astray = opened, len(failed), len(u.Astray())
	for _, stray := range u.Astray() {
		t.Log("went astray: " + stray)
	}
	if len(failed) > 0 {
		res.problems = append(res.problems, fmt.Sprintf("%d of %d connections were lost, the first %s", len(failed), opened, failed[0]))
	}
	least, when := u.fewest()
	if res.least = least; least < capacity {
		res.problems = append(res.problems, fmt.Sprintf("only %d pods were ready at %s", least, when.Format("15:04:05.000")))
	}
}

// alone is how long nobody is there after a kill.
const alone = 3 * time.Second

// carry implements drilled.
func (k kill) carry(t *testing.T, l *harness.Lab, namespace string) (res result) {
	t.Helper()
	began := time.Now()
	original := k.deploy(t, l, namespace)
	u := attend(t, l, namespace)
	manifests := k.write(t, true)

	killed, _ := strike(t, l, k.at, k.after, func(kubeconfig string) []string {
		return k.arguments(kubeconfig, namespace, manifests)
	})
	if killed.Exit != -1 {
		res.problems = append(res.problems, fmt.Sprintf("the write did not come: exit %d", killed.Exit))
	}
	pass(t, alone)

	arguments := k.arguments(l.Kubeconfig, namespace, manifests)
	if k.rollback {
		arguments = rollback(l.Kubeconfig, namespace)
	}
	then := newRunner().run(t, arguments...)
	res.outcome = then.Outcome
	res.problems = append(res.problems, k.judge(then)...)
	found := k.look(t, l, namespace)
	if k.rollback {
		res.problems = append(res.problems, k.restored(found, original)...)
	} else {
		res.problems = append(res.problems, k.promoted(found)...)
	}
	u.leave(t, &res)
	res.took = time.Since(began)
	return res
}

// strike runs the program through a proxy and kills it at a write: after the API
// server has answered, or before the write leaves. A point that does not come lets
// it end by itself.
func strike(t *testing.T, l *harness.Lab, at point, after bool, arguments func(kubeconfig string) []string) (harness.Outcome, *proxy) {
	t.Helper()
	p, victim := newProxy(t, l, nil), newRunner()
	p.interfere = func(w http.ResponseWriter, _ *http.Request, here point, _ call, forward func() reply) bool {
		if here != at {
			return false
		}
		if after {
			if r := forward(); r.status == http.StatusConflict {
				p.answer(w, at, r)
				return true
			}
		}
		p.bury()
		victim.signal(os.Kill)
		panic(http.ErrAbortHandler)
	}
	return victim.run(t, arguments(p.Kubeconfig)...), p
}

// judge says what is wrong with how the second command ended.
func (k kill) judge(then harness.Outcome) []string {
	want := []string{"promoted"}
	switch {
	case k.rollback:
		want = []string{"rolled-back"}
		if k.unrecorded() {
			want = append(want, "nothing-to-do")
		}
	case k.done():
		want = []string{"nothing-to-do"}
	}
	for _, w := range want {
		if then.Exit == 0 && then.Outcome == w {
			return nil
		}
	}
	return []string{fmt.Sprintf("the %s ended %q with exit %d: %s", k.then(), then.Outcome, then.Exit, then.Message)}
}

// unrecorded reports whether the killed run had nothing on record yet: the first Event
// tells of the baseline, and only then the rollout begins.
func (k kill) unrecorded() bool {
	return k.at.name == "Lease: created" || k.at.name == "create event" || !k.after && k.at == point{"Lease: stages, 0 % passed", 1}
}

// The writes that say that a rollout is promoted, and then that it has ended.
const (
	concluded = "Lease: promoted, 100 % passed"
	released  = "Lease: released, says promoted, 100 % passed"
)

// done reports whether the killed run had written down that it is promoted.
func (k kill) done() bool { return k.at.name == concluded && k.after || k.at.name == released }

// runner is a run of the program that can get a signal as soon as it has begun.
type runner struct{ begun chan *os.Process }

func newRunner() *runner { return &runner{make(chan *os.Process, 1)} }

// signal sends the program a signal. It may be called once.
func (r *runner) signal(s os.Signal) { _ = (<-r.begun).Signal(s) }

// run waits until the program has ended.
func (r *runner) run(t *testing.T, arguments ...string) harness.Outcome {
	t.Helper()
	program := harness.Begin(t, 4*time.Minute, arguments...)
	r.begun <- program.Process()
	return program.Wait(t)
}

// pass lets time pass in which something is watched.
func pass(t *testing.T, duration time.Duration) {
	t.Helper()
	select {
	case <-time.After(duration):
	case <-t.Context().Done():
	}
}
