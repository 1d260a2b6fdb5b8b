package comment

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		parts []string
		want  string
	}{
		{[]string{"acme/lobby/.github/workflows/release.yml", "canary", "prod", "game", "lobby"}, "acme%2Flobby%2F.github%2Fworkflows%2Frelease.yml/canary/prod/game/lobby"},
		{[]string{"", "", "", "game", "lobby"}, "///game/lobby"},
		{[]string{"eu-1"}, "eu-1"},
		{[]string{"--> <script>"}, "-%2D%3E%20%3Cscript%3E"},
		{[]string{"a\nb\r\n<!-- l4-canary:x -->"}, "a%0Ab%0D%0A%3C%21-%2D%20l4-canary:x%20-%2D%3E"},
		{[]string{"@octocat #1 ---"}, "%40octocat%20%231%20-%2D-"},
		{[]string{"grün"}, "gr%C3%BCn"},
		{[]string{"100%"}, "100%25"},
		{nil, ""},
	} {
		require.Equal(t, "<!-- l4-canary:"+row.want+" -->", NewKey(row.parts...).marker())
	}
	require.NotEqual(t, NewKey("a/b"), NewKey("a", "b"))
	require.NotEqual(t, NewKey("a"), NewKey("a", ""))
	long := strings.Repeat("x", 300)
	require.NotEqual(t, NewKey(long+"1"), NewKey(long+"2"))
	require.Less(t, len(NewKey(strings.Repeat("\n", 10_000)).marker()), 300)
}

// FuzzKey: whatever a key says, its line is one comment of HTML and nothing else, and
// says nothing else.
func FuzzKey(f *testing.F) {
	for _, seed := range []string{"game/lobby", "-->", "--!>", "-", "--", "---", "%", "%2D", "\n", "<!--", "\x00\xff", strings.Repeat("-", 199) + "-"} {
		f.Add(seed, "other")
	}
	f.Fuzz(func(t *testing.T, key, other string) {
		for _, line := range []string{NewKey(key).marker(), NewKey(key, other).writing()} {
			inside, ok := strings.CutPrefix(line, "<!-- l4-canary")
			require.True(t, ok)
			inside, ok = strings.CutSuffix(inside, " -->")
			require.True(t, ok)
			require.NotContains(t, inside, "--")
			require.False(t, strings.ContainsAny(inside, "<>@# \r\n`"), inside)
			for i := range len(inside) {
				require.True(t, inside[i] > ' ' && inside[i] < 0x7f, "%q", inside)
			}
			require.False(t, strings.HasSuffix(inside, "<!-"))
			require.True(t, has("text\r\n"+line+"\r\nmore", line))
			require.False(t, has("> "+line+"\n", line), "a quotation")
		}
		if word := NewKey(key).word; len(word) < longestWord {
			back, err := url.PathUnescape(word)
			require.NoError(t, err)
			require.Equal(t, key, back)
		}
		require.Equal(t, key == other, NewKey(key) == NewKey(other))
	})
}

func TestBesides(t *testing.T) {
	t.Parallel()
	me := NewKey("7", "1", "deploy", "runner-1")
	for body, want := range map[string]bool{
		NewKey("7", "1", "deploy", "runner-2").writing() + "\r\n": true,
		"text\n" + NewKey("7", "1", "deploy", "").writing():       true,
		me.writing(): false, // this very process, or the step before it
		NewKey("7", "2", "deploy", "runner-2").writing():        false, // another attempt
		NewKey("7", "1", "deploy/runner-2").writing():           false,
		"> " + NewKey("7", "1", "deploy", "runner-2").writing(): false,
		NewKey("7", "1", "deploy", "runner-2").marker():         false,
		"": false,
	} {
		require.Equal(t, want, me.besides(body), body)
	}
	require.False(t, NewKey("a").besides(NewKey("b").writing()), "nothing in common")
	require.False(t, Key{}.besides(NewKey("b").writing()))
}

func TestHiddenLines(t *testing.T) {
	t.Parallel()
	line := NewKey("x").marker()
	for body, want := range map[string]bool{
		line:                         true,
		"report\n" + line + "\n":     true,
		"report\r\n" + line + "\r\n": true,
		"> " + line:                  false,
		"`" + line + "`":             false,
		"  " + line:                  false,
		line + " and more":           false,
		NewKey("x", "").marker():     false,
		NewKey("xy").marker():        false,
		"":                           false,
	} {
		require.Equal(t, want, has(body, line), "%q", body)
	}
	require.Equal(t, "a\nb\n", without("a\n"+line+"\nb\n", line))
	require.True(t, same("a\r\nb\r\n\r\n", "a\nb"))
	require.False(t, same("a\nb", "a\nc"))
}
