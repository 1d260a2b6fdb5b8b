package ci

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

func TestSafe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"nothing":         {"", ""},
		"lines":           {"refused: a\n  hint: b\n\nc\n", "refused: a\n  hint: b\n\nc\n"},
		"columns":         {"  TARGET  STABLE\n      10       9\n", "  TARGET  STABLE\n      10       9\n"},
		"command":         {"reading: a\n::error::x\n", "reading: a\n| ::error::x\n"},
		"indented":        {"a\n \t::error::x", "a\n| ::error::x"},
		"no-break space":  {"a\n\u00a0::error::x", "a\n| ::error::x"},
		"hidden before":   {"a\n\u200b\x1b[0m::error::x", "a\n| ::error::x"},
		"exotic breaks":   {"a\r::b\v::c\u2028::d\u0085::e", "a ::b ::c ::d ::e"},
		"carriage return": {"\r::b", "| ::b"},
		"older command":   {"a ##[error]b\n##vso[task.x]", "a ## [error]b\n## vso[task.x]"},
		"colour":          {"\x1b[31mred\x1b[0m\a", "red"},
		"not UTF-8":       {"a\xff\nb", "a\uFFFD\nb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, Safe(c.text))
		})
	}
}

// closedLog is one that nobody can write to any more.
type closedLog struct{}

func (closedLog) Write([]byte) (int, error) { return 0, errors.New("closed") }

func TestSafeWriter(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	n, err := SafeWriter{W: &b}.Write([]byte("a\n::b::\n"))
	require.NoError(t, err)
	require.Equal(t, 8, n)
	require.Equal(t, "a\n| ::b::\n", b.String())
	_, err = SafeWriter{W: closedLog{}}.Write([]byte("a"))
	require.EqualError(t, err, "closed")
	b.Reset()
	_, err = SafeWriter{W: &b, JSON: true}.Write([]byte("{\n \"a\": \"##[x]\"}"))
	require.NoError(t, err)
	require.Equal(t, "{\n \"a\": \"#\\u0023[x]\"}", b.String())
}

// FuzzSafe: as many lines come out as went in, no runner obeys any of them, no terminal
// either, and what is safe stays as it is.
func FuzzSafe(f *testing.F) {
	for _, seed := range []string{"a\n  b\n", "::error::x", "a\n \u00a0::x::", "##[error]", "#\x1b[0m#[x]", "\u200b::", "\u2028::", "\r::x", ":\x00:x", ":\u200b:x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		safe := Safe(text)
		require.Equal(t, strings.Count(text, "\n"), strings.Count(safe, "\n"))
		for line := range strings.SplitSeq(safe, "\n") {
			require.False(t, strings.HasPrefix(strings.TrimSpace(line), "::"), "%q", line)
			require.NotContains(t, line, "##[")
			require.NotContains(t, line, "##vso[")
			for _, r := range line {
				require.False(t, unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || isBreak(r), "%q", line)
			}
		}
		require.Equal(t, safe, Safe(safe))
	})
}

// FuzzSafeJSON: a document says what it said, and nobody obeys it.
func FuzzSafeJSON(f *testing.F) {
	for _, seed := range []string{"a", "##[error]", "###[x]", "####", "##vso[x]", "\u009b31m", "\u202e", "\U000e0001", "\x7f", "\\##", "\n::x::", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		document, err := json.MarshalIndent(map[string]string{text: text}, "", "  ")
		require.NoError(t, err)
		safe := SafeJSON(string(document))
		require.NotContains(t, safe, "##")
		for _, r := range safe {
			require.False(t, r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)), "%q", safe)
		}
		for line := range strings.Lines(safe) {
			require.False(t, strings.HasPrefix(strings.TrimSpace(line), "::"), "%q", line)
		}
		var before, after map[string]string
		require.NoError(t, json.Unmarshal(document, &before))
		require.NoError(t, json.Unmarshal([]byte(safe), &after))
		require.Equal(t, before, after)
	})
}
