package comment

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pull is a pull request as GitHub lists it with a commit.
func (h *fakeHub) pull(number int, state, mergedAs, head string) {
	p := h.contract.Example(h.t, "pull-request-simple-items")
	p["number"], p["state"], p["merge_commit_sha"], p["merged_at"] = number, state, nil, nil
	if mergedAs != "" {
		p["merge_commit_sha"] = mergedAs
	}
	if state == "merged" {
		p["state"], p["merged_at"] = "closed", "2026-01-26T19:01:12Z"
	}
	p["requested_teams"] = []any{} // the example is older than its schema
	side, ok := p["head"].(map[string]any)
	require.True(h.t, ok)
	side["sha"] = head
	h.pulls = append(h.pulls, p)
}

// TestPullOfCommit: the one that was merged as this commit comes before one that ends
// with it; one that merely has it is none.
func TestPullOfCommit(t *testing.T) {
	t.Parallel()
	const other = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	for name, row := range map[string]struct {
		pulls [][3]string // state, merged as, head
		want  int
	}{
		"none":                     {nil, 0},
		"merged":                   {[][3]string{{"open", other, sha}, {"merged", sha, other}}, 2},
		"open":                     {[][3]string{{"open", other, other}, {"open", other, sha}, {"open", "", sha}}, 2},
		"merged as another commit": {[][3]string{{"merged", other, sha}}, 0},
		"closed":                   {[][3]string{{"closed", sha, sha}}, 0},
		"on another page":          {[][3]string{{"open", other, sha}, {"open", other, other}, {"merged", sha, other}}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFakeHub(t, descriptions[0])
			h.page = 2
			for i, p := range row.pulls {
				h.pull(i+1, p[0], p[1], p[2])
			}
			job := h.job(map[string]string{"GITHUB_REF": "refs/heads/main", "GITHUB_SHA": sha})
			number, err := job.Pull(t.Context())
			if row.want == 0 {
				require.ErrorIs(t, err, ErrNoPull)
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.want, number)
			require.Equal(t, "GET /repos/octo-org/octo-repo/commits/"+sha+"/pulls?per_page=100", h.asked()[0])
			_, err = job.Pull(t.Context())
			require.NoError(t, err)
			require.Empty(t, h.asked(), "it is known")
		})
	}
}

// TestUnknownCommit: a commit that the repository does not have belongs to nothing.
func TestUnknownCommit(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t, descriptions[0])
	job := h.job(map[string]string{"GITHUB_REF": "refs/heads/main", "GITHUB_SHA": sha})
	h.next(failing(http.StatusUnprocessableEntity, "No commit found for SHA: "+sha), failing(http.StatusConflict, "Git Repository is empty."))
	for range 2 {
		_, err := job.Pull(t.Context())
		require.ErrorIs(t, err, ErrNoPull)
	}
}

func TestFindNothing(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		env   map[string]string
		token string
		want  string
	}{
		{nil, token, "this is no job of GitHub Actions, Gitea, Forgejo or GitLab"},
		{map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "a/b"}, "", `input "github-token" is empty`},
		{map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "a"}, token, `GITHUB_REPOSITORY is "a", which is no owner and repository`},
		{map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "a/b", "GITHUB_API_URL": "http://[::1"}, token, "invalid base url"},
		{map[string]string{"GITLAB_CI": "true"}, token, "variable GITLAB_TOKEN is empty"},
		{map[string]string{"GITLAB_CI": "true", "GITLAB_TOKEN": token}, "", "CI_API_V4_URL and CI_PROJECT_ID do not say where the project is"},
	} {
		_, err := Find(Options{Getenv: func(name string) string { return row.env[name] }, Token: row.token})
		require.ErrorContains(t, err, row.want)
		require.NotContains(t, err.Error(), token)
	}
}

