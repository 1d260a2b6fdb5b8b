package comment

import (
	"context"
	"fmt"
	"net/http"
)

// gitea is Gitea or Forgejo. Their comments are as GitHub's, and all on one page.
type gitea struct{ *hub }

// PullOf implements Finder. There is one at most: that which was merged as this commit,
// https://docs.gitea.com/api#tag/repository/operation/repoGetCommitPullRequest
func (g gitea) PullOf(ctx context.Context, sha string) (int, error) {
	request, err := g.client.NewRequest(ctx, http.MethodGet, fmt.Sprintf("repos/%s/%s/commits/%s/pull", g.owner, g.repository, sha), nil)
	if err != nil {
		return 0, err
	}
	var pull struct {
		Number int `json:"number"`
	}
	_, err = g.client.Do(request, &pull)
	if err = said(err); statusOf(err) == http.StatusNotFound {
		return 0, nil
	}
	return pull.Number, err
}
