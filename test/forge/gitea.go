package forge

import (
	"crypto/rand"
	_ "embed" // the description
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
)

// giteaAPI is what Gitea 1.27.3 says of the calls that keep a comment.
//
//go:embed testdata/gitea/api.json
var giteaAPI []byte

// Gitea is one of version 1.27.3, as far as the token of a job reaches: a repository with
// comments on its pull requests. What it answers was read in
// code.gitea.io/gitea@v1.27.3, routers/api/v1 and services/convert.
type Gitea struct {
	Repository string         // owner/name
	Pulls      int            // pull requests 1 to this one are there
	Merged     map[string]int // the pull requests that were merged as these commits

	URL   string // as people type it, and runners set GITHUB_SERVER_URL; after Start
	Token string // of a job; after Start

	mu      sync.Mutex
	remarks []Remark // each has the number of its place, from 1
	calls   []string
}

// Remark is a comment on a pull request.
type Remark struct {
	Pull         int
	Author, Body string
}

// JobUser is whom the comments of jobs are by.
// https://github.com/go-gitea/gitea/blob/v1.27.3/models/user/user_system.go
const JobUser = "gitea-actions"

// Start has it answer until the test ends.
func (g *Gitea) Start(t *testing.T) {
	t.Helper()
	repo, calls := "/repos/"+g.Repository, http.NewServeMux()
	calls.HandleFunc("GET /user", g.user)
	calls.HandleFunc("GET "+repo+"/commits/{sha}/pull", g.pull)
	calls.HandleFunc("GET "+repo+"/issues/{index}/comments", g.list)
	calls.HandleFunc("POST "+repo+"/issues/{index}/comments", g.create)
	calls.HandleFunc("PATCH "+repo+"/issues/comments/{id}", g.edit)
	server := httptest.NewServer(http.StripPrefix("/api/v1", ReadContract(t, "Gitea", giteaAPI).Enforce(t, g.guard(calls))))
	t.Cleanup(server.Close)
	g.URL, g.Token = server.URL, rand.Text()
}

// Say adds a comment.
func (g *Gitea) Say(r Remark) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remarks = append(g.remarks, r)
}

// Remarks are all comments.
func (g *Gitea) Remarks() []Remark {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]Remark{}, g.remarks...)
}

// Calls are those so far, without the path of the API; they are forgotten then.
func (g *Gitea) Calls() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	calls := g.calls
	g.calls = nil
	return calls
}

// guard lets in who has the token, one after another.
func (g *Gitea) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.calls = append(g.calls, r.Method+" "+r.URL.Path)
		if r.Header.Get("Authorization") != "Bearer "+g.Token {
			refuse(w, http.StatusUnauthorized, "invalid username, password or token")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// user is what the token of a job is told: it has no scopes that could forbid it.
func (g *Gitea) user(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, g.userNamed(JobUser))
}

func (g *Gitea) pull(w http.ResponseWriter, r *http.Request) {
	number, ok := g.Merged[r.PathValue("sha")]
	if !ok {
		refuse(w, http.StatusNotFound, "pull request does not exist [id: 0, issue_id: 0, head_repo_id: 0, base_repo_id: 0, head_branch: , base_branch: ]")
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"id": 100 + number, "number": number, "state": "closed", "merged": true, "merge_commit_sha": r.PathValue("sha"), "user": g.userNamed("octocat"),
		"html_url": g.page(number), "title": "A change", "body": "", "labels": []any{}, "pin_order": 0,
	})
}

// list has no pages.
func (g *Gitea) list(w http.ResponseWriter, r *http.Request) {
	index, ok := g.index(w, r)
	if !ok {
		return
	}
	found := []any{}
	for id, remark := range g.remarks {
		if remark.Pull == index {
			found = append(found, g.comment(id+1))
		}
	}
	answer(w, http.StatusOK, found)
}

func (g *Gitea) create(w http.ResponseWriter, r *http.Request) {
	if index, ok := g.index(w, r); ok {
		g.remarks = append(g.remarks, Remark{index, JobUser, bodyOf(r)})
		answer(w, http.StatusCreated, g.comment(len(g.remarks)))
	}
}

func (g *Gitea) edit(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || id < 1 || id > len(g.remarks) {
		refuse(w, http.StatusNotFound, "not found")
		return
	}
	g.remarks[id-1].Body = bodyOf(r)
	answer(w, http.StatusOK, g.comment(id))
}

// index is the pull request that a call is about, if it is there.
func (g *Gitea) index(w http.ResponseWriter, r *http.Request) (int, bool) {
	index, err := strconv.Atoi(r.PathValue("index"))
	if err != nil || index < 1 || index > g.Pulls {
		refuse(w, http.StatusNotFound, "not found")
		return 0, false
	}
	return index, true
}

func (g *Gitea) comment(id int) map[string]any {
	remark := g.remarks[id-1]
	return map[string]any{
		"id": id, "html_url": fmt.Sprintf("%s#issuecomment-%d", g.page(remark.Pull), id), "pull_request_url": g.page(remark.Pull), "issue_url": "",
		"user": g.userNamed(remark.Author), "original_author": "", "original_author_id": 0, "body": remark.Body, "assets": []any{},
		"created_at": "2026-05-01T10:00:00Z", "updated_at": "2026-05-01T10:00:00Z",
	}
}

// userNamed is the user of jobs, whose number is that of nobody else, or a person.
func (g *Gitea) userNamed(login string) map[string]any {
	id := 5
	if login == JobUser {
		id = -2
	}
	return map[string]any{
		"id": id, "login": login, "login_name": "", "source_id": 0, "full_name": "", "email": login + "@noreply.example.com", "avatar_url": g.URL + "/avatars/x",
		"html_url": g.URL + "/" + login, "language": "", "is_admin": false, "last_login": "0001-01-01T00:00:00Z", "created": "0001-01-01T00:00:00Z",
		"restricted": false, "active": false, "prohibit_login": false, "location": "", "website": "", "description": "", "visibility": "public",
		"followers_count": 0, "following_count": 0, "starred_repos_count": 0, "username": login,
	}
}

func (g *Gitea) page(pull int) string {
	return fmt.Sprintf("%s/%s/pulls/%d", g.URL, g.Repository, pull)
}

// bodyOf is what a request wants to be said. The description has had it read already.
func bodyOf(r *http.Request) string {
	var body struct{ Body string }
	_ = json.NewDecoder(r.Body).Decode(&body)
	return body.Body
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]any{"message": message, "url": "https://gitea.example.com/api/swagger"})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
