package report

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestLimitKeepsWhatFits(t *testing.T) {
	t.Parallel()
	whole := markdown(t, lobbyPromoted(), "1.0.0")
	require.Equal(t, whole, Limit(whole, len(whole)))
	require.Equal(t, whole, Limit(whole, 1<<20))
}

// TestLimitAtManySizes cuts a whole report in many places.
func TestLimitAtManySizes(t *testing.T) {
	t.Parallel()
	whole := markdown(t, byErrors(), "1.0.0")
	for limit := 0; limit < len(whole); limit += 17 {
		short := Limit(whole, limit)
		require.LessOrEqual(t, len(short), limit)
		requireBalanced(t, short)
		if limit < 1000 {
			continue
		}
		body, _, found := bytes.Cut(short, []byte("\n"+cut))
		require.True(t, found)
		require.True(t, bytes.HasPrefix(whole, bytes.TrimSuffix(body, []byte("\n</details>\n"))))
		require.Contains(t, string(short), "> [!CAUTION]", "why it failed outlives all else")
	}
	require.Empty(t, Limit(whole, -1))
}

func TestLimitClosesDetails(t *testing.T) {
	t.Parallel()
	text := "# A\n\n<details><summary><b>B</b></summary>\n\n" + strings.Repeat("one\n\n", 100) + "</details>\n"
	short := string(Limit([]byte(text), 300))
	require.True(t, strings.HasSuffix(short, "one\n\n</details>\n\n"+cut), short)

	text = "# A\n\n```\n" + strings.Repeat("one\n\n", 100) + "```\n"
	require.Equal(t, "# A\n\n"+cut, string(Limit([]byte(text), 300)), "a fence stays whole or goes")
}

// requireBalanced fails if a fence or a fold is left open.
func requireBalanced(t *testing.T, text []byte) {
	t.Helper()
	open, fence := 0, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		fence = fenceAfter(fence, line)
		if fence == "" {
			open = max(0, open+strings.Count(line, "<details>")-strings.Count(line, "</details>"))
		}
	}
	require.Empty(t, fence)
	require.Zero(t, open)
}

func FuzzLimit(f *testing.F) {
	f.Add("# a\n\n<details><summary>b</summary>\n\nc\n\n</details>\n", 90)
	f.Add("```\na\n\n```\n\nb\n", 70)
	f.Add("~~~~\n~~~\n\n~~~~\n\nä\n", 80)
	f.Add("ä", 1)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		short := Limit([]byte(text), limit)
		require.LessOrEqual(t, len(short), max(limit, 0))
		if string(short) != text {
			requireBalanced(t, short)
			require.Equal(t, utf8.ValidString(text), utf8.Valid(short) && utf8.ValidString(text))
		}
	})
}

// TestBounds builds the largest run that can be and holds its report against
// GitHub's limits.
func TestBounds(t *testing.T) {
	t.Parallel()
	r := twentyStages()
	for range 30 {
		r.Troubles = append(r.Troubles, byCrash().Troubles...)
		r.Troubles[len(r.Troubles)-1].Message = strings.Repeat(evil, 100)
		r.Notices = append(r.Notices, strings.Repeat(evil, 100))
	}
	for i := range r.Stages {
		for range 30 {
			r.Stages[i].Ports = append(r.Stages[i].Ports, lobbyStages()[2].Ports...)
		}
	}
	text := markdown(t, r, "1.0.0")
	require.Less(t, len(text), 1<<20)
	require.True(t, bytes.Contains(text, []byte("…and 10 pods more.")))
	chart := regexp.MustCompile("(?s)```mermaid\n.*?```").FindAll(text, -1)
	require.Len(t, chart, 1)
	require.Less(t, len(chart[0]), 5000, "Gitea takes no more")
}
