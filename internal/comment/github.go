package comment

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strings"

	"github.com/google/go-github/v93/github"
)

// perPage is the most that GitHub and GitLab give at once.
const perPage = 100

// hub is GitHub, in the cloud or at home, for one repository.
type hub struct {
	client            *github.Client
	owner, repository string
}

func newGitHub(address, token, agent, owner, repository string) (*hub, error) {
	base := address + "/"
	client, err := github.NewClient(
		github.WithTransport(patient{next: newTransport()}),
		github.WithURLs(&base, nil), github.WithAuthToken(token), github.WithUserAgent(agent),
		github.WithDisableRateLimitCheck(), // patient waits, and for no longer than its caller does
	)
	if err != nil {
		return nil, err
	}
	return &hub{client, owner, repository}, nil
}

// Comments implements Thread.
func (h *hub) Comments(ctx context.Context, number int) iter.Seq2[Comment, error] {
	return func(yield func(Comment, error) bool) {
		options := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: perPage}}
		for {
			page, response, err := h.client.Issues.ListComments(ctx, h.owner, h.repository, number, options)
			if err != nil {
				yield(Comment{}, said(err))
				return
			}
			for _, c := range page {
				if !yield(commentOf(c), nil) {
					return
				}
			}
			if options.Page = response.NextPage; options.Page == 0 {
				return
			}
		}
	}
}

// actionsUser is the number of the user that Gitea and Forgejo have for jobs; GitHub's
// say that they are bots.
const actionsUser = -2

func commentOf(c *github.IssueComment) Comment {
	user := c.GetUser()
	return Comment{
		ID: c.GetID(), Body: c.GetBody(), Author: user.GetLogin(),
		Bot: user.GetType() == "Bot" || c.PerformedViaGithubApp != nil || user.GetID() == actionsUser,
	}
}

// Create implements Thread.
func (h *hub) Create(ctx context.Context, number int, body string) (int64, error) {
	made, _, err := h.client.Issues.CreateComment(ctx, h.owner, h.repository, number, github.IssueCommentRequest{Body: body})
	return made.GetID(), said(err)
}

// Update implements Thread.
func (h *hub) Update(ctx context.Context, _ int, id int64, body string) error {
	_, _, err := h.client.Issues.UpdateComment(ctx, h.owner, h.repository, id, github.IssueCommentRequest{Body: body})
	return said(err)
}

// Me implements Thread. The token of a job is no user's: 403.
func (h *hub) Me(ctx context.Context) (string, error) {
	user, _, err := h.client.Users.Get(ctx, "")
	return user.GetLogin(), said(err)
}

// PullOf implements Finder. GitHub lists everything that the commit is a part of: the
// one that it was merged as comes first, then an open one that ends with it.
func (h *hub) PullOf(ctx context.Context, sha string) (int, error) {
	options, open := &github.ListOptions{PerPage: perPage}, 0
	for {
		pulls, response, err := h.client.PullRequests.ListPullRequestsWithCommit(ctx, h.owner, h.repository, sha, options)
		if err = said(err); err != nil {
			if status := statusOf(err); status == http.StatusConflict || status == http.StatusUnprocessableEntity {
				return 0, nil // an empty repository; a commit that it does not have
			}
			return 0, err
		}
		for _, pull := range pulls {
			switch {
			case pull.MergedAt != nil && pull.GetMergeCommitSHA() == sha:
				return pull.GetNumber(), nil
			case open == 0 && pull.GetState() == "open" && pull.GetHead().GetSHA() == sha:
				open = pull.GetNumber()
			}
		}
		if options.Page = response.NextPage; options.Page == 0 {
			return open, nil
		}
	}
}

// said makes a StatusError of the library's errors, which name addresses.
func said(err error) error {
	if limited, ok := errors.AsType[*github.RateLimitError](err); ok {
		return &StatusError{Status: limited.Response.StatusCode, Message: limited.Message, Limited: true}
	}
	if limited, ok := errors.AsType[*github.AbuseRateLimitError](err); ok {
		return &StatusError{Status: limited.Response.StatusCode, Message: limited.Message, Limited: true}
	}
	failed, ok := errors.AsType[*github.ErrorResponse](err)
	if !ok {
		return err
	}
	words := []string{failed.Message}
	for _, detail := range failed.Errors {
		if detail.Message != "" {
			words = append(words, detail.Message)
		}
	}
	return &StatusError{
		Status: failed.Response.StatusCode, Message: strings.Join(words, ": "), Limited: failed.Response.StatusCode == http.StatusTooManyRequests,
	}
}
