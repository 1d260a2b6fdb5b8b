package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/org/l4-canary/internal/ci"
	"github.com/org/l4-canary/internal/comment"
	"github.com/org/l4-canary/internal/config"
	"github.com/org/l4-canary/internal/kube"
	"github.com/org/l4-canary/internal/report"
	"github.com/org/l4-canary/internal/rollout"
)

// How long the last words of a run may take to reach the pull request. One that was told
// to stop has less than five seconds for everything, and the post step comes after it.
const (
	lastWordsIn = 20 * time.Second
	lastBreath  = time.Second
)

// announcer keeps the comment on the pull request: one that no run depends on. A nil one
// says nothing.
type announcer struct {
	mode     string // input comment
	given    string // input comment-key
	workflow string // whose comment it is
	jobName  string // as well
	context  string // of the kubeconfig
	link     string // to the job, empty if it is not known
	after    bool   // this is a post step: the comment may be unfinished

	job   *comment.Job
	none  error // why job is nil
	board *comment.Board
}

// newAnnouncer is one for this job, if it is to say anything.
func (c *Command) newAnnouncer(ctx context.Context, o config.Faces) *announcer {
	switch o.Comment {
	case "auto", "always", "on-failure":
	default: // never, or what is not allowed
		return nil
	}
	me := c.holder()
	a := &announcer{mode: o.Comment, given: o.CommentKey}
	a.follow(me)
	a.job, a.none = comment.Find(comment.Options{
		Getenv:   c.Getenv,
		ReadFile: func(name string) ([]byte, error) { return os.ReadFile(c.path(name)) },
		Token:    c.githubToken(o), Agent: "l4-canary/" + version,
		// The runner's name is all that a leg of a matrix has of its own.
		By: comment.NewKey(me.Run, me.Attempt, me.Job, cmp.Or(c.Getenv("L4_CANARY_STEP"), me.Step), c.Getenv("RUNNER_NAME")),
	})
	if a.job != nil {
		a.link = linkTo(me.URL, a.job.Platform)
		a.board = comment.Open(ctx, a.job, comment.Every)
	}
	return a
}

// githubToken is what is to write the comment.
func (c *Command) githubToken(o config.Faces) string {
	return cmp.Or(o.GitHubToken, c.Getenv("GITHUB_TOKEN"))
}

// linkable is an address that may stand in a link as it is.
var linkable = regexp.MustCompile(`^https?://[A-Za-z0-9.:\[\]-]+/[A-Za-z0-9._~/-]+$`)

// linkTo is the last line of a comment. Gitea numbers runs in two ways, of which it does
// not tell jobs the one that its pages go by.
func linkTo(url, platform string) string {
	if platform == "Gitea" || !linkable.MatchString(url) {
		return ""
	}
	return "\n<sub>[The log and the summary of the job](" + url + ")</sub>\n"
}

// at notes which cluster was found.
func (a *announcer) at(found connection) {
	if a != nil && found.Connection != nil {
		a.context = found.Context
	}
}

// follow makes the comment that of another run: who rolls back goes on with what the run
// has said.
func (a *announcer) follow(holder kube.Holder) {
	if a != nil && holder.Run != "" {
		a.workflow, a.jobName = holder.Workflow, holder.Job
	}
}

// sweeps has what was cut off finished, for want of anything better to say.
func (a *announcer) sweeps() {
	if a != nil {
		a.after = true
	}
}

// key tells the comment apart; there is none before the Service is known.
func (a *announcer) key(record *rollout.Record) (comment.Key, bool) {
	if a.given != "" {
		return comment.NewKey(a.given), true
	}
	return comment.NewKey(a.workflow, a.jobName, a.context, record.Namespace, record.Service), record.Namespace != "" && record.Service != ""
}

// text is the report as the comment has it.
func (a *announcer) text(markdown []byte) string {
	return string(report.Limit(markdown, comment.TextRoom-len(a.link))) + a.link
}

// show tells how far a run has come.
func (a *announcer) show(record *rollout.Record, markdown []byte) {
	if a == nil || a.board == nil || a.mode == "on-failure" {
		return
	}
	if key, ok := a.key(record); ok {
		a.board.Show(key, a.text(markdown))
	}
}

// worth reports whether the comment should tell how a run ended, and whether a new one
// is to be made for it. It belongs to whoever has the Service: one that found it taken
// has nothing to say there.
func (a *announcer) worth(record *rollout.Record, code ExitCode) (tell, create bool) {
	switch {
	case record.Reason == rollout.ReasonLocked || record.Reason == rollout.ReasonSuperseded:
		return false, false
	case record.Outcome == rollout.NothingToDo:
		return a.mode == "always", true
	case record.Outcome == rollout.Interrupted && len(record.Stages) == 0:
		return true, false
	}
	return true, a.mode != "on-failure" || code != ExitOK
}

// lastWords makes the comment say how the run ended, and waits for that. It comes last:
// nothing else may wait for it.
func (j *journal) lastWords(ctx context.Context) {
	a := j.comment
	if a == nil {
		return
	}
	record := j.last
	if a.board == nil {
		if record != nil {
			j.noComment(ctx, a.none)
		}
		return
	}
	if a.after && (record == nil || record.Outcome == rollout.Refused) {
		j.sweep(ctx)
		return
	}
	if record == nil {
		a.board.Stop()
		return
	}
	tell, create := a.worth(record, j.code)
	key, known := a.key(record)
	if !tell || !known {
		a.board.Stop()
		return
	}
	within := lastWordsIn
	if j.cancelled() {
		within = lastBreath
	}
	// Whoever took the rollout over, or may have, can have spoken since.
	lost := record.Outcome == rollout.Stopped && (record.Reason == rollout.ReasonTakenOver || record.Reason == rollout.ReasonUnreachable)
	last := comment.Last{Key: key, Text: a.text(j.markdown), Create: create, Mine: lost}
	j.noComment(ctx, a.board.Close(ctx, last, within))
}

// noComment says once why there is no comment. That a job has no pull request is no
// news, unless somebody counts on one.
func (j *journal) noComment(ctx context.Context, err error) {
	a := j.comment
	usual := errors.Is(err, comment.ErrNoPull) || a.job == nil
	switch {
	case err == nil || usual && a.mode != "always" && errors.Is(err, comment.ErrNowhere):
	case usual && a.mode != "always":
		j.log.InfoContext(ctx, "no comment on a pull request", "because", err)
	case usual:
		j.platform.Annotate(ci.Annotation{Level: ci.Warning, Message: fmt.Sprintf("input \"comment\" is always, but %v", err)})
	default:
		j.platform.Annotate(ci.Annotation{Level: ci.Warning, Message: a.job.Explain(err)})
	}
}

// cutOff stands before what a run wrote that could not say how it ended.
const cutOff = "### ⏹️ Cut off: the run ended before it could say how\n\n" +
	"What follows is where it stood. The log of the job says more, and `l4-canary status` where the rollout stands now."

// sweep finishes a comment that the step before this one has left unfinished.
func (j *journal) sweep(ctx context.Context) {
	j.comment.board.Stop()
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWordsIn)
	defer cancel()
	swept, err := j.comment.job.Sweep(limited, cutOff)
	switch {
	case err != nil: // the step has warned of it
		j.log.DebugContext(ctx, "the comment on the pull request cannot be looked at", "error", err)
	case swept:
		j.log.InfoContext(ctx, "the comment on the pull request says that the run was cut off")
	}
}
