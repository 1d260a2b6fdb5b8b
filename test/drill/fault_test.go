//go:build e2e

package drill

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/l4-canary/test/harness"
)

// fault is one case in which a single call gets an answer that it did not deserve.
type fault struct {
	mode
	at point
	do string
}

// place implements drilled.
func (f fault) place() place {
	return place{f.kind + ": the API server misbehaves", f.at.String(), f.do}
}

// What an API server, or what stands before it, does now and then.
const (
	tooMany     = "429"
	broken      = "500"
	unavailable = "503"
	conflict    = "409"
	refused     = "cut off before"
	lost        = "cut off after"
	silent      = "no answer"
	slow        = "slow answer"
	interrupt   = "SIGINT"
)

// faultsOf are those that a call can meet. A conflict is an answer to a write; a
// watch may be slow for as long as it likes.
func faultsOf(write, watch bool) []string {
	switch {
	case write:
		return []string{tooMany, broken, unavailable, conflict, refused, lost, silent, slow, interrupt}
	case watch:
		return []string{tooMany, broken, unavailable, refused, lost}
	}
	return []string{tooMany, broken, unavailable, refused, silent, slow}
}

const (
	slowly   = 3 * time.Second  // less than any time-out
	patience = 45 * time.Second // more than any time-out of the program may be
	soon     = 5 * time.Second  // in which a run has to stop
)

// struck is what the proxy saw of a fault.
type struck struct {
	hit     time.Time // zero: the call did not come
	hanging bool      // the program was still waiting for an answer when patience ended
}

// carry implements drilled.
func (f fault) carry(t *testing.T, l *harness.Lab, namespace string) (res result) {
	t.Helper()
	began := time.Now()
	original := f.deploy(t, l, namespace)
	u := attend(t, l, namespace)
	manifests := f.write(t, true)
	p, victim := newProxy(t, l, nil), newRunner()
	seen := make(chan struck, 1)
	p.interfere = func(w http.ResponseWriter, r *http.Request, at point, c call, forward func() reply) bool {
		if at != f.at {
			return false
		}
		s := struck{hit: time.Now()}
		defer func() { seen <- s }()
		return f.strike(w, r, p, c, victim, forward, &s)
	}
	end := victim.run(t, f.arguments(p.Kubeconfig, namespace, manifests)...)
	var s struck
	select {
	case s = <-seen:
	case <-time.After(time.Second):
		if end.Exit != 0 {
			res.problems = append(res.problems, fmt.Sprintf("the call did not come: exit %d", end.Exit))
		}
	}
	if s.hanging {
		res.problems = append(res.problems, fmt.Sprintf("it still waited for an answer after %s", patience))
	}
	if f.do == interrupt && end.Exit != 0 {
		res.problems = append(res.problems, stopped(end, s)...)
		end = newRunner().run(t, f.arguments(l.Kubeconfig, namespace, manifests)...)
	}
	res.outcome = end.Outcome
	found := f.look(t, l, namespace)
	// The write during which a run is interrupted may arrive. If it concludes, nothing is left to do.
	concludes := f.at.name == concluded || f.at.name == released
	arrived := f.do == interrupt && concludes && end.Outcome == "nothing-to-do"
	switch {
	case end.Outcome == "promoted", arrived:
		res.problems = append(res.problems, f.promoted(found)...)
	case end.Outcome == "rolled-back", end.Outcome == "refused":
		res.problems = append(res.problems, f.restored(found, original)...)
	default:
		res.problems = append(res.problems, fmt.Sprintf("it ended %q with exit %d: %s", end.Outcome, end.Exit, end.Message))
	}
	u.leave(t, &res)
	res.took = time.Since(began)
	return res
}

// stopped says what is wrong with how a run stopped.
func stopped(end harness.Outcome, s struck) []string {
	var problems []string
	if took := time.Since(s.hit); took > soon {
		problems = append(problems, fmt.Sprintf("it took %s to stop", took.Round(time.Millisecond)))
	}
	if end.Exit != 130 || end.Outcome != "interrupted" {
		problems = append(problems, fmt.Sprintf("SIGINT ended it as %q with exit %d", end.Outcome, end.Exit))
	}
	return problems
}

// strike does to a call what the fault says. It reports whether the call has been
// dealt with.
func (f fault) strike(w http.ResponseWriter, r *http.Request, p *proxy, c call, victim *runner, forward func() reply, s *struck) bool {
	switch f.do {
	case tooMany:
		w.Header().Set("Retry-After", "1")
		status(w, http.StatusTooManyRequests, "TooManyRequests")
	case broken:
		status(w, http.StatusInternalServerError, "InternalError")
	case unavailable:
		status(w, http.StatusServiceUnavailable, "ServiceUnavailable")
	case conflict:
		status(w, http.StatusConflict, "Conflict")
	case refused:
		panic(http.ErrAbortHandler)
	case lost:
		if c.watch { // it begins, and ends without a word
			time.AfterFunc(slowly, p.Cut)
			return false
		}
		forward()
		panic(http.ErrAbortHandler)
	case silent:
		select {
		case <-r.Context().Done():
		case <-time.After(patience):
			s.hanging = true
		}
		panic(http.ErrAbortHandler)
	case slow:
		pause(r, slowly)
		return false
	case interrupt:
		victim.signal(os.Interrupt)
		return false
	}
	return true
}

// pause lets time pass while a request waits.
func pause(r *http.Request, duration time.Duration) {
	select {
	case <-r.Context().Done():
	case <-time.After(duration):
	}
}

// status answers as an API server does.
func status(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"the drill says so","reason":%q,"code":%d}`, reason, code)
}

// faults are the cases of one mode. Every write meets every fault. The same reads
// come again and again: the first two of each take turns.
func faults(m mode, writes, reads []point) []drilled {
	var cases []drilled
	for _, at := range writes {
		for _, do := range faultsOf(true, false) {
			cases = append(cases, fault{m, at, do})
		}
	}
	reads = slices.DeleteFunc(slices.Clone(reads), func(at point) bool { return at.n > 2 })
	for i, at := range reads {
		kinds := faultsOf(false, strings.HasPrefix(at.name, "watch "))
		cases = append(cases, fault{m, at, kinds[i%len(kinds)]})
	}
	return cases
}
