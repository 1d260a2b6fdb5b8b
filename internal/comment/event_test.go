package comment

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

const sha = "6dcb09b5b57875f334f61aebed695e2e4193db5e"

func placeOf(t *testing.T, payload, ref string) place {
	t.Helper()
	var e event
	require.NoError(t, json.Unmarshal([]byte(payload), &e))
	return e.place(ref, sha)
}

// TestRealEvents reads what GitHub sends.
func TestRealEvents(t *testing.T) {
	t.Parallel()
	events := readEvents(t)
	for _, row := range []struct {
		event string
		at    int
		ref   string
		want  place
	}{
		{"pull_request", 0, "refs/pull/2/merge", place{number: 2}},
		{"merge_group", 0, "", place{number: 104, sha: sha}},
		{"issue_comment", 0, "refs/heads/main", place{sha: sha}}, // of an issue that is no pull request
		{"push", 2, "refs/heads/main", place{sha: sha}},
		{"push", 0, "refs/tags/v1", place{sha: sha}},
		{"workflow_run", 0, "refs/heads/main", place{sha: "5779607b49aab1200488439f02372c57b4f75444"}}, // a fork's
		{"workflow_run", 1, "refs/heads/main", place{sha: "3484a3fb816e0859fd6e1cea078d76385ff50625"}},
		{"workflow_run", 2, "refs/heads/main", place{sha: "3484a3fb816e0859fd6e1cea078d76385ff50625"}}, // another repository's pull request
	} {
		require.Equal(t, row.want, placeOf(t, string(events[row.event][row.at]), row.ref), "%s %d", row.event, row.at)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		payload, ref string
		want         place
	}{
		"a comment on a pull request": {`{"issue":{"number":9,"pull_request":{"url":"x"}}}`, "refs/heads/main", place{number: 9}},
		"a comment on an issue":       {`{"issue":{"number":9,"pull_request":null}}`, "refs/heads/main", place{sha: sha}},
		"a fork's":                    {`{"pull_request":{"number":9,"head":{"repo":{"id":1}},"base":{"repo":{"id":2}}}}`, "refs/pull/9/merge", place{number: 9, fork: true}},
		"a fork that is gone":         {`{"pull_request":{"number":9,"head":{"repo":null},"base":{"repo":{"id":2}}}}`, "refs/pull/9/merge", place{number: 9, fork: true}},
		"the run of a pull request": {`{"repository":{"id":2},"workflow_run":{"head_sha":"f00","pull_requests":[
			{"number":3,"base":{"repo":{"id":1}}},{"number":4,"base":{"repo":{"id":2}}}]}}`, "refs/heads/main", place{number: 4}},
		"a queue without payload": {`{}`, "refs/heads/gh-readonly-queue/main/pr-12-929f8209", place{number: 12, sha: sha}},
		"a branch of such a name": {`{}`, "refs/heads/pr-12-fix", place{sha: sha}},
		"no payload":              {`{}`, "refs/pull/31/merge", place{number: 31, sha: sha}},
		"a number too long":       {`{}`, "refs/pull/99999999999999999999/merge", place{sha: sha}},
		"no number":               {`{"pull_request":{}}`, "refs/heads/main", place{sha: sha}},
		"a schedule":              {`{"schedule":"0 3 * * *"}`, "refs/heads/main", place{sha: sha}},
	} {
		require.Equal(t, row.want, placeOf(t, row.payload, row.ref), name)
	}
}

// TestUnreadableEvent: the environment is left.
func TestUnreadableEvent(t *testing.T) {
	t.Parallel()
	env := map[string]string{"GITHUB_EVENT_PATH": "event.json", "GITHUB_REF": "refs/pull/31/merge", "GITHUB_SHA": sha}
	for payload, want := range map[string]place{
		`{"pull_request":{"number":8}}`: {number: 8},
		`{"pull_request":{"number":`:    {number: 31, sha: sha},
		`{"pull_request":"none"}`:       {number: 31, sha: sha},
	} {
		got := readEvent(Options{Getenv: func(name string) string { return env[name] }, ReadFile: func(name string) ([]byte, error) {
			require.Equal(t, "event.json", name)
			return []byte(payload), nil
		}})
		require.Equal(t, want, got, payload)
	}
	got := readEvent(Options{Getenv: func(name string) string { return env[name] }, ReadFile: func(string) ([]byte, error) {
		return nil, errors.New("no such file")
	}})
	require.Equal(t, place{number: 31, sha: sha}, got)
}

// FuzzEvent: whatever a payload says, a number is a number.
func FuzzEvent(f *testing.F) {
	f.Add(`{"pull_request":{"number":9}}`, "refs/heads/main")
	f.Add(`{"merge_group":{"head_ref":"refs/heads/gh-readonly-queue/main/pr-1-0"}}`, "")
	f.Add(`{"workflow_run":{"head_sha":"0","pull_requests":[{"number":-1}]}}`, "refs/pull/0/merge")
	f.Add(`{"issue":{"number":-9,"pull_request":{}}}`, "")
	f.Fuzz(func(t *testing.T, payload, ref string) {
		var e event
		if json.Unmarshal([]byte(payload), &e) != nil {
			return
		}
		require.GreaterOrEqual(t, e.place(ref, sha).number, 0)
	})
}
