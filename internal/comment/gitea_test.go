package comment

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/forge"
)

// newTea is a Gitea whose pull request 3 was merged as sha, and is quoted by a person.
func newTea(t *testing.T) *forge.Gitea {
	t.Helper()
	g := &forge.Gitea{Repository: "acme/lobby", Pulls: 4, Merged: map[string]int{sha: 3}}
	g.Start(t)
	g.Say(forge.Remark{Pull: 3, Author: "octocat", Body: "promoted\n" + key7})
	return g
}

// onTea is a job of a Gitea, as its runner describes it.
func onTea(t *testing.T, g *forge.Gitea, event string, env ...string) *Job {
	t.Helper()
	all := map[string]string{
		"GITHUB_ACTIONS": "true", "GITEA_ACTIONS": "true", "GITHUB_API_URL": g.URL + "/api/v1", "GITHUB_REPOSITORY": g.Repository, "GITHUB_EVENT_PATH": "event.json",
	}
	for i := 0; i < len(env); i += 2 {
		all[env[i]] = env[i+1]
	}
	job, err := Find(Options{
		Getenv:   func(name string) string { return all[name] },
		ReadFile: func(string) ([]byte, error) { return []byte(event), nil },
		Token:    g.Token, By: run1,
	})
	require.NoError(t, err)
	return job
}

// TestGitea: the same comment, on the pull request that was merged as the commit.
func TestGitea(t *testing.T) {
	t.Parallel()
	g := newTea(t)
	for _, text := range []string{"running", "promoted"} {
		job := onTea(t, g, `{"ref": "refs/heads/main", "after": "`+sha+`"}`, "GITHUB_REF", "refs/heads/main", "GITHUB_SHA", sha)
		require.Equal(t, "Gitea", job.Platform)
		sticky, err := job.Sticky(t.Context(), lobby)
		require.NoError(t, err)
		require.NoError(t, sticky.Put(t.Context(), text, true, true))
	}
	require.Equal(t, []forge.Remark{{Pull: 3, Author: "octocat", Body: "promoted\n" + key7}, {Pull: 3, Author: forge.JobUser, Body: "promoted\n" + key7 + "\n"}}, g.Remarks())
	of := "/repos/acme/lobby/"
	require.Equal(t, []string{
		"GET " + of + "commits/" + sha + "/pull", "GET " + of + "issues/3/comments", "GET /user", "POST " + of + "issues/3/comments",
		"GET " + of + "commits/" + sha + "/pull", "GET " + of + "issues/3/comments", "GET /user", "PATCH " + of + "issues/comments/2",
	}, g.Calls())
	_, err := onTea(t, g, "{}", "GITHUB_REF", "refs/heads/main", "GITHUB_SHA", "0000").Sticky(t.Context(), lobby)
	require.ErrorIs(t, err, ErrNoPull)
}

// TestGiteaPull: an event of a pull request has its number, and so has the reference,
// which is that of the branch's last commit and of no merge:
// https://github.com/go-gitea/gitea/blob/v1.27.3/services/actions/notifier_helper.go
func TestGiteaPull(t *testing.T) {
	t.Parallel()
	event, err := json.Marshal(map[string]any{
		"action": "opened", "number": 4, "repository": map[string]any{"id": 1, "full_name": "acme/lobby"}, "sender": map[string]any{"id": 5, "login": "octocat"}, "commit_id": "", "review": nil,
		"pull_request": map[string]any{
			"id": 104, "number": 4, "state": "open", "merged": false, "merge_commit_sha": nil,
			"head": map[string]any{"label": "topic", "ref": "topic", "sha": sha, "repo_id": 1, "repo": map[string]any{"id": 1}},
			"base": map[string]any{"label": "main", "ref": "main", "sha": "0000", "repo_id": 1, "repo": map[string]any{"id": 1}},
		},
	})
	require.NoError(t, err)
	for name, event := range map[string]string{"event": string(event), "reference": "{}"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newTea(t)
			job := onTea(t, g, event, "GITHUB_EVENT_NAME", "pull_request", "GITHUB_REF", "refs/pull/4/head", "GITHUB_SHA", sha)
			require.False(t, job.Fork)
			sticky, err := job.Sticky(t.Context(), lobby)
			require.NoError(t, err)
			require.NoError(t, sticky.Put(t.Context(), "running", true, true))
			require.Equal(t, forge.Remark{Pull: 4, Author: forge.JobUser, Body: "running\n" + key7 + "\n"}, g.Remarks()[1])
			require.Equal(t, []string{"GET /repos/acme/lobby/issues/4/comments", "POST /repos/acme/lobby/issues/4/comments"}, g.Calls())
		})
	}
}

// TestGiteaRefuses: what it says when it says no, and what would help.
func TestGiteaRefuses(t *testing.T) {
	t.Parallel()
	g := newTea(t)
	job := onTea(t, g, "{}", "GITHUB_REF", "refs/pull/4/head")
	g.Token += "x" // another one than the job has
	sticky, err := job.Sticky(t.Context(), lobby)
	require.NoError(t, err)
	require.Equal(t, "the comment on the pull request was not written: reading the comments: 401 Unauthorized: invalid username, password or token; "+
		"the token needs the right to write to pull requests, which a workflow of a fork does not get", job.Explain(sticky.Put(t.Context(), "x", true, true)))
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
