//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// request is what the API server's audit log says of one.
type request struct {
	User                     struct{ Username string }
	UserAgent                string
	Verb, RequestURI         string
	RequestReceivedTimestamp time.Time
	ResponseStatus           struct{ Code int }
}

// String is the verb and the URI.
func (r request) String() string { return r.Verb + " " + r.RequestURI }

// log reads the audit log from its beginning.
func (l *lab) log(t *testing.T) iter.Seq[request] {
	t.Helper()
	return func(yield func(request) bool) {
		file, err := os.Open(l.audit)
		require.NoError(t, err)
		defer func() { require.NoError(t, file.Close()) }()
		scanner := bufio.NewScanner(file)
		scanner.Buffer(nil, 1<<22)
		for scanner.Scan() {
			var r request
			require.NoError(t, json.Unmarshal(scanner.Bytes(), &r))
			if !yield(r) {
				return
			}
		}
		require.NoError(t, scanner.Err())
	}
}

// requests are API requests of the program, each with its verb and URI.
type requests struct {
	all    []string
	dry    []string // of them, dry runs: the server was asked, and kept nothing
	writes []string // of them, those that change something
}

// audited is what the program has asked since a time.
func (l *lab) audited(t *testing.T, since time.Time) (asked requests) {
	t.Helper()
	for r := range l.log(t) {
		if !strings.HasPrefix(r.UserAgent, "l4-canary/") || r.RequestReceivedTimestamp.Before(since) {
			continue
		}
		asked.all = append(asked.all, r.String())
		switch {
		case strings.Contains(r.RequestURI, "dryRun=All"):
			asked.dry = append(asked.dry, r.String())
		case strings.HasSuffix(r.RequestURI, "/selfsubjectaccessreviews"):
		case !slices.Contains([]string{"get", "list", "watch"}, r.Verb):
			asked.writes = append(asked.writes, r.String())
		}
	}
	return asked
}

// answered is how many requests of a user there were, and those of them that were
// forbidden.
func (l *lab) answered(t *testing.T, user string) (asked int, forbidden []string) {
	t.Helper()
	for r := range l.log(t) {
		if r.User.Username != user {
			continue
		}
		asked++
		if r.ResponseStatus.Code == 403 {
			forbidden = append(forbidden, r.String())
		}
	}
	return asked, forbidden
}
