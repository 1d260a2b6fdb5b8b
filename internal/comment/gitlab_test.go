package comment

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeLab is GitLab with merge request 5 of project 42.
type fakeLab struct {
	calls    []string
	notes    []map[string]any
	requests []map[string]any // of every commit
	page     int
	refuse   string // the body of a 403
}

func (f *fakeLab) say(user string, system bool, body string) {
	f.notes = append(f.notes, map[string]any{
		"id": 300 + len(f.notes), "type": nil, "body": body, "author": map[string]any{"id": 7, "username": user, "name": user, "state": "active", "bot": true},
		"created_at": "2026-05-01T10:00:00.000Z", "system": system, "resolvable": false,
	})
}

func (f *fakeLab) bodies() []string {
	var all []string
	for _, n := range f.notes {
		all = append(all, n["body"].(string))
	}
	return all
}

func (f *fakeLab) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.calls = append(f.calls, r.Method+" "+r.URL.EscapedPath())
	const notes = "/api/v4/projects/42/merge_requests/5/notes"
	switch {
	case r.Header.Get("Authorization") != "Bearer "+token:
		reply(w, http.StatusUnauthorized, map[string]any{"message": "401 Unauthorized"})
	case f.refuse != "":
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprint(w, f.refuse)
	case r.URL.Path == "/api/v4/user":
		reply(w, http.StatusOK, map[string]any{"id": 7, "username": "project_42_bot", "bot": true})
	case strings.HasSuffix(r.URL.Path, "/merge_requests"):
		reply(w, http.StatusOK, append([]map[string]any{}, f.requests...))
	case r.Method == http.MethodGet && r.URL.Path == notes:
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		first, last := min((page-1)*f.page, len(f.notes)), min(page*f.page, len(f.notes))
		w.Header().Set("X-Next-Page", "")
		if last < len(f.notes) {
			w.Header().Set("X-Next-Page", strconv.Itoa(page+1))
		}
		reply(w, http.StatusOK, f.notes[first:last])
	case r.Method == http.MethodPost && r.URL.Path == notes:
		f.say("project_42_bot", false, bodyOf(r))
		reply(w, http.StatusCreated, f.notes[len(f.notes)-1])
	case r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, notes+"/"):
		id, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, notes+"/"))
		f.notes[id-300]["body"] = bodyOf(r)
		reply(w, http.StatusOK, f.notes[id-300])
	default:
		reply(w, http.StatusNotFound, map[string]any{"error": "404 Not Found"})
	}
}

func newFakeLab(t *testing.T, env map[string]string) (*fakeLab, *Job) {
	t.Helper()
	f := &fakeLab{page: 2}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	all := map[string]string{"GITLAB_CI": "true", "CI_API_V4_URL": server.URL + "/api/v4", "CI_PROJECT_ID": "42", "GITLAB_TOKEN": token, "CI_COMMIT_SHA": sha}
	maps.Copy(all, env)
	job, err := Find(Options{Getenv: func(name string) string { return all[name] }, By: run1})
	require.NoError(t, err)
	return f, job
}

// TestGitLab: the note of the token's own user is found behind others, and written again.
func TestGitLab(t *testing.T) {
	t.Parallel()
	f, job := newFakeLab(t, map[string]string{"CI_MERGE_REQUEST_IID": "5"})
	f.say("octocat", false, "promoted\n"+key7)
	f.say("project_42_bot", true, "added 1 commit\n"+key7)
	sticky, err := job.Sticky(t.Context(), lobby)
	require.NoError(t, err)
	require.NoError(t, sticky.Put(t.Context(), "running", false, true))
	require.Equal(t, []string{
		"GET /api/v4/projects/42/merge_requests/5/notes", "GET /api/v4/user", "POST /api/v4/projects/42/merge_requests/5/notes",
	}, f.calls)
	f.calls = nil
	again, err := job.Sticky(t.Context(), lobby)
	require.NoError(t, err)
	require.NoError(t, again.Put(t.Context(), "promoted", true, true))
	require.Equal(t, []string{
		"GET /api/v4/projects/42/merge_requests/5/notes", "GET /api/v4/user", "GET /api/v4/projects/42/merge_requests/5/notes", "PUT /api/v4/projects/42/merge_requests/5/notes/302",
	}, f.calls, "the second page")
	require.Equal(t, "promoted\n"+key7+"\n", f.bodies()[2])
}

