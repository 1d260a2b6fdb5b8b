package comment

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/forge"
)

// readContract is a description that GitHub gives of the calls that the client makes.
func readContract(t *testing.T, name string) *forge.Contract {
	t.Helper()
	description, err := os.ReadFile(filepath.Join("testdata", "github", name))
	require.NoError(t, err)
	return forge.ReadContract(t, "GitHub", description)
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
