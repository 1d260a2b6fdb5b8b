package comment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// What keeps a job from having a comment.
var (
	ErrNowhere = errors.New("this is no job of GitHub Actions, Gitea, Forgejo or GitLab")
	ErrNoPull  = errors.New("no pull request belongs to this job")
	ErrShared  = errors.New("another leg of this job's matrix is writing the comment with this key")
)

// Options are what a job's place is found by.
type Options struct {
	Getenv   func(string) string               // the process's environment
	ReadFile func(name string) ([]byte, error) // reads the event's payload
	Token    string                            // of GitHub, Gitea or Forgejo
	Agent    string                            // what the program calls itself
	By       Key                               // tells this process apart from others
}

// Job is where the comments of a CI job belong.
type Job struct {
	Forge    Forge
	Platform string // for people
	Fork     bool   // the pull request comes from somebody else's repository
	By       Key

	number int    // 0: sha is to be asked for
	sha    string // of what the job is about
}

// Find reads where the comments of this job belong, and asks nobody yet. The error is
// [ErrNowhere], or says which token is missing.
func Find(o Options) (*Job, error) {
	switch {
	case o.Getenv("GITLAB_CI") == "true":
		return gitlabJob(o)
	case o.Getenv("GITHUB_ACTIONS") == "true":
		return githubJob(o)
	}
	return nil, ErrNowhere
}

// githubJob is a job of GitHub Actions, or of what has learned from it.
func githubJob(o Options) (*Job, error) {
	if o.Token == "" {
		return nil, errors.New("input \"github-token\" is empty")
	}
	address := strings.TrimSuffix(cmp.Or(o.Getenv("GITHUB_API_URL"), "https://api.github.com"), "/")
	owner, repository, ok := strings.Cut(o.Getenv("GITHUB_REPOSITORY"), "/")
	if !ok {
		return nil, fmt.Errorf("GITHUB_REPOSITORY is %q, which is no owner and repository", o.Getenv("GITHUB_REPOSITORY"))
	}
	at := readEvent(o)
	job := &Job{Platform: "GitHub", Fork: at.fork, By: o.By, number: at.number, sha: at.sha}
	hub, err := newGitHub(address, o.Token, o.Agent, owner, repository)
	if err != nil {
		return nil, err
	}
	job.Forge = hub
	// Runners of both say so, and the path is that of their API and of nobody else's.
	if o.Getenv("GITEA_ACTIONS") == "true" || o.Getenv("FORGEJO_ACTIONS") == "true" || strings.HasSuffix(address, "/api/v1") {
		job.Platform, job.Forge = "Gitea", gitea{hub}
	}
	return job, nil
}

// Pull is the number of the pull request that the job belongs to; ErrNoPull if there is
// none.
func (j *Job) Pull(ctx context.Context) (int, error) {
	if j.number == 0 && j.sha != "" {
		number, err := j.Forge.PullOf(ctx, j.sha)
		if err != nil {
			return 0, fmt.Errorf("looking for the pull request of commit %s: %w", j.sha, err)
		}
		j.number = number
	}
	if j.number == 0 {
		return 0, ErrNoPull
	}
	return j.number, nil
}

// Sticky is the comment with a key on the job's pull request.
func (j *Job) Sticky(ctx context.Context, key Key) (*Sticky, error) {
	number, err := j.Pull(ctx)
	if err != nil {
		return nil, err
	}
	return &Sticky{Thread: j.Forge, Number: number, Key: key, By: j.By}, nil
}

// Sweep is [Sweep] for the job's pull request, if it has one.
func (j *Job) Sweep(ctx context.Context, note string) (swept bool, err error) {
	number, err := j.Pull(ctx)
	if errors.Is(err, ErrNoPull) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return Sweep(ctx, j.Forge, number, j.By, note)
}

// Explain says why a comment could not be written, and what would help.
func (j *Job) Explain(err error) string {
	failed, ok := errors.AsType[*StatusError](err)
	switch {
	case errors.Is(err, ErrNoPull):
		return err.Error()
	case errors.Is(err, ErrShared):
		return "the comment on the pull request was not written: " + err.Error() + "; give each leg an input \"comment-key\" of its own"
	case !ok:
		return fmt.Sprintf("the comment on the pull request was not written: %v", err)
	}
	line := "the comment on the pull request was not written: " + err.Error()
	hint := ""
	switch {
	case failed.Limited:
		hint = j.Platform + " takes no more requests of this token for now; the job summary has the whole report"
	case strings.Contains(failed.Message, "locked"): // the conversation, to everybody
	case failed.Status == http.StatusUnauthorized || failed.Status == http.StatusForbidden || failed.Status == http.StatusNotFound:
		hint = j.permission()
	}
	if hint == "" {
		return line
	}
	return line + "; " + hint
}

// permission is what a token lacks that is turned away.
func (j *Job) permission() string {
	switch {
	case j.Platform == "GitLab":
		return "GITLAB_TOKEN has to be a project access token with scope api and role Reporter at least; a job's own CI_JOB_TOKEN cannot write notes"
	case j.Platform == "Gitea":
		return "the token needs the right to write to pull requests, which a workflow of a fork does not get"
	case j.Fork:
		return "a workflow that a fork's pull request starts may only read: comment from a second workflow, on \"workflow_run\", or set \"comment: never\""
	}
	return "the job needs \"permissions:\" with \"pull-requests: write\", and \"contents: read\" beside it"
}
