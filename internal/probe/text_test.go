package probe

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                  "",
		"PING":              "PING",
		`PING\r\n`:          "PING\r\n",
		`a\tb\0c\\d`:        "a\tb\x00c\\d",
		`\x00\xfF\x7e`:      "\x00\xff~",
		`\x410`:             "A0",
		"grün":              "grün",
		"a real\nline feed": "a real\nline feed",
	} {
		got, err := ParseText(text)
		require.NoError(t, err, "%q", text)
		require.Equal(t, want, string(got), "%q", text)
	}
}

func TestParseTextRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`half\`:    `at byte 4 of "half\\": a single \ ends the text`,
		`\q`:       `unknown escape "\\q"`,
		`\x`:       `"\\x" needs two hexadecimal digits`,
		`\x4`:      `"\\x4" needs two hexadecimal digits`,
		`ab\x4g`:   `at byte 2 of "ab\\x4g": "\\x4g" needs`,
		`\u0041`:   `unknown escape "\\u"`,
		`\n\e[31m`: `at byte 2`,
	} {
		_, err := ParseText(text)
		require.ErrorContains(t, err, want, "%q", text)
		require.ErrorContains(t, err, `allowed are \r \n \t \0 \\ \xHH`)
	}
}

// FuzzParseText checks that whatever parses is what writing it out in escapes
// means, and that nothing panics.
func FuzzParseText(f *testing.F) {
	for _, seed := range []string{"", `\r\n`, `\x00`, `\x0`, `\`, "plain", `\\x41`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := ParseText(text)
		if err != nil {
			require.Contains(t, text, `\`)
			return
		}
		require.LessOrEqual(t, len(parsed), len(text))
		var escaped strings.Builder
		for _, b := range parsed {
			fmt.Fprintf(&escaped, `\x%02x`, b)
		}
		again, err := ParseText(escaped.String())
		require.NoError(t, err)
		require.Equal(t, parsed, again)
	})
}