// TestExplain: what people read when there is no comment, and that the token is not in it.
func TestExplain(t *testing.T) {
	t.Parallel()
	fork := map[string]string{"GITHUB_EVENT_PATH": "event.json"}
	for name, row := range map[string]struct {
		env     map[string]string
		answers []http.HandlerFunc
		want    []string
	}{
		"no permission": {nil, []http.HandlerFunc{nil, failing(403, "Resource not accessible by integration")},
			[]string{"403 Forbidden: Resource not accessible by integration", "pull-requests: write", "contents: read"}},
		"a fork": {fork, []http.HandlerFunc{nil, failing(403, "Resource not accessible by integration")},
			[]string{"fork's pull request", "workflow_run", "comment: never"}},
		"hidden":            {nil, []http.HandlerFunc{failing(404, "Not Found")}, []string{"reading the comments: 404 Not Found", "pull-requests: write"}},
		"wrong token":       {nil, []http.HandlerFunc{failing(401, "Bad credentials")}, []string{"401 Unauthorized: Bad credentials", "pull-requests: write"}},
		"limit of requests": {nil, []http.HandlerFunc{failing(403, "API rate limit exceeded", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "99999999999")}, []string{"API rate limit exceeded", "GitHub takes no more requests"}},
		"second limit": {nil, []http.HandlerFunc{nil, func(w http.ResponseWriter, _ *http.Request) {
			reply(w, 403, map[string]any{"message": "You have exceeded a secondary rate limit", "documentation_url": "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits"})
		}}, []string{"secondary rate limit", "GitHub takes no more requests"}},
		"too many":        {nil, []http.HandlerFunc{failing(429, "slow down")}, []string{"429 Too Many Requests: slow down", "takes no more requests"}},
		"broken":          {nil, []http.HandlerFunc{failing(500, "")}, []string{"reading the comments: 500 Internal Server Error"}},
		"locked":          {nil, []http.HandlerFunc{nil, failing(410, "This issue was deleted")}, []string{"writing the comment: 410 Gone: This issue was deleted"}},
		"no conversation": {nil, []http.HandlerFunc{nil, failing(403, "Unable to create comment because issue is locked.")}, []string{"issue is locked."}},
		"not JSON":        {nil, []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(599) }}, []string{"599"}},
		"proxy's own": {nil, []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<h1>no</h1>", http.StatusProxyAuthRequired)
		}}, []string{"407"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFakeHub(t, descriptions[0])
			job := h.job(nil)
			job.Fork = row.env != nil
			h.next(row.answers...)
			sticky, err := job.Sticky(t.Context(), lobby)
			require.NoError(t, err)
			err = sticky.Put(t.Context(), "x", true, true)
			require.Error(t, err)
			said := job.Explain(err)
			for _, part := range append(row.want, "the comment on the pull request was not written: ") {
				require.Contains(t, said, part)
			}
			require.NotContains(t, said, token)
			require.NotContains(t, err.Error(), token)
			if name == "no conversation" {
				require.NotContains(t, said, "permissions")
			}
		})
	}
	require.Equal(t, "no pull request belongs to this job", (&Job{}).Explain(ErrNoPull))
	require.Equal(t, "the comment on the pull request was not written: connection refused", (&Job{}).Explain(errors.New("connection refused")))
	refused := &StatusError{Status: 403}
	require.Contains(t, (&Job{Platform: "GitLab"}).Explain(refused), "CI_JOB_TOKEN cannot write notes")
	require.Contains(t, (&Job{Platform: "Gitea", Fork: true}).Explain(refused), "right to write to pull requests")
}

// TestFork: the payload of the event says so.
func TestFork(t *testing.T) {
	t.Parallel()
	for event, want := range map[string]bool{"pull_request": true, "pull_request_target": false} {
		env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "a/b", "GITHUB_EVENT_PATH": "event.json", "GITHUB_EVENT_NAME": event}
		job, err := Find(Options{
			Getenv: func(name string) string { return env[name] },
			ReadFile: func(string) ([]byte, error) {
				return []byte(`{"pull_request":{"number":9,"head":{"repo":{"id":1}},"base":{"repo":{"id":2}}}}`), nil
			}, Token: token,
		})
		require.NoError(t, err)
		require.Equal(t, want, job.Fork, event)
		require.Equal(t, "GitHub", job.Platform)
	}
}

// TestSlowServer: one that takes a request and never answers costs no more than the
// caller has, and the token is in no error.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t, descriptions[0])
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(server.Close)
	h.url = server.URL
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := h.sticky("lobby").Put(ctx, "x", true, true)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, hopeless(err))
	require.NotContains(t, err.Error(), token)

	server.CloseClientConnections()
	server.Close()
	err = h.sticky("lobby").Put(t.Context(), "x", true, true)
	require.Error(t, err)
	require.False(t, hopeless(err))
	require.NotContains(t, err.Error(), token)
}

// TestTokenStaysHome: a server that sends the client elsewhere does not send the token
// along.
func TestTokenStaysHome(t *testing.T) {
	t.Parallel()
	var seen []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var all strings.Builder
		_ = r.Header.Write(&all)
		seen = append(seen, all.String())
		reply(w, http.StatusNotFound, message("Not Found"))
	}))
	t.Cleanup(elsewhere.Close)
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(away.Close)
	for _, env := range []map[string]string{
		{"GITHUB_ACTIONS": "true", "GITHUB_API_URL": away.URL, "GITHUB_REPOSITORY": "a/b", "GITHUB_REF": "refs/pull/7/merge"},
		{"GITLAB_CI": "true", "CI_API_V4_URL": away.URL, "CI_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "7", "GITLAB_TOKEN": token},
	} {
		job, err := Find(Options{Getenv: func(name string) string { return env[name] }, Token: token})
		require.NoError(t, err)
		sticky, err := job.Sticky(t.Context(), lobby)
		require.NoError(t, err)
		require.ErrorContains(t, sticky.Put(t.Context(), "x", true, true), "404 Not Found")
	}
	require.Len(t, seen, 2)
	for _, headers := range seen {
		require.Contains(t, headers, "Accept: ")
		require.NotContains(t, headers, token)
	}
}
