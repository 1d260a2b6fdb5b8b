//go:build e2e

package soak

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
	"github.com/org/l4-canary/test/page"
)

var (
	rollouts = flag.Int("rollouts", 50, "how many rollouts")
	seed     = flag.Uint64("seed", 0, "what chance begins with; 0: chance")
	only     = flag.String("only", "", "carry out only faults whose name matches this")
	update   = flag.Bool("update", false, "write the tables into docs/reliability.md")
)

// enough is how many rollouts the documentation is about.
const enough = 50

// TestSoak carries rollouts out, one after the other, on five Services that have users all
// the time. What each leaves is what the next one finds.
func TestSoak(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()>>1 + 1
	}
	t.Logf("seed %d", *seed)
	faults := slices.DeleteFunc(Faults(), func(f Fault) bool { return !regexp.MustCompile(*only).MatchString(f.Name) })
	require.NotEmpty(t, faults, "no fault matches %q", *only)
	began := time.Now()
	l := harness.NewLab(t, "soak", "soak", "--nodes", "2")
	network := harness.NewNetwork(t, l)
	w := &world{lab: l, network: network}
	for _, service := range Services() {
		w.services = append(w.services, deploy(t, l, network, service))
	}
	before := count(t, l)
	var results []Result
	for _, r := range Deal(*seed, *rollouts, faults) {
		if t.Context().Err() != nil {
			break
		}
		t.Run(r.Name(), func(t *testing.T) {
			t.Log(r)
			result := w.carry(t, r)
			for _, problem := range result.Problems {
				t.Error("problem: " + problem)
			}
			results = append(results, result)
		})
	}
	counts := compare(before, count(t, l))
	for _, problem := range Problems(counts) {
		t.Error("problem: " + problem)
	}
	publish(t, results, counts, time.Since(began))
}

// publish prints the tables and, if asked to, writes them into the documentation, when
// nothing was left out.
func publish(t *testing.T, results []Result, counts []Count, took time.Duration) {
	t.Helper()
	require.Len(t, results, *rollouts, "rollouts without an end")
	text := Summary(results, *seed, took) + "\n" + Table(results) + "\n" + Kept(counts)
	_, err := fmt.Fprintln(os.Stdout, text)
	require.NoError(t, err)
	if *update && *only == "" && *rollouts >= enough && !t.Failed() {
		path := filepath.Join(harness.Root(t), "docs/reliability.md")
		require.NoError(t, page.Update(path, map[string]string{"right": Right(), "soak": text}))
	}
}

// limit is what a rollout may take, and its rollback.
const limit = 8 * time.Minute

// carry carries one rollout out.
func (w *world) carry(t *testing.T, r Rollout) Result {
	t.Helper()
	at := slices.IndexFunc(w.services, func(s *live) bool { return s.Service == r.Service })
	s := &scene{world: w, live: w.services[at], Rollout: r}
	events, old := s.events(t), s.pods(t)
	end, problems := s.play(t)
	res := Result{Rollout: r, End: End{end.Outcome, end.Exit, end.Reason}, Took: end.Took, Files: s.files, Problems: problems}
	if !r.Fault.Is(res.End) {
		res.Problems = append(res.Problems, fmt.Sprintf("it ended %s with exit %d: %s", res.End, end.Exit, end.Message))
	}
	s.follow(r, res.End)
	res.Problems = append(res.Problems, s.tidy(t)...)
	res.Events = s.events(t) - events
	if most := 2*len(end.Stages) + 4; res.Events > most {
		res.Problems = append(res.Problems, fmt.Sprintf("%d events for %d stages", res.Events, len(end.Stages)))
	}
	if r.Fault.Harmful {
		s.harms = append(s.harms, harm{span{end.Began, time.Now()}, old})
	}
	for _, service := range w.services {
		for _, users := range service.users {
			s.judge(&res, service, users.Take())
		}
	}
	return res
}

// play runs the program, and lets happen what is to.
func (s *scene) play(t *testing.T) (end harness.Outcome, problems []string) {
	t.Helper()
	if s.Fault.Hold != "" {
		s.scaler(t)
	}
	s.run = harness.Begin(t, limit, s.arguments(t, s.Rollout)...)
	if meddle := s.meddlers()[s.Fault.Name]; meddle != nil {
		if err := meddle(t); err != nil {
			problems = append(problems, err.Error())
		}
	}
	_ = s.until(t, func() bool { return false }) // it ends
	end = s.run.Wait(t)
	if s.mend != nil {
		if err := s.mend(t); err != nil {
			problems = append(problems, err.Error())
		}
	}
	return end, problems
}

// judge looks at what users of a Service met since the last rollout.
func (s *scene) judge(res *Result, service *live, met harness.Met) {
	astray, rare := met.Astray()
	res.Flows, res.Astray = res.Flows+met.Opened, res.Astray+astray
	for _, loss := range met.Lost {
		switch {
		case s.out(loss) || service.harms.lost(loss):
			res.Own++
		case loss.Hole == "" || !rare:
			res.Lost++
			res.Problems = append(res.Problems, fmt.Sprintf("%s: a new %s flow was lost, begun %s, ended %s: %v",
				service.Namespace, loss.Protocol, clock(loss.Began), clock(loss.Ended), loss.Err))
		}
	}
	for _, loss := range met.Ended {
		theirs := s.out(loss) || s.moved(loss) || loss.Pod == s.victim || service.harms.cut(loss)
		if theirs || service.left.Spared(loss.Pod, loss.Ended, drain) {
			continue
		}
		res.Cut++
		at, _ := service.left.Of(loss.Pod)
		res.Problems = append(res.Problems, fmt.Sprintf("%s: a %s conversation with %s ended %s, which began to leave %s: %v",
			service.Namespace, loss.Protocol, loss.Pod, clock(loss.Ended), clock(at), loss.Err))
	}
}

func clock(at time.Time) string { return at.Format("15:04:05.000") }
