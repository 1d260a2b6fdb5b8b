package comment

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/require"
)

// contract is GitHub's description of the calls that the client makes, and of what it
// answers them with.
type contract struct {
	document *openapi3.T
	router   routers.Router
}

func readContract(t *testing.T, name string) *contract {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromFile(filepath.Join("testdata", "github", name))
	require.NoError(t, err)
	router, err := legacy.NewRouter(document, openapi3.DisableExamplesValidation())
	require.NoError(t, err)
	return &contract{document, router}
}

// example is GitHub's own example of an answer; of a list it is the first entry.
func (c *contract) example(t *testing.T, name string) map[string]any {
	t.Helper()
	found := c.document.Components.Examples[name]
	require.NotNil(t, found, "the description has no example %q", name)
	data, err := json.Marshal(found.Value.Value)
	require.NoError(t, err)
	if data[0] == '[' {
		var list []map[string]any
		require.NoError(t, json.Unmarshal(data, &list))
		return list[0]
	}
	var one map[string]any
	require.NoError(t, json.Unmarshal(data, &one))
	return one
}

// enforce holds every request that reaches a handler, and every answer of it, against
// the description. A status that it does not know, as that of a proxy, is let through.
func (c *contract) enforce(t *testing.T, next http.Handler) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has gone
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		broken := func(what string, err error) {
			t.Errorf("%s %s: %s: %v", r.Method, r.URL, what, err)
			w.WriteHeader(http.StatusNotImplemented)
		}
		route, parameters, err := c.router.FindRoute(r)
		if err != nil {
			broken("GitHub has no such call", err)
			return
		}
		input := &openapi3filter.RequestValidationInput{Request: r, PathParams: parameters, Route: route, Options: &openapi3filter.Options{SkipSettingDefaults: true}}
		if err = openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			broken("GitHub would not take the request", err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		recorder := httptest.NewRecorder()
		next.ServeHTTP(recorder, r)
		answer := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: recorder.Code, Header: recorder.Header()}
		answer.SetBodyBytes(recorder.Body.Bytes())
		if err = openapi3filter.ValidateResponse(r.Context(), answer); err != nil {
			broken("GitHub would not answer so", err)
			return
		}
		maps.Copy(w.Header(), recorder.Header())
		w.WriteHeader(recorder.Code)
		_, _ = w.Write(recorder.Body.Bytes())
	})
}

// TestContractFails: the description says no to what GitHub would not take or answer.
func TestContractFails(t *testing.T) {
	t.Parallel()
	c := readContract(t, "api.github.com.json")
	answer := c.example(t, "issue-comment")
	for name, row := range map[string]struct {
		method, path, body string
		status             int
		answer             any
		says               string
	}{
		"no such call":       {"GET", "/repos/o/r/issues/7/notes", "", 200, answer, "no such call"},
		"no body":            {"POST", "/repos/o/r/issues/7/comments", `{"text":"x"}`, 201, answer, "not take the request"},
		"number of a page":   {"GET", "/repos/o/r/issues/7/comments?page=first", "", 200, []any{answer}, "not take the request"},
		"answer is no list":  {"GET", "/repos/o/r/issues/7/comments", "", 200, answer, "not answer so"},
		"answer has no user": {"PATCH", "/repos/o/r/issues/comments/7", `{"body":"x"}`, 200, map[string]any{"id": 1}, "not answer so"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems := &testing.T{}
			handler := c.enforce(problems, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reply(w, row.status, row.answer) }))
			r := httptest.NewRequestWithContext(t.Context(), row.method, row.path, strings.NewReader(row.body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			require.True(t, problems.Failed())
			require.Equal(t, http.StatusNotImplemented, w.Code)
		})
	}
}

// reply writes an answer in JSON.
func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// message is how GitHub says no.
func message(text string) map[string]any {
	return map[string]any{"message": text, "documentation_url": "https://docs.github.com/rest/issues/comments"}
}

func readEvents(t *testing.T) map[string][]json.RawMessage {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "github", "events.json"))
	require.NoError(t, err)
	var events map[string][]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &events))
	return events
}
