package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/org/l4-canary/internal/ci"
	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/manifest"
	"github.com/org/l4-canary/internal/report"
	"github.com/org/l4-canary/internal/rollout"
)

// summaryLimit is what GitHub takes of a step's summary.
const summaryLimit = 1 << 20

// journal shows a run as it goes: groups in the log, report files, summary. What
// cannot be written is a warning; it must not fail a release.
type journal struct {
	platform *ci.Platform
	log      *slog.Logger
	options  config.Faces
	path     func(string) string // a file's name as the process sees it
	veil     *veil               // over what is written
	logs     *kube.Cluster
	tell     func(context.Context, kube.Event) error // nil: nobody listens

	cancelled func() bool // somebody told the program to stop
	comment   *announcer  // nil: there is none

	grouped  bool
	saved    time.Time
	decided  int             // stages and verdicts, when it was
	markdown []byte          // the report, when it was
	last     *rollout.Record // how it ended; nil before that
	code     ExitCode        // which that leads to
}

// Stage implements rollout.Journal.
func (j *journal) Stage(name string) {
	j.endGroup()
	j.platform.Group(title(name))
	j.grouped = true
}

// title is a stage's name for people: "stage 12.5 %", "baseline".
func title(name string) string {
	if _, err := strconv.ParseFloat(name, 64); err != nil {
		return name
	}
	return "stage " + name + " %"
}

func (j *journal) endGroup() {
	if j.grouped {
		j.platform.EndGroup()
	}
	j.grouped = false
}

// Progress implements rollout.Journal.
func (j *journal) Progress(line string) { j.log.Info("sampling", "so_far", line) }

// saveEvery is the least time between two writings of the report: sampling
// saves several times a second.
const saveEvery = time.Second

// Save implements rollout.Journal. The beginning of a stage and its verdict are written
// at once: after either nothing may happen for as long as pods start or the stage
// pauses.
func (j *journal) Save(record *rollout.Record) {
	decided := len(record.Stages)
	for _, stage := range record.Stages {
		if stage.Verdict != "" {
			decided++
		}
	}
	news := decided != j.decided
	if time.Since(j.saved) < saveEvery && record.Outcome == "" && !news {
		return
	}
	j.saved, j.decided = time.Now(), decided
	j.write(record)
	if news {
		j.comment.show(record, j.markdown)
	}
}

// write writes report files and summary.
func (j *journal) write(record *rollout.Record) {
	var markdown, document, cases bytes.Buffer
	if err := report.Markdown(&markdown, record, version); err != nil {
		j.warn("making the report", err)
	}
	j.markdown = j.veil.hide(markdown.Bytes())
	if err := report.JSON(&document, record, version); err != nil {
		j.warn("making the JSON report", err)
	}
	if err := report.JUnit(&cases, record, version); err != nil {
		j.warn("making the JUnit report", err)
	}
	if j.options.JobSummary {
		j.warn("writing the job summary", j.platform.Summary(report.Limit(j.markdown, summaryLimit)))
	}
	for _, file := range []struct {
		path string
		data []byte
	}{{j.options.ReportMarkdown, markdown.Bytes()}, {j.options.ReportJSON, document.Bytes()}, {j.options.ReportJUnit, cases.Bytes()}} {
		if file.path != "" {
			j.warn("writing the report", j.platform.WriteFile(j.path(file.path), j.veil.hide(file.data)))
		}
	}
}

// warn shows an error that must not stop anything.
func (j *journal) warn(what string, err error) {
	if err != nil {
		j.platform.Annotate(ci.Annotation{Level: ci.Warning, Message: fmt.Sprintf("%s: %v", what, err)})
	}
}

// Troubled implements rollout.Journal: the last lines of each failing pod, here
// and nowhere else.
func (j *journal) Troubled(ctx context.Context, pods []rollout.Trouble) {
	const mostPods = 3
	for _, trouble := range pods[:min(mostPods, len(pods))] {
		j.log.ErrorContext(ctx, "a pod does not serve", "pod", trouble.Pod, "reason", trouble.Reason, "says", trouble.Message)
		if j.options.PodLogs == 0 || j.logs == nil || trouble.Pod == "" {
			continue
		}
		text, err := j.logs.Logs(ctx, trouble.Pod, j.options.PodLogs)
		if err != nil {
			j.log.InfoContext(ctx, "its log cannot be had", "pod", trouble.Pod, "error", err)
			continue
		}
		_, err = fmt.Fprintln(j.platform.Log(), ci.Foreign(text))
		j.warn("printing the log of pod "+trouble.Pod, err)
	}
}

// finish writes everything for the last time and says in one line how it ended,
// which was well if it leads to status code 0.
func (j *journal) finish(ctx context.Context, record *rollout.Record, code ExitCode) {
	j.endGroup()
	j.write(record)
	j.outputs(record)
	j.last, j.code = record, code
	if code == ExitOK {
		j.log.InfoContext(ctx, "finished", "outcome", record.Outcome, "reason", record.Reason, "message", record.Message)
		return
	}
	j.complain(record)
}

