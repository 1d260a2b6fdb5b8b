package report

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestCode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"plain":           {"ghcr.io/acme/lobby:1.9.0", "`ghcr.io/acme/lobby:1.9.0`"},
		"nothing":         {"", "–"},
		"only blanks":     {" \t\n\u2003", "–"},
		"cell border":     {"a|b", "`a│b`"},
		"escaped border":  {`a\|b\`, "`a\\│b\\`"},
		"backticks":       {"``a`", "`ˋˋaˋ`"},
		"lines":           {"a\n\n# b\r\nc\u2028d", "`a # b c d`"},
		"mention":         {"@octocat fixes #123", "`@octocat fixes #123`"},
		"HTML":            {"</details><script>", "`</details><script>`"},
		"colour":          {"\x1b[1;31mred\x1b[0m\x07", "`red`"},
		"title":           {"\x1b]0;evil\x1b\\x", "`x`"},
		"direction":       {"a\u202egnp.exe", "`agnp.exe`"},
		"not UTF-8":       {"a\xff\xfeb", "`a\uFFFDb`"},
		"longer than fit": {strings.Repeat("a", 300) + strings.Repeat("b", 300), "`" + strings.Repeat("a", 199) + "…" + strings.Repeat("b", 100) + "`"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, code(c.text))
		})
	}
}

func TestProse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"figures":   {"25.1 % of 431 answers (19.2 to 31.7 %).", "25.1 % of 431 answers (19.2 to 31.7 %)."},
		"quoted":    {`scaling deployment "web-canary" to 3: it's gone`, `scaling deployment "web-canary" to 3: it's gone`},
		"mention":   {"@octocat fixes #123", "@\u2060octocat fixes #\u2060123"},
		"reference": {"GH-12 www.e.example", "GH\u2060-12 ww\u2060w.e.example"},
		"both":      {"GH-0000000", "GH\u2060-00\u206000\u206000\u20600"},
		"commit":    {"0123456789", "01\u206023\u206045\u206067\u206089"},
		"link":      {"[x](https://e.example)", "&#91;x&#93;(https:\u2060//e.example)"},
		"HTML":      {"<b>&amp;</b>", "&lt;b&gt;&amp;amp;&lt;/b&gt;"},
		"emphasis":  {"*a* _b_ ~c~ `d` \\e", "&#42;a&#42; &#95;b&#95; &#126;c&#126; &#96;d&#96; &#92;e"},
		"border":    {"a|b\nc", "a&#124;b c"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, prose(c.text))
		})
	}
}

func TestWord(t *testing.T) {
	t.Parallel()
	require.Equal(t, "old-nginx", word("old-nginx"))
	require.Equal(t, `'$(reboot) `+"```'", word("$(reboot)\n```"))
	require.Equal(t, `'it'\''s'`, word("it's"))
	require.Equal(t, "'-n'", word("-n"))
	require.Equal(t, "''", word(""))
}

// seeds are texts that were meant to do harm.
func seeds(f *testing.F) {
	f.Helper()
	for _, text := range []string{
		evil, "", "`", "``", "|", `\|`, `\\|`, "\\", " ` ", "a\nb", "\r", "\x1b[0m", "\x1b]8;;http://e.example\x07x", "@a", "#1", "GH-1",
		"<!--", "-->", "</details>", "\u2028", "\u202e", "\xff", "::error::", "##[error]", "&#124;", "&lt;", "\u200b@\u200ba", "w\u200bww.a", "hTTps://x",
	} {
		f.Add(text)
	}
}

// FuzzCode proves that a span is one span and a cell one cell: between its two
// backticks is neither a third nor a border nor a line break, and outside a span
// there is nothing of the text.
func FuzzCode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		span := code(text)
		inOneLine(t, span)
		require.NotContains(t, span, "|")
		if span == none {
			return
		}
		inner := strings.TrimSuffix(strings.TrimPrefix(span, "`"), "`")
		require.Len(t, span, len(inner)+2)
		require.NotEmpty(t, inner)
		require.NotContains(t, inner, "`")
		require.Equal(t, strings.TrimSpace(inner), inner, "blanks at both ends would be taken for padding")
		require.LessOrEqual(t, utf8.RuneCountInString(inner), longestText)

		table := newTable("A", "B")
		table.row(span, "x")
		lines := strings.Split(table.String(), "\n")
		require.Len(t, lines, 3)
		require.Equal(t, 3, strings.Count(lines[2], "|"))
	})
}

// active is what must not be left of a text in a sentence: a mark of Markdown or
// HTML, or a word of which GitHub makes a link.
var active = regexp.MustCompile("[<>|`*_~\\[\\]\\\\]|@[[:alnum:]]|#[[:digit:]]|://|(?i:\\bwww\\.|\\bGH-\\d)|\\b[0-9a-f]{7,}\\b")

// entity is one that marks writes.
var entity = regexp.MustCompile(`&(amp|lt|gt|#\d{2,3});`)

func FuzzProse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		sentence := prose(text)
		inOneLine(t, sentence)
		rest := entity.ReplaceAllString(sentence, "\x00")
		require.NotRegexp(t, active, rest)
		require.NotContains(t, rest, "&")
	})
}

// inOneLine fails for a text that a line, a terminal or an eye would not take as
// it stands.
func inOneLine(t *testing.T, text string) {
	t.Helper()
	require.True(t, utf8.ValidString(text))
	for _, r := range text {
		require.False(t, unicode.IsControl(r), "%q", text)
		require.False(t, unicode.Is(unicode.Cf, r) && string(r) != joiner, "%q", text)
		require.False(t, unicode.IsSpace(r) && r != ' ', "%q", text)
	}
}

// TestHostileReport counts what a hostile record could have added to the page.
func TestHostileReport(t *testing.T) {
	t.Parallel()
	text := string(markdown(t, hostile(), evil))
	require.Equal(t, strings.Count(text, "<details>"), strings.Count(text, "\n</details>\n"))
	require.NotContains(t, text, "\x1b")
	columns := 0
	for line := range strings.Lines(text) {
		require.NotRegexp(t, `^\s*(::|# )`, line)
		outside := regexp.MustCompile("`[^`]*`").ReplaceAllString(line, "")
		if !strings.HasPrefix(line, "```") {
			require.NotContains(t, outside, "`")
		}
		for _, harm := range []string{"<script", "](javascript", "@octocat", "![", "<!--", "https://"} {
			require.NotContains(t, outside, harm)
		}
		if !strings.HasPrefix(line, "|") {
			columns = 0
			continue
		}
		if columns > 0 {
			require.Equal(t, columns, strings.Count(line, "|"), line)
		}
		columns = strings.Count(line, "|")
	}
}
