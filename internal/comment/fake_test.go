package comment

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/forge"
)

// token is what lets the tests in. It must be in no message.
const token = "ghs_THE-SECRET-TOKEN"

// fakeHub is GitHub with one pull request, held against its own description.
type fakeHub struct {
	t        *testing.T
	contract *forge.Contract
	url      string

	mu       sync.Mutex
	comments []map[string]any
	pulls    []map[string]any // of every commit
	user     string           // that the token is of; empty: a job's own
	page     int              // the most on a page
	calls    []string
	answers  []http.HandlerFunc // that come before its own, one each
}

// newFakeHub starts one. Its address is that of a server at home, where the API has a
// path of its own, or of the cloud.
func newFakeHub(t *testing.T, description string) *fakeHub {
	t.Helper()
	h := &fakeHub{t: t, contract: readContract(t, description), page: 100}
	prefix := ""
	if strings.HasPrefix(description, "ghes") {
		prefix = "/api/v3"
	}
	server := httptest.NewServer(http.StripPrefix(prefix, h.contract.Enforce(t, h)))
	t.Cleanup(server.Close)
	h.url = server.URL + prefix
	return h
}

// say adds a comment of somebody.
func (h *fakeHub) say(login, kind, body string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add(login, kind, body)
}

func (h *fakeHub) add(login, kind, body string) map[string]any {
	made := h.contract.Example(h.t, "issue-comment")
	user := maps.Clone(made["user"].(map[string]any))
	user["login"], user["type"] = login, kind
	made["id"], made["body"], made["user"] = int64(1000+len(h.comments)), body, user
	h.comments = append(h.comments, made)
	return made
}

// bodies are what all comments say.
func (h *fakeHub) bodies() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, c := range h.comments {
		all = append(all, c["body"].(string))
	}
	return all
}

// asked are the calls so far, and are forgotten.
func (h *fakeHub) asked() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	calls := h.calls
	h.calls = nil
	return calls
}

// next has calls answered otherwise, in this order; nil is its own answer.
func (h *fakeHub) next(answers ...http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers = answers
}

// ServeHTTP implements http.Handler.
func (h *fakeHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, r.Method+" "+r.URL.String())
	if len(h.answers) > 0 {
		answer := h.answers[0]
		h.answers = h.answers[1:]
		if answer != nil {
			answer(w, r)
			return
		}
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer "+token:
		reply(w, http.StatusUnauthorized, message("Bad credentials"))
	case r.URL.Path == "/user" && h.user == "":
		reply(w, http.StatusForbidden, message("Resource not accessible by integration"))
	case r.URL.Path == "/user":
		user := h.contract.Example(h.t, "private-user-response-with-public-and-private-profile-information")
		user["login"], user["user_view_type"] = h.user, "private" // the example is older than its schema
		reply(w, http.StatusOK, user)
	case strings.HasSuffix(r.URL.Path, "/pulls"):
		h.list(w, r, h.pulls)
	case r.Method == http.MethodGet:
		h.list(w, r, h.comments)
	case r.Method == http.MethodPost:
		reply(w, http.StatusCreated, h.add("github-actions[bot]", "Bot", bodyOf(r)))
	default:
		h.update(w, r)
	}
}

func bodyOf(r *http.Request) string {
	var body struct{ Body string }
	_ = json.NewDecoder(r.Body).Decode(&body)
	return body.Body
}

func (h *fakeHub) update(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.ParseInt(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], 10, 64)
	for _, c := range h.comments {
		if c["id"] == id {
			c["body"] = bodyOf(r)
			reply(w, http.StatusOK, c)
			return
		}
	}
	reply(w, http.StatusNotFound, message("Not Found"))
}

// list answers with a page and says where the next one is.
func (h *fakeHub) list(w http.ResponseWriter, r *http.Request, all []map[string]any) {
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	first := min(max(0, page-1)*h.page, len(all))
	last := min(first+h.page, len(all))
	if last < len(all) {
		query := r.URL.Query()
		query.Set("page", strconv.Itoa(max(1, page)+1))
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?%s>; rel="next"`, h.url, r.URL.Path, query.Encode()))
	}
	reply(w, http.StatusOK, append([]map[string]any{}, all[first:last]...))
}

// job is a job of GitHub Actions that belongs to pull request 7, or as env has it.
func (h *fakeHub) job(env map[string]string) *Job {
	h.t.Helper()
	all := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_API_URL": h.url, "GITHUB_REPOSITORY": "octo-org/octo-repo", "GITHUB_REF": "refs/pull/7/merge",
	}
	maps.Copy(all, env)
	job, err := Find(Options{Getenv: func(name string) string { return all[name] }, Token: token, Agent: "l4-canary/test", By: NewKey("run", "1")})
	require.NoError(h.t, err)
	return job
}

func (h *fakeHub) sticky(key string) *Sticky {
	h.t.Helper()
	sticky, err := h.job(nil).Sticky(h.t.Context(), NewKey(key))
	require.NoError(h.t, err)
	return sticky
}

// failing is an answer with a status and GitHub's words.
func failing(status int, text string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		reply(w, status, message(text))
	}
}

// memory is a platform within the process, for tests of time. It panics on a call that
// no test plans.
type memory struct {
	Forge // nil

	mu     sync.Mutex
	bodies []string
	before func(ctx context.Context, number int) error // of each writing
}

func (m *memory) writes(ctx context.Context, body string) error {
	m.mu.Lock()
	number := len(m.bodies) + 1
	m.mu.Unlock()
	if m.before != nil {
		if err := m.before(ctx, number); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bodies = append(m.bodies, body)
	return nil
}

func (m *memory) written() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string{}, m.bodies...)
}
