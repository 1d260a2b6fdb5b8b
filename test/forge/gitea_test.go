package forge

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// newGitea is one whose second pull request was merged as the commit abc.
func newGitea(t *testing.T) *Gitea {
	t.Helper()
	g := &Gitea{Repository: "acme/lobby", Pulls: 2, Merged: map[string]int{"abc": 2}}
	g.Start(t)
	return g
}

// ask makes a call, and reads the answer into found unless that is nil.
func ask(t *testing.T, g *Gitea, method, path, body string, found any) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, g.URL+"/api/v1"+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+g.Token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	if found != nil {
		require.NoError(t, json.Unmarshal(data, found), "%s", data)
	}
	return response.StatusCode
}

// comment is what is read of one.
type comment struct {
	ID   int
	Body string
	User struct {
		ID    int
		Login string
	}
}

// TestGitea: a comment is made, found, edited, and is in no other pull request.
func TestGitea(t *testing.T) {
	t.Parallel()
	g := newGitea(t)
	g.Say(Remark{1, "octocat", "hello"})
	var made comment
	require.Equal(t, http.StatusCreated, ask(t, g, "POST", "/repos/acme/lobby/issues/2/comments", `{"body": "running"}`, &made))
	require.Equal(t, http.StatusOK, ask(t, g, "PATCH", "/repos/acme/lobby/issues/comments/2", `{"body": "promoted"}`, &made))
	require.Equal(t, "promoted", made.Body)
	for index, want := range map[string]struct {
		id, user    int
		login, body string
	}{"1": {1, 5, "octocat", "hello"}, "2": {2, -2, JobUser, "promoted"}} {
		var all []comment
		require.Equal(t, http.StatusOK, ask(t, g, "GET", "/repos/acme/lobby/issues/"+index+"/comments", "", &all))
		require.Len(t, all, 1)
		require.Equal(t, want.id, all[0].ID)
		require.Equal(t, want.body, all[0].Body)
		require.Equal(t, want.user, all[0].User.ID)
		require.Equal(t, want.login, all[0].User.Login)
	}
	require.Equal(t, []Remark{{1, "octocat", "hello"}, {2, JobUser, "promoted"}}, g.Remarks())
	require.Len(t, g.Calls(), 4)
	require.Empty(t, g.Calls())
}

// TestGiteaKnows: whose token it is, and the pull request of a commit.
func TestGiteaKnows(t *testing.T) {
	t.Parallel()
	g := newGitea(t)
	var me struct{ Login string }
	require.Equal(t, http.StatusOK, ask(t, g, "GET", "/user", "", &me))
	require.Equal(t, JobUser, me.Login)
	var pull struct {
		Number int
		Merged bool
	}
	require.Equal(t, http.StatusOK, ask(t, g, "GET", "/repos/acme/lobby/commits/abc/pull", "", &pull))
	require.Equal(t, 2, pull.Number)
	require.True(t, pull.Merged)
	require.Equal(t, []string{"GET /user", "GET /repos/acme/lobby/commits/abc/pull"}, g.Calls())
}

// TestGiteaRefuses: what is not there, and who has another token.
func TestGiteaRefuses(t *testing.T) {
	t.Parallel()
	g := newGitea(t)
	g.Say(Remark{1, "octocat", "hello"})
	for path, method := range map[string]string{
		"/repos/acme/lobby/commits/def/pull": "GET", "/repos/acme/lobby/issues/3/comments": "GET", "/repos/acme/lobby/issues/0/comments": "POST",
		"/repos/acme/lobby/issues/comments/2": "PATCH",
	} {
		var said struct{ Message string }
		require.Equal(t, http.StatusNotFound, ask(t, g, method, path, `{"body": "x"}`, &said), path)
		require.NotEmpty(t, said.Message)
	}
	require.Equal(t, []Remark{{1, "octocat", "hello"}}, g.Remarks())
	require.Equal(t, http.StatusNotFound, ask(t, &Gitea{URL: g.URL + "/elsewhere"}, "GET", "/user", "", nil))
	require.Equal(t, http.StatusUnauthorized, ask(t, &Gitea{URL: g.URL, Token: "another"}, "GET", "/user", "", nil))
}
