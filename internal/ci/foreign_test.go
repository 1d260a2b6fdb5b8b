package ci

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

func TestForeign(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, lines, line string }{
		"nothing":         {"", "", ""},
		"words":           {"all is well", "| all is well", "all is well"},
		"command":         {"::error::x", "| ::error::x", "| ::error::x"},
		"indented":        {" \t::error::x", "|   ::error::x", "| ::error::x"},
		"later line":      {"a\n::error::x\r\n::b::", "| a\n| ::error::x\n| ::b::", "a ::error::x ::b::"},
		"carriage return": {"a\r::error::x", "| a\n| ::error::x", "a ::error::x"},
		"exotic breaks":   {"a\v::b\f::c\u0085::d\u2028::e", "| a\n| ::b\n| ::c\n| ::d\n| ::e", "a ::b ::c ::d ::e"},
		"older command":   {"a ##[error]b ##vso[task.x]c ###[d]", "| a ## [error]b ## vso[task.x]c ### [d]", "a ## [error]b ## vso[task.x]c ### [d]"},
		"colour":          {"\x1b[31mred\x1b[0m \x1b]0;title\x07x", "| red x", "red x"},
		"pieced together": {"#\x1b[0m#[error]x \x00::", "| ## [error]x ::", "## [error]x ::"},
		"hidden":          {"a\u202eb\u200bc\x00d\x7f", "| abcd", "abcd"},
		"not UTF-8":       {"a\xffb", "| a\uFFFDb", "a\uFFFDb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.lines, Foreign(c.text))
			require.Equal(t, c.line, ForeignLine(c.text))
		})
	}
}

func FuzzForeign(f *testing.F) {
	for _, seed := range []string{"::error::x", "a\n ::x::", "##[error]", "#\x1b[0m#[x]", "#\u200b#vso[", "\x1b", "\u2028::"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line := ForeignLine(text)
		require.NotContains(t, line, "\n")
		for _, safe := range append(strings.Split(Foreign(text), "\n"), line) {
			require.False(t, strings.HasPrefix(strings.TrimSpace(safe), "::"), "%q", safe)
			require.NotContains(t, safe, "##[")
			require.NotContains(t, safe, "##vso[")
			for _, r := range safe {
				require.False(t, unicode.IsControl(r) || isBreak(r), "%q", safe)
			}
		}
	})
}