// TestMergeRequestOfCommit: after a merge there is no merge request in the environment.
func TestMergeRequestOfCommit(t *testing.T) {
	t.Parallel()
	const other = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	request := func(number int, state, head, merged, squashed string) map[string]any {
		return map[string]any{"iid": number, "state": state, "sha": head, "merge_commit_sha": merged, "squash_commit_sha": squashed}
	}
	for name, row := range map[string]struct {
		requests []map[string]any
		want     int
	}{
		"none":            {nil, 0},
		"merged":          {[]map[string]any{request(4, "opened", sha, "", ""), request(5, "merged", other, sha, "")}, 5},
		"squashed":        {[]map[string]any{request(5, "merged", other, "", sha)}, 5},
		"fast-forward":    {[]map[string]any{request(5, "merged", sha, "", "")}, 5},
		"open":            {[]map[string]any{request(4, "opened", other, "", ""), request(5, "opened", sha, "", ""), request(6, "opened", sha, "", "")}, 5},
		"closed":          {[]map[string]any{request(5, "closed", sha, "", "")}, 0},
		"merged as other": {[]map[string]any{request(5, "merged", other, other, "")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, job := newFakeLab(t, nil)
			f.requests = row.requests
			number, err := job.Pull(t.Context())
			require.Equal(t, []string{"GET /api/v4/projects/42/repository/commits/" + sha + "/merge_requests"}, f.calls)
			if row.want == 0 {
				require.ErrorIs(t, err, ErrNoPull)
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.want, number)
		})
	}
}

// TestGitLabFork: the merge request is in the project that it aims at.
func TestGitLabFork(t *testing.T) {
	t.Parallel()
	f, job := newFakeLab(t, map[string]string{"CI_PROJECT_ID": "77", "CI_MERGE_REQUEST_PROJECT_ID": "42", "CI_MERGE_REQUEST_IID": "5"})
	require.True(t, job.Fork)
	sticky, err := job.Sticky(t.Context(), lobby)
	require.NoError(t, err)
	require.NoError(t, sticky.Put(t.Context(), "promoted", true, true))
	require.Len(t, f.notes, 1)

	f, job = newFakeLab(t, map[string]string{"CI_PROJECT_ID": "acme/lobby", "CI_MERGE_REQUEST_IID": "5"})
	sticky, err = job.Sticky(t.Context(), lobby)
	require.NoError(t, err)
	require.ErrorContains(t, sticky.Put(t.Context(), "promoted", true, true), "404 Not Found: 404 Not Found")
	require.Equal(t, []string{"GET /api/v4/projects/acme%2Flobby/merge_requests/5/notes"}, f.calls)
}

// TestGitLabRefuses: whatever form its words have, they are shown, and what helps.
func TestGitLabRefuses(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"message":"403 Forbidden"}`: "403 Forbidden: 403 Forbidden",
		`{"error":"insufficient_scope","error_description":"The request requires higher privileges","scope":"api"}`: "403 Forbidden: insufficient_scope: The request requires higher privileges",
		`{"message":{"body":["is too long"]}}`: `403 Forbidden: {"body":["is too long"]}`,
		`<html>`:                               "403 Forbidden",
	} {
		f, job := newFakeLab(t, map[string]string{"CI_MERGE_REQUEST_IID": "5"})
		f.refuse = body
		sticky, err := job.Sticky(t.Context(), lobby)
		require.NoError(t, err)
		err = sticky.Put(t.Context(), "promoted", true, true)
		require.EqualError(t, err, "reading the comments: "+want)
		require.Contains(t, job.Explain(err), "scope api")
		require.NotContains(t, job.Explain(err), token)
	}
}
