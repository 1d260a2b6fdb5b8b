package rollout

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/org/l4-canary/internal/probe"
)

// lesson is what a run without patterns knows of the answers on one port.
type lesson struct {
	evidence   probe.Evidence
	bytes      int               // of stable's answers that were heard
	classifier *probe.Classifier // nil: the versions cannot be told apart, or not yet
	why        string            // they cannot be; empty before that is known
	said       string            // the same with answers, for the log alone
}

func (l *lesson) open() bool { return l.classifier == nil && l.why == "" }

// Lesson is a lesson in the memory.
type Lesson struct {
	Classifier *probe.Classifier `json:"classifier"` // null: the versions cannot be told apart
	Why        string            `json:"why,omitempty"`
}

const (
	mostHeard = 400     // answers of the baseline that are kept, of one port
	mostBytes = 4 << 20 // of them
	mostAsked = 3       // pods of a side

	// Asking takes so long that what counts seconds is seen to count.
	askTimes = 8
	askOver  = 2 * time.Second
	askLimit = 45 * time.Second
)

// newLessons are those to begin with; nil where patterns tell the versions apart. A
// memory in which nothing does is none for a run that needs it.
func (r *run) newLessons() []lesson {
	if !r.Learn {
		return nil
	}
	lessons := make([]lesson, len(r.Ports))
	tells := slices.ContainsFunc(r.memory.Lessons, func(l Lesson) bool { return l.Classifier != nil })
	if len(r.memory.Lessons) != len(lessons) || !tells && !r.ReportShare {
		return lessons
	}
	for i, known := range r.memory.Lessons {
		lessons[i].classifier, lessons[i].why = known.Classifier, known.Why
	}
	return lessons
}

// attribute says which version a flow is of, where patterns do not. Before the rollout
// there is one version, whose answers are heard.
func (r *run) attribute(f *probe.Flow) {
	if r.lessons == nil {
		return
	}
	l := &r.lessons[f.Port]
	if !r.listening {
		if !f.Told {
			l.classifier.Attribute(f)
		}
		return
	}
	f.Version, f.Pod = probe.None, ""
	if f.Class != probe.Answered {
		return
	}
	f.Version = probe.Stable
	if f.Told { // without its answer
		return
	}
	if l.bytes += len(f.Answer); len(l.evidence.Stable) < mostHeard && l.bytes < mostBytes {
		l.evidence.Stable = append(l.evidence.Stable, probe.Heard{Answer: f.Answer})
	}
}

// openLessons are the ports about which something is to be learned.
func (r *run) openLessons() []int {
	var open []int
	for i := range r.lessons {
		if r.lessons[i].open() {
			open = append(open, i)
		}
	}
	return open
}

// learn asks pods of both versions, side by side, and learns to tell them apart. What
// the answers of both show at the same moment, asked in the same way, is the moment's
// or the way's and no version's.
func (r *run) learn(ctx context.Context, state State) error {
	if len(r.openLessons()) == 0 {
		return nil
	}
	stable, canary := readyPods(state, probe.Stable), readyPods(state, probe.Canary)
	r.Log.InfoContext(ctx, "asking pods directly", "stable", strings.Join(stable, ", "), "canary", strings.Join(canary, ", "))
	failed := r.askBoth(ctx, state, stable, canary)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, i := range r.openLessons() {
		r.lessons[i].learn(failed[i], true)
	}
	return r.learned(ctx)
}

// learnNow learns before a stage is sampled, which is no time of the balancer's: it
// returns when the pods would have matched without it.
func (r *run) learnNow(ctx context.Context, state State, matched time.Time) (time.Time, error) {
	if r.listening {
		return matched, nil
	}
	began := time.Now()
	err := r.learn(ctx, state)
	return matched.Add(time.Since(began)), err
}

// learnEarly learns from the baseline and the smoke pod, if one was asked. What that
// leaves open the first stage's pods may tell.
func (r *run) learnEarly(ctx context.Context) error {
	heard := false
	for _, i := range r.openLessons() {
		if l := &r.lessons[i]; len(l.evidence.Canary) > 0 {
			heard = true
			l.learn(nil, false)
		}
	}
	if !heard || len(r.openLessons()) > 0 {
		return nil
	}
	return r.learned(ctx)
}

// errUnasked says that there is nothing to compare.
var errUnasked = errors.New("no pod of one of the versions could be asked directly")

// learn draws the conclusion from what was heard; failed are the questions that got no
// answer, if any. What is in doubt stays open unless this is final.
func (l *lesson) learn(failed error, final bool) {
	err := errUnasked
	asked := func(h probe.Heard) bool { return h.Pod != "" }
	switch {
	case slices.ContainsFunc(l.evidence.Stable, asked) && len(l.evidence.Canary) > 0:
		l.classifier, err = probe.Learn(l.evidence)
	case failed != nil:
		err = failed
	}
	if err == nil {
		l.evidence = probe.Evidence{} // what counts is known
		return
	}
	alike, ok := errors.AsType[*probe.AlikeError](err)
	switch {
	case !ok:
		l.why, l.said = err.Error(), err.Error()
	case final || alike.Doubt == nil:
		l.why, l.said = alike.Why, err.Error()
	}
}

