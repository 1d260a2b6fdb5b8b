package comment

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// giteaComment is a comment as Gitea 1.24 writes it.
const giteaComment = `{"id":%d,"html_url":"https://gitea.example/acme/lobby/pulls/3#issuecomment-%[1]d","pull_request_url":"https://gitea.example/acme/lobby/pulls/3",
	"issue_url":"","user":{"id":%d,"login":%q,"login_name":"","source_id":0,"full_name":"","email":"teabot@gitea.io","avatar_url":"https://gitea.example/avatars/x",
	"html_url":"https://gitea.example/x","language":"","is_admin":false,"last_login":"0001-01-01T00:00:00Z","created":"0001-01-01T00:00:00Z","restricted":false,
	"active":false,"prohibit_login":false,"location":"","website":"","description":"","visibility":"public","followers_count":0,"following_count":0,
	"starred_repos_count":0,"username":%[3]q},"original_author":"","original_author_id":0,"body":%[4]q,"assets":[],"created_at":"2026-05-01T10:00:00Z","updated_at":"2026-05-01T10:00:00Z"}`

// fakeTea is Gitea with pull request 3, which was merged as sha.
type fakeTea struct {
	calls    []string
	comments []string // of the jobs' own user but for the first
}

func (f *fakeTea) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.calls = append(f.calls, r.Method+" "+r.URL.Path)
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	switch {
	case r.Header.Get("Authorization") != "Bearer "+token:
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprint(w, `{"message":"user does not exist [uid: 0, name: ]","url":"https://gitea.example/api/swagger"}`)
	case r.URL.Path == "/api/v1/user":
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprint(w, `{"message":"token does not have at least one of required scope(s): [read:user]","url":"x"}`)
	case r.URL.Path == "/api/v1/repos/acme/lobby/commits/"+sha+"/pull":
		_, _ = fmt.Fprint(w, `{"id":12,"number":3,"state":"closed","merged":true,"merge_commit_sha":"`+sha+`","labels":null,"milestone":null,"due_date":null,"pin_order":0}`)
	case strings.HasSuffix(r.URL.Path, "/pull"):
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(w, `{"errors":null,"message":"pull request does not exist","url":"x"}`)
	case r.Method == http.MethodGet:
		all := []string{fmt.Sprintf(giteaComment, 1, 5, "octocat", f.comments[0])}
		for i, body := range f.comments[1:] {
			all = append(all, fmt.Sprintf(giteaComment, i+2, -2, "gitea-actions", body))
		}
		_, _ = fmt.Fprint(w, "["+strings.Join(all, ",")+"]")
	case r.Method == http.MethodPost:
		f.comments = append(f.comments, bodyOf(r))
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, giteaComment, len(f.comments), -2, "gitea-actions", f.comments[len(f.comments)-1])
	default:
		f.comments[1] = bodyOf(r)
		_, _ = fmt.Fprintf(w, giteaComment, 2, -2, "gitea-actions", f.comments[1])
	}
}

// TestGitea: the same comment, on the pull request that was merged as the commit.
func TestGitea(t *testing.T) {
	t.Parallel()
	f := &fakeTea{comments: []string{"promoted\n" + key7}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	find := func(commit string) *Job {
		env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_API_URL": server.URL + "/api/v1", "GITHUB_REPOSITORY": "acme/lobby", "GITHUB_REF": "refs/heads/main", "GITHUB_SHA": commit}
		job, err := Find(Options{Getenv: func(name string) string { return env[name] }, Token: token, By: run1})
		require.NoError(t, err)
		return job
	}
	for _, text := range []string{"running", "promoted"} {
		job := find(sha)
		require.Equal(t, "Gitea", job.Platform)
		sticky, err := job.Sticky(t.Context(), lobby)
		require.NoError(t, err)
		require.NoError(t, sticky.Put(t.Context(), text, true, true))
	}
	require.Equal(t, []string{"promoted\n" + key7, "promoted\n" + key7 + "\n"}, f.comments)
	require.Equal(t, []string{
		"GET /api/v1/repos/acme/lobby/commits/" + sha + "/pull", "GET /api/v1/repos/acme/lobby/issues/3/comments", "GET /api/v1/user", "POST /api/v1/repos/acme/lobby/issues/3/comments",
		"GET /api/v1/repos/acme/lobby/commits/" + sha + "/pull", "GET /api/v1/repos/acme/lobby/issues/3/comments", "GET /api/v1/user", "PATCH /api/v1/repos/acme/lobby/issues/comments/2",
	}, f.calls)
	_, err := find("0000").Sticky(t.Context(), lobby)
	require.ErrorIs(t, err, ErrNoPull)
}

// TestWhichPlatform: runners of Gitea and Forgejo say what they are, and so does the path.
func TestWhichPlatform(t *testing.T) {
	t.Parallel()
	for want, all := range map[string][]map[string]string{
		"GitHub": {{}, {"GITHUB_API_URL": "https://ghes.example/api/v3"}, {"GITHUB_API_URL": "https://api.acme.ghe.com/"}},
		"Gitea":  {{"GITHUB_API_URL": "https://gitea.example/api/v1/"}, {"GITEA_ACTIONS": "true"}, {"FORGEJO_ACTIONS": "true"}},
		"GitLab": {{"GITLAB_CI": "true", "CI_API_V4_URL": "https://gitlab.example/api/v4", "CI_PROJECT_ID": "1", "GITLAB_TOKEN": "x"}},
	} {
		for _, env := range all {
			env["GITHUB_ACTIONS"], env["GITHUB_REPOSITORY"] = "true", "a/b"
			job, err := Find(Options{Getenv: func(name string) string { return env[name] }, Token: token})
			require.NoError(t, err)
			require.Equal(t, want, job.Platform, "%v", env)
		}
	}
}
