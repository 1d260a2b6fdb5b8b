package comment

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// lab is GitLab, for one project. https://docs.gitlab.com/api/notes/
type lab struct {
	rest
	project string // number or path, as a segment of an address
}

// gitlabJob is a job of GitLab CI. The pipeline of a fork's merge request runs in the
// fork, and the merge request is in the project that it aims at.
func gitlabJob(o Options) (*Job, error) {
	token := o.Getenv("GITLAB_TOKEN")
	if token == "" {
		return nil, errors.New("variable GITLAB_TOKEN is empty")
	}
	number, _ := strconv.Atoi(o.Getenv("CI_MERGE_REQUEST_IID")) // without one there is none
	project := o.Getenv("CI_PROJECT_ID")
	target := o.Getenv("CI_MERGE_REQUEST_PROJECT_ID")
	fork := number > 0 && target != "" && target != project
	if fork {
		project = target
	}
	address, err := url.Parse(o.Getenv("CI_API_V4_URL"))
	if err != nil || address.Host == "" || project == "" {
		return nil, errors.New("CI_API_V4_URL and CI_PROJECT_ID do not say where the project is")
	}
	forge := &lab{rest: rest{client: &http.Client{Transport: patient{next: newTransport()}}, base: address, token: token, agent: o.Agent}, project: url.PathEscape(project)}
	return &Job{Platform: "GitLab", Forge: forge, Fork: fork, By: o.By, number: max(0, number), sha: o.Getenv("CI_COMMIT_SHA")}, nil
}

func (l *lab) notes(number int) string {
	return fmt.Sprintf("/projects/%s/merge_requests/%d/notes", l.project, number)
}

type note struct {
	ID     int64  `json:"id"`
	Body   string `json:"body"`
	System bool   `json:"system"`
	Author struct {
		Username string `json:"username"`
	} `json:"author"`
}

// Comments implements Thread.
func (l *lab) Comments(ctx context.Context, number int) iter.Seq2[Comment, error] {
	return func(yield func(Comment, error) bool) {
		for page := "1"; page != ""; {
			var notes []note
			query := url.Values{"per_page": {strconv.Itoa(perPage)}, "page": {page}, "sort": {"asc"}, "order_by": {"created_at"}}
			header, err := l.call(ctx, http.MethodGet, l.notes(number)+"?"+query.Encode(), nil, &notes)
			if err != nil {
				yield(Comment{}, err)
				return
			}
			for _, n := range notes {
				if n.System { // GitLab's own line about a change
					continue
				}
				if !yield(Comment{ID: n.ID, Body: n.Body, Author: n.Author.Username}, nil) {
					return
				}
			}
			page = header.Get("X-Next-Page")
		}
	}
}

// Create implements Thread.
func (l *lab) Create(ctx context.Context, number int, body string) (int64, error) {
	var made note
	_, err := l.call(ctx, http.MethodPost, l.notes(number), map[string]string{"body": body}, &made)
	return made.ID, err
}

// Update implements Thread.
func (l *lab) Update(ctx context.Context, number int, id int64, body string) error {
	_, err := l.call(ctx, http.MethodPut, fmt.Sprintf("%s/%d", l.notes(number), id), map[string]string{"body": body}, nil)
	return err
}

// Me implements Thread: project access tokens have a user of their own.
func (l *lab) Me(ctx context.Context) (string, error) {
	var user struct {
		Username string `json:"username"`
	}
	_, err := l.call(ctx, http.MethodGet, "/user", nil, &user)
	return user.Username, err
}

// PullOf implements Finder.
// https://docs.gitlab.com/api/commits/#list-merge-requests-associated-with-a-commit
func (l *lab) PullOf(ctx context.Context, sha string) (int, error) {
	var requests []struct {
		IID         int    `json:"iid"`
		State       string `json:"state"`
		SHA         string `json:"sha"`
		MergeCommit string `json:"merge_commit_sha"`
		Squashed    string `json:"squash_commit_sha"`
	}
	_, err := l.call(ctx, http.MethodGet, fmt.Sprintf("/projects/%s/repository/commits/%s/merge_requests", l.project, url.PathEscape(sha)), nil, &requests)
	if statusOf(err) == http.StatusNotFound { // a commit that the project does not have
		return 0, nil
	}
	open := 0
	for _, r := range requests {
		// Merged by fast-forward, the last commit is the head's.
		if r.State == "merged" && slices.Contains([]string{r.MergeCommit, r.Squashed, r.SHA}, sha) {
			return r.IID, nil
		}
		if open == 0 && r.State == "opened" && r.SHA == sha {
			open = r.IID
		}
	}
	return open, err
}
