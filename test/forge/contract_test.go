package forge

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// read are the descriptions that tests hold clients against.
func read(t *testing.T, forge string) *Contract {
	t.Helper()
	description := giteaAPI
	if forge == "GitHub" {
		var err error
		description, err = os.ReadFile("../../internal/comment/testdata/github/api.github.com.json")
		require.NoError(t, err)
	}
	return ReadContract(t, forge, description)
}

// TestContractFails: a description says no to what its forge would not take or answer.
func TestContractFails(t *testing.T) {
	t.Parallel()
	right := read(t, "GitHub").Example(t, "issue-comment")
	for name, row := range map[string]struct {
		forge, method, path, body string
		status                    int
		answer                    any
		says                      string
	}{
		"no such call":          {"GitHub", "GET", "/repos/o/r/issues/7/notes", "", 200, right, "GitHub has no such call"},
		"no body":               {"GitHub", "POST", "/repos/o/r/issues/7/comments", `{"text":"x"}`, 201, right, "GitHub would not take the request"},
		"number of a page":      {"GitHub", "GET", "/repos/o/r/issues/7/comments?page=first", "", 200, []any{right}, "GitHub would not take the request"},
		"answer is no list":     {"GitHub", "GET", "/repos/o/r/issues/7/comments", "", 200, right, "GitHub would not answer so"},
		"answer has no user":    {"GitHub", "PATCH", "/repos/o/r/issues/comments/7", `{"body":"x"}`, 200, map[string]any{"id": 1}, "GitHub would not answer so"},
		"GitHub's call":         {"Gitea", "GET", "/repos/o/r/commits/abc/pulls", "", 200, []any{}, "Gitea has no such call"},
		"no number":             {"Gitea", "GET", "/repos/o/r/issues/x/comments", "", 200, []any{}, "Gitea would not take the request"},
		"no body for Gitea":     {"Gitea", "PATCH", "/repos/o/r/issues/comments/7", `{"text":"x"}`, 200, map[string]any{"id": 1}, "Gitea would not take the request"},
		"one that is a list":    {"Gitea", "GET", "/repos/o/r/commits/abc/pull", "", 200, []any{}, "Gitea would not answer so"},
		"a number that is none": {"Gitea", "GET", "/user", "", 200, map[string]any{"id": "5"}, "Gitea would not answer so"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems := &testing.T{}
			handler := read(t, row.forge).Enforce(problems, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, row.status, row.answer) }))
			r := httptest.NewRequestWithContext(t.Context(), row.method, row.path, strings.NewReader(row.body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			require.True(t, problems.Failed())
			require.Equal(t, http.StatusNotImplemented, w.Code)
			require.Contains(t, w.Body.String(), row.says)
		})
	}
}

// TestContractLetsThrough: what is right, and a status that no description knows.
func TestContractLetsThrough(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusOK, http.StatusBadGateway} {
		handler := read(t, "Gitea").Enforce(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Page", "1")
			answer(w, status, map[string]any{"id": 5})
		}))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/user", http.NoBody))
		require.Equal(t, status, w.Code)
		require.Equal(t, "{\"id\":5}\n", w.Body.String())
		require.Equal(t, "1", w.Header().Get("X-Page"))
	}
}
