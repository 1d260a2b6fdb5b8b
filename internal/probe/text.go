package probe

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// escapes are the one-letter escapes of ParseText; \xHH comes on top.
var escapes = map[byte]byte{'r': '\r', 'n': '\n', 't': '\t', '0': 0, '\\': '\\'}

// ParseText turns what a user can type into the bytes of a conversation: the
// escapes \r \n \t \0 \\ and \xHH stand for their bytes, everything else for
// itself. An unknown or unfinished escape is an error, because a probe that
// silently sends a backslash measures something else than was meant.
func ParseText(text string) ([]byte, error) {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			out = append(out, text[i])
			continue
		}
		b, width, err := parseEscape(text[i:])
		if err != nil {
			return nil, fmt.Errorf("at byte %d of %q: %w", i, text, err)
		}
		out = append(out, b)
		i += width - 1
	}
	return out, nil
}

// parseEscape reads the escape at the start of text and says how long it is.
func parseEscape(text string) (b byte, width int, err error) {
	const allowed = `allowed are \r \n \t \0 \\ \xHH`
	if len(text) < 2 {
		return 0, 0, fmt.Errorf(`a single \ ends the text: %s`, allowed)
	}
	if b, ok := escapes[text[1]]; ok {
		return b, 2, nil
	}
	if text[1] != 'x' {
		return 0, 0, fmt.Errorf(`unknown escape %q: %s`, text[:2], allowed)
	}
	digits, _ := strings.CutPrefix(text[:min(4, len(text))], `\x`)
	decoded, err := hex.DecodeString(digits)
	if err != nil || len(decoded) != 1 {
		return 0, 0, fmt.Errorf(`%q needs two hexadecimal digits: %s`, `\x`+digits, allowed)
	}
	return decoded[0], 4, nil
}
