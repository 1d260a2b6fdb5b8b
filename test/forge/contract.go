// Package forge is for tests of what speaks with the servers that repositories live on:
// their own descriptions of their API, which every request and every answer is held
// against, and a small Gitea.
package forge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/require"
)

// Contract is a forge's description of the calls that a client makes, and of what it
// answers them with.
type Contract struct {
	forge    string
	document *openapi3.T
	router   routers.Router
}

// ReadContract reads the description that a forge gives of itself.
func ReadContract(t *testing.T, forge string, description []byte) *Contract {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(description)
	require.NoError(t, err)
	router, err := legacy.NewRouter(document, openapi3.DisableExamplesValidation())
	require.NoError(t, err)
	return &Contract{forge, document, router}
}

// Example is the forge's own example of an answer; of a list it is the first entry.
func (c *Contract) Example(t *testing.T, name string) map[string]any {
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

// Enforce holds every request that reaches a handler, and every answer of it, against
// the description. A status that it does not know, as that of a proxy, is let through.
func (c *Contract) Enforce(t *testing.T, next http.Handler) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has gone
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		broken := func(what string, err error) {
			problem := fmt.Sprintf("%s %s: %s %s: %v", r.Method, r.URL, c.forge, what, err)
			t.Error(problem)
			http.Error(w, problem, http.StatusNotImplemented)
		}
		route, parameters, err := c.router.FindRoute(r)
		if err != nil {
			broken("has no such call", err)
			return
		}
		input := &openapi3filter.RequestValidationInput{Request: r, PathParams: parameters, Route: route, Options: &openapi3filter.Options{SkipSettingDefaults: true}}
		if err = openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			broken("would not take the request", err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		recorder := httptest.NewRecorder()
		next.ServeHTTP(recorder, r)
		answer := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: recorder.Code, Header: recorder.Header()}
		answer.SetBodyBytes(recorder.Body.Bytes())
		if err = openapi3filter.ValidateResponse(r.Context(), answer); err != nil {
			broken("would not answer so", err)
			return
		}
		maps.Copy(w.Header(), recorder.Header())
		w.WriteHeader(recorder.Code)
		_, _ = w.Write(recorder.Body.Bytes())
	})
}
