package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// forgeToken writes comments. It must never be printed, but to have it masked.
const forgeToken = "ghs_THE-SECRET-OF-THE-JOB"

// forge is GitHub with pull request 7 of acme/lobby, as far as the scripts need it:
// whether calls are what GitHub takes is asserted where they are made.
type forge struct {
	mu       sync.Mutex
	kind     string
	comments []string
	calls    int
}

// forgeKey is where a script's forge is kept.
type forgeKey struct{}

// ServeHTTP implements http.Handler.
func (f *forge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	w.Header().Set("Content-Type", "application/json")
	var body struct{ Body string }
	_ = json.NewDecoder(r.Body).Decode(&body)
	switch path := strings.TrimPrefix(r.URL.Path, "/repos/acme/lobby/"); {
	case r.Header.Get("Authorization") != "Bearer "+forgeToken:
		f.refuse(w, http.StatusUnauthorized, "Bad credentials")
	case f.kind == "read-only" && r.Method != http.MethodGet:
		f.refuse(w, http.StatusForbidden, "Resource not accessible by integration")
	case f.kind == "broken":
		f.refuse(w, http.StatusInternalServerError, "")
	case f.kind == "silent":
		f.mu.Unlock()
		<-r.Context().Done()
		f.mu.Lock()
	case strings.HasSuffix(path, "/pulls"):
		_, _ = fmt.Fprint(w, "[]")
	case r.Method == http.MethodGet && path == "issues/7/comments":
		all := make([]map[string]any, len(f.comments))
		for i := range f.comments {
			all[i] = f.comment(i)
		}
		_ = json.NewEncoder(w).Encode(all)
	case r.Method == http.MethodPost && path == "issues/7/comments":
		f.comments = append(f.comments, body.Body)
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(f.comment(len(f.comments) - 1))
	case r.Method == http.MethodPatch:
		var id int
		_, _ = fmt.Sscanf(path, "issues/comments/%d", &id)
		f.comments[id-1] = body.Body
		_ = json.NewEncoder(w).Encode(f.comment(id - 1))
	default:
		f.refuse(w, http.StatusNotFound, "Not Found")
	}
}

func (f *forge) comment(i int) map[string]any {
	return map[string]any{"id": i + 1, "body": f.comments[i], "user": map[string]any{"login": "github-actions[bot]", "type": "Bot"}}
}

func (f *forge) refuse(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}

func (f *forge) said() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.comments...)
}

// serve starts it and gives the environment of a job that belongs to pull request 7.
func (f *forge) serve(cleanup func(func())) map[string]string {
	server := httptest.NewServer(f)
	cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_API_URL": server.URL, "GITHUB_SERVER_URL": "https://github.example", "GITHUB_REPOSITORY": "acme/lobby",
		"GITHUB_REF": "refs/pull/7/merge", "GITHUB_SHA": "6dcb09b5b57875f334f61aebed695e2e4193db5e", "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "1",
		"GITHUB_JOB": "deploy", "GITHUB_ACTION": "__org_l4-canary", "GITHUB_WORKFLOW": "release",
		"GITHUB_WORKFLOW_REF": "acme/lobby/.github/workflows/release.yml@refs/pull/7/merge", "RUNNER_NAME": "runner-1",
	}
}

// startForge makes the rest of the script a job of a pull request.
func startForge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: forge KIND")
	}
	f, ok := ts.Value(forgeKey{}).(*forge)
	if !ok {
		ts.Fatalf("the script has no forge")
	}
	f.mu.Lock()
	first := f.kind == ""
	f.kind = args[0]
	f.mu.Unlock()
	if !first {
		return
	}
	for name, value := range f.serve(func(end func()) { ts.Defer(end) }) {
		ts.Setenv(name, value)
	}
	ts.Setenv("INPUT_GITHUB-TOKEN", forgeToken)
}

// listComments writes what all comments say into a file, and asserts how many there are.
func listComments(ts *testscript.TestScript, neg bool, args []string) {
	f, ok := ts.Value(forgeKey{}).(*forge)
	if neg || !ok || len(args) != 2 {
		ts.Fatalf("usage: comments NUMBER FILE")
	}
	said := f.said()
	if fmt.Sprint(len(said)) != args[0] {
		ts.Fatalf("there are %d comments, not %s:\n%s", len(said), args[0], strings.Join(said, "\n----\n"))
	}
	ts.Check(os.WriteFile(filepath.Join(ts.Getenv("WORK"), args[1]), []byte(strings.Join(said, "\n----\n")), 0o600))
}

// addComment adds a comment of the job's own user, whose text is a file.
func addComment(ts *testscript.TestScript, neg bool, args []string) {
	f, ok := ts.Value(forgeKey{}).(*forge)
	if neg || !ok || len(args) != 1 {
		ts.Fatalf("usage: comment FILE")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.comments = append(f.comments, ts.ReadFile(args[0]))
}