// learned tells everybody, and fails if no port's versions can be told apart.
func (r *run) learned(ctx context.Context) error {
	r.memory.Lessons = nil
	r.recordLessons()
	told := false
	var alike []string
	for i, l := range r.lessons {
		port := r.Ports[i].String()
		r.memory.Lessons = append(r.memory.Lessons, Lesson{l.classifier, l.why})
		if l.classifier != nil {
			told = true
			r.Log.InfoContext(ctx, "learned to tell the versions apart", "port", port, "by", l.classifier.String())
			continue
		}
		alike = append(alike, "on "+port+": "+l.why)
		r.Log.WarnContext(ctx, "the versions cannot be told apart", "port", port, "because", l.said)
	}
	r.Journal.Save(r.Record)
	if !told && !r.ReportShare {
		return &Setback{Reason: ReasonInvalidClassifier, Message: "the versions cannot be told apart by their answers, which the log shows (" +
			strings.Join(alike, "; ") + "): write stable-pattern and canary-pattern, or share-gate: report"}
	}
	if !r.introduced {
		return nil
	}
	return r.remember(ctx, r.memory.Phase)
}

// recordLessons puts into the record what is known.
func (r *run) recordLessons() {
	r.Record.Learned = nil
	for i, l := range r.lessons {
		if !l.open() {
			r.Record.Learned = append(r.Record.Learned, Learned{Port: r.Ports[i].String(), Words: l.classifier.String(), Why: l.why})
		}
	}
}

// readyPods are a few pods of a side that can be asked.
func readyPods(state State, side probe.Version) []string {
	var pods []string
	for _, m := range state.Members {
		if m.Side == side && m.Ready && !m.Leaving {
			pods = append(pods, m.Pod)
		}
	}
	slices.Sort(pods)
	return pods[:min(mostAsked, len(pods))]
}

// askBoth asks pods of both versions. That there are none of one did not go well either.
func (r *run) askBoth(ctx context.Context, state State, stable, canary []string) map[int]error {
	failed := r.ask(ctx, state, stable, canary)
	for _, i := range r.openLessons() {
		if len(canary) == 0 || len(stable) == 0 && failed[i] == nil {
			failed[i] = fmt.Errorf("%d pods of stable and %d of the canary could be asked", len(stable), len(canary))
		}
	}
	return failed
}

// ask asks the pods about every open port, all at once, and notes what they answer. It
// returns by port what did not go well; of two that failed, the canary counts.
func (r *run) ask(ctx context.Context, state State, stable, canary []string) map[int]error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var mu sync.Mutex
	var all sync.WaitGroup
	failed := map[int]error{}
	for _, i := range r.openLessons() {
		evidence := &r.lessons[i].evidence
		for _, pod := range slices.Concat(stable, canary) {
			all.Go(func() {
				heard, err := r.Asker.Ask(ctx, r.question(pod, i, state))
				mu.Lock()
				defer mu.Unlock()
				ofStable := slices.Contains(stable, pod)
				if err != nil && (failed[i] == nil || !ofStable) {
					failed[i] = err
				}
				if ofStable {
					evidence.Stable = append(evidence.Stable, heard...)
				} else {
					evidence.Canary = append(evidence.Canary, heard...)
				}
			})
		}
	}
	all.Wait()
	return failed
}

// question is what a pod is asked about a port.
func (r *run) question(pod string, port int, state State) Question {
	address := r.Address
	if address == "" && len(state.Addresses) > 0 {
		address = state.Addresses[0]
	}
	times, over := askPace(r.Ports[port].Rate)
	return Question{Pod: pod, Port: r.Ports[port], Address: address, Times: times, Over: over}
}

// askPace is how often a pod is asked, and over how long: no faster than the port may
// be, if it has a limit, and then maybe less often.
func askPace(limit float64) (times int, over time.Duration) {
	if limit <= 0 {
		return askTimes, askOver
	}
	times = max(1, min(askTimes, int(limit*askLimit.Seconds()/2)))
	return times, max(askOver, time.Duration(float64(times)/limit*float64(time.Second)))
}

// control asks pods of stable before the rollout if none will be left when the canary
// can be asked.
func (r *run) control(ctx context.Context) error {
	if len(r.openLessons()) == 0 || len(r.plan.Stages) == 0 || r.plan.Stages[0].Stable > 0 {
		return nil
	}
	state, err := r.Cluster.Next(ctx, 0)
	if err != nil {
		return err
	}
	for i, err := range r.ask(ctx, state, readyPods(state, probe.Stable), nil) {
		r.Log.InfoContext(ctx, "asking stable's pods directly", "port", r.Ports[i].String(), "error", err)
	}
	return ctx.Err()
}

// blind says of each port why its share cannot be measured, if it cannot.
func (r *run) blind() []string {
	blind := make([]string, len(r.lessons))
	for i, l := range r.lessons {
		if l.classifier == nil && !r.listening {
			blind[i] = l.why
		}
	}
	return blind
}

// enough is how many flows of a port go by until the balancer has caught up, of the port
// that goes slowest. Where no share tells, nothing else does.
func (r *run) enough() int {
	if r.listening || !r.ReportShare {
		return 0
	}
	return int(math.Ceil(slices.Min(probe.PortRates(r.Rate, r.Ports)) * r.Propagation.Seconds()))
}

// telling is the port whose figures stand for the stage: the one that decided, unless
// it passed without a share and another has one.
func telling(ports []Measurement, decided int) int {
	if p := ports[decided]; p.Unmeasured == "" || p.Verdict != Pass && p.Verdict != "" {
		return decided
	}
	if measured := slices.IndexFunc(ports, func(m Measurement) bool { return m.Unmeasured == "" }); measured >= 0 {
		return measured
	}
	return decided
}