// complain says in one line what did not end well.
func (j *journal) complain(record *rollout.Record) {
	line := fmt.Sprintf("%s: %s", record.Reason, record.Message)
	if record.Outcome == rollout.RollbackFailed && record.Rollback != nil {
		line += "; the rollback failed: " + record.Rollback.Err
	}
	j.platform.Annotate(ci.Annotation{Level: ci.Error, Title: "l4-canary: " + string(record.Outcome), Message: line})
}

// refused ends a run before anything was written.
func (j *journal) refused(record *rollout.Record, err error) (ExitCode, error) {
	err = j.classify(record, err)
	j.write(record)
	j.outputs(record)
	j.last, j.code = record, exitOfOutcome(record)
	if err == nil {
		j.complain(record)
		return exitOfOutcome(record), nil
	}
	if j.platform.GitHub() {
		j.platform.Annotate(ci.Annotation{Level: ci.Error, Title: "l4-canary: refused", Message: err.Error()})
	}
	return exitOfOutcome(record), err
}

// classify closes the record of a run that changed nothing. Being told to stop is no
// error: the API server's last words are of a request that we cut off.
func (j *journal) classify(record *rollout.Record, err error) error {
	record.FinishedAt = time.Now()
	record.StartedAt = record.FinishedAt
	if j.cancelled() {
		record.Outcome, record.Reason = rollout.Interrupted, rollout.ReasonCancelled
		record.Message = "the run was cancelled before it changed anything"
		return nil
	}
	record.Outcome, record.Message = rollout.Refused, err.Error()
	_, locked := errors.AsType[*kube.LockedError](err)
	_, superseded := errors.AsType[*kube.SupersededError](err)
	_, unfit := errors.AsType[refusal](err)
	_, forbidden := errors.AsType[forbiddenError](err)
	switch code := exitOf(err); {
	case unfit:
		record.Reason = rollout.ReasonPreflight
	case locked:
		record.Reason = rollout.ReasonLocked
	case superseded:
		record.Reason = rollout.ReasonSuperseded
	case forbidden || kube.Forbidden(err):
		record.Reason = rollout.ReasonForbidden
	case code == ExitUnreachable:
		record.Reason = rollout.ReasonUnreachable
	default:
		record.Reason = rollout.ReasonInput
	}
	return err
}

// nothingToDo ends a run whose manifests hold no new version. others are what they
// would change beside the pods.
func (j *journal) nothingToDo(ctx context.Context, record *rollout.Record, others []string) ExitCode {
	record.Outcome, record.Reason = rollout.NothingToDo, rollout.ReasonPass
	record.Message = "the pods are what the manifests say already"
	record.FinishedAt = time.Now()
	record.StartedAt = record.FinishedAt
	var warnings []string
	for _, image := range record.Stable.Images {
		if manifest.Floating(image) {
			warnings = append(warnings, fmt.Sprintf("image %q has no fixed tag: what it names may have changed, and nobody could tell", image))
		}
	}
	if len(others) > 0 {
		warnings = append(warnings, "only a rollout applies the other objects of the manifests, and these differ from the cluster: "+strings.Join(others, ", "))
	}
	for _, warning := range warnings {
		j.platform.Annotate(ci.Annotation{Level: ci.Warning, Message: warning})
	}
	record.Notices = append(record.Notices, warnings...)
	j.finish(ctx, record, ExitOK)
	return ExitOK
}

// outputs sets the outputs of the contract, all of them always.
func (j *journal) outputs(record *rollout.Record) {
	stage, observed, expected := "", "", ""
	for i, s := range record.Stages {
		if !finished(record, i) {
			continue
		}
		stage = s.Name
		observed, expected = percent(s.Observed), percent(s.Expected)
	}
	outputs := []ci.Output{
		{Name: "outcome", Value: string(record.Outcome)},
		{Name: "reason", Value: string(record.Reason)},
		{Name: "stage", Value: stage},
		{Name: "observed-weight", Value: observed},
		{Name: "expected-weight", Value: expected},
		{Name: "stable-replicas", Value: strconv.Itoa(record.Stable.Replicas)},
		{Name: "canary-replicas", Value: strconv.Itoa(record.Canary.Replicas)},
		{Name: "report-markdown", Value: j.options.ReportMarkdown},
		{Name: "report-json", Value: j.options.ReportJSON},
	}
	j.warn("setting outputs", j.platform.SetOutputs(outputs))
	if j.options.OutputsFile != "" {
		j.warn("writing the outputs file", j.platform.WriteOutputs(j.path(j.options.OutputsFile), outputs))
	}
}

// finished reports whether the run went on from a stage: it passed, or was undecided
// and that was good enough.
func finished(record *rollout.Record, i int) bool {
	verdict := record.Stages[i].Verdict
	return verdict == rollout.Pass || verdict == rollout.Inconclusive && (well(record) || i < len(record.Stages)-1)
}

// well reports whether a run got as far as it was to go.
func well(record *rollout.Record) bool {
	return record.Outcome == rollout.Promoted || record.Outcome == rollout.Held
}

// percent is a weight as outputs carry it, to two decimals.
func percent(p *rollout.Percent) string {
	if p == nil {
		return ""
	}
	return strconv.FormatFloat(float64(*p), 'f', 2, 64)
}
