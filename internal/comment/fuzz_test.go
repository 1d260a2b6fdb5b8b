package comment

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzLifted: however a forge says when it may be asked again, the wait is no moment of the
// past, and none where nothing was said.
func FuzzLifted(f *testing.F) {
	for _, seed := range []string{"", "1", "-1", "99999999999999999999", "9223372036854775807", "Wed, 21 Oct 2026 07:28:00 GMT", "soon", "0"} {
		f.Add(seed, "", "")
		f.Add("", "0", seed)
	}
	now := time.Date(2026, 10, 21, 7, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, after, remaining, reset string) {
		header := http.Header{"Retry-After": {after}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {reset}}
		wait, told := lifted(header, now)
		require.GreaterOrEqual(t, wait, time.Duration(0))
		if after == "" && (remaining != "0" || reset == "") {
			require.False(t, told)
		}
		if !told {
			require.Zero(t, wait)
		}
	})
}

// FuzzRefusal: whatever a forge answers in place of what was asked for, the error keeps the
// status.
func FuzzRefusal(f *testing.F) {
	for _, seed := range []string{
		`{"message":"404 Not found"}`, `{"message":{"base":["a","b"]}}`, `{"error":"invalid_token","error_description":"\n::error::x"}`, "<html>", "", "null", `{"message":null}`, `{"error":5}`,
	} {
		f.Add(404, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, status int, data []byte) {
		err := refusal(status, data)
		require.Equal(t, status, statusOf(err))
		require.NotEmpty(t, err.Error())
	})
}

// FuzzBody: a text that is a comment's has its hidden lines found, and nobody else's, whatever
// it says; taking one out leaves the rest.
func FuzzBody(f *testing.F) {
	mine, other := NewKey("game", "lobby"), NewKey("7", "1", "deploy", "runner-2")
	for _, seed := range []string{"", "# report\n", "a\r\nb", mine.marker(), "x\n" + NewKey("game").marker() + "\n", "> " + other.writing(), other.writing() + "\r\n", "\x00\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := Sticky{Key: mine, By: NewKey("7", "1", "deploy", "runner-1")}
		for _, done := range []bool{true, false} {
			body := s.compose(text, done)
			require.True(t, has(body, mine.marker()))
			require.Equal(t, !done || has(text, s.By.writing()), has(body, s.By.writing()))
			require.Equal(t, has(text, NewKey("game").marker()), has(body, NewKey("game").marker()))
			require.False(t, has(without(body, mine.marker()), mine.marker()))
			require.True(t, same(body, strings.ReplaceAll(strings.ReplaceAll(body, "\r\n", "\n"), "\n", "\r\n")))
		}
		if !strings.Contains(text, "l4-canary-writing:") {
			require.False(t, s.By.besides(s.compose(text, false)), "its own line is nobody else's")
		}
	})
}
