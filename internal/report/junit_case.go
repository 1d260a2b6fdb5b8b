package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/org/l4-canary/internal/probe"
	"github.com/org/l4-canary/internal/rollout"
)

// cases are the stages, those that were not reached, and the run itself where they do not say
// how it ended.
func (p page) cases() []junitCase {
	class := plain("l4-canary." + p.Namespace + "." + p.Service)
	var cases []junitCase
	bad := false
	for i, stage := range p.Stages {
		c := junitCase{Name: junitName(stage.Name), Class: class, Time: inSeconds(lasted(stage)), SystemOut: p.systemOut(stage, i)}
		p.judge(&c, stage, i)
		bad = bad || c.Failure != nil || c.Error != nil
		cases = append(cases, c)
	}
	for _, weight := range p.NotReached {
		c := junitCase{Name: junitName(trim(float64(weight), 4)), Class: class, Time: inSeconds(0)}
		c.Skipped = &junitResult{Message: p.notReached()}
		cases = append(cases, c)
	}
	if run := p.runCase(class); len(p.Stages) == 0 || (run.Failure != nil || run.Error != nil) && !bad {
		cases = append(cases, run)
	}
	return cases
}

// junitName is a stage as people call it.
func junitName(name string) string {
	if v, err := strconv.ParseFloat(name, 64); err == nil && v > 0 && v <= 100 {
		name = trim(v, 4) + " %"
	}
	return plain(name)
}

// unfinished is the type of a case that nobody had judged when the file was written.
const unfinished = "UNFINISHED"

// judge says how a stage ended: what was measured and is not good enough has failed; what could
// not be measured is an error; a stage that was too short to tell, and from which the run went
// on all the same, counts neither way.
func (p page) judge(c *junitCase, s rollout.StageRecord, i int) {
	result := &junitResult{Type: plain(string(s.Reason)), Message: words(s.Reason)}
	if s.Detail != "" {
		result.Message = plain(s.Detail)
	}
	if i == len(p.Stages)-1 {
		result.Text = p.account()
	}
	switch {
	case s.Verdict == rollout.Pass:
	case s.Verdict == "" && p.Outcome == "":
		c.Error = &junitResult{Type: unfinished, Message: "the stage was not judged: the run had not ended when this was written"}
	case s.Verdict == "":
		result.Type, result.Message = plain(string(p.Reason)), "the stage was not judged"
		c.Error = result
	case s.Verdict == rollout.Inconclusive && p.wentOn(i):
		c.Skipped = result
	case s.Verdict == rollout.Invalid:
		c.Error = result
	default:
		c.Failure = result
	}
}

// wentOn reports whether the run did not end with a stage.
func (p page) wentOn(i int) bool {
	return i < len(p.Stages)-1 || p.Outcome == rollout.Promoted || p.Outcome == rollout.Held
}

// account is what the run and its pods say of how it ended, a line each.
func (p page) account() string {
	const mostPods, mostLines = 5, 50
	var lines []string
	for line := range strings.Lines(p.Message) {
		if line = plain(line); line != "" && len(lines) < mostLines {
			lines = append(lines, line)
		}
	}
	for _, trouble := range p.Troubles[:min(mostPods, len(p.Troubles))] {
		lines = append(lines, plainly("pod %s: %s: %s", trouble.Pod, trouble.Reason, trouble.Message))
	}
	switch b := p.Rollback; {
	case b == nil:
	case b.Err == "":
		lines = append(lines, fmt.Sprintf("the state before the rollout is back: %d stable + %d canary pods", b.Stable, b.Canary))
	default:
		lines = append(lines, plainly("the rollback stopped at %d stable + %d canary pods: %s", b.Stable, b.Canary, b.Err))
	}
	return strings.Join(lines, "\n")
}

// runCase is the run as a case.
func (p page) runCase(class string) junitCase {
	c := junitCase{Name: "run", Class: class, Time: inSeconds(p.lasted())}
	switch {
	case p.Outcome == "":
		c.Error = &junitResult{Type: unfinished, Message: "the run had not ended when this was written"}
	case p.Outcome != rollout.Promoted && p.Outcome != rollout.Held && p.Outcome != rollout.NothingToDo:
		message := p.Message
		if message == "" {
			message = words(p.Reason)
		}
		c.Failure = &junitResult{Type: plain(string(p.Reason)), Message: plainly("%s: %s", p.Outcome, message), Text: p.account()}
	}
	return c
}

// systemOut are the figures of a stage, a line each: no answers, and nothing of a pod's log.
func (p page) systemOut(s rollout.StageRecord, i int) string {
	lines := []string{plainly("pods: %d stable + %d canary, planned %s", s.PlannedStage.Stable, s.PlannedStage.Canary, share(s.Planned))}
	for _, m := range portsOf(s) {
		lines = append(lines, portLine(m))
	}
	for _, q := range s.Queries {
		lines = append(lines, plainly("query %s: worst %s, last %s, allowed is %s", q.Name, number(q.Worst), number(q.Last), q.Bounds()))
	}
	if s.Propagation != nil {
		lines = append(lines, plainly("the balancer followed in %s", atMost(*s.Propagation)))
	}
	if s.Verdict == rollout.Inconclusive && p.wentOn(i) {
		lines = append(lines, "undecided, and the run went on (on-inconclusive)")
	}
	return strings.Join(lines[:min(len(lines), mostRows)], "\n")
}

// portLine is what one port told.
func portLine(m rollout.Measurement) string {
	shown := "share not measured"
	if m.Observed != nil {
		shown = "observed " + share(*m.Observed)
		if m.Interval.Hi > m.Interval.Lo {
			shown += " (" + spread(m.Interval) + ")"
		}
	}
	if m.Expected != nil {
		shown += ", expected " + share(*m.Expected)
	}
	var lost []string
	for _, class := range classes {
		if n := m.Errors[class]; n > 0 {
			lost = append(lost, count(n)+" "+string(class))
		}
	}
	if len(lost) == 0 {
		lost = []string{"none"}
	}
	return plainly("%s: %s, %s, lost %s, p50 / p99 ms stable %s, canary %s", m.Port, plural(m.Samples, "flow"), shown, strings.Join(lost, " and "),
		quantileCell(m.Latency, probe.Stable, m.Stable), quantileCell(m.Latency, probe.Canary, m.Canary))
}
