package ci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzCommands: whatever a stage is called and a message says, on every platform a group is
// one line, an annotation is one command or one line, and none is a command of somebody
// else's.
func FuzzCommands(f *testing.F) {
	for _, seed := range []string{
		"stage 50 %", "a\n::error::x", "\r::x::", "%0A::x::", "::", "a,b:c%", "##[x]", "section_start:1:x\r\x1b[0K", "\u2028::x", "\x00", "\xff", "%25", "",
	} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, name, message string) {
		for _, level := range []Level{Notice, Warning, Error} {
			a := Annotation{Level: level, Title: name, Message: message, File: name, Line: 3}
			p, log := github(nil)
			p.Group(name)
			p.Annotate(a)
			p.EndGroup()
			require.Len(t, log.writes, 3)
			for i, begins := range []string{"::group::", "::" + string(level), "::endgroup::"} {
				require.True(t, strings.HasPrefix(log.writes[i], begins), "%q", log.writes[i])
				require.Equal(t, strings.IndexAny(log.writes[i], "\r\n"), len(log.writes[i])-1, "%q", log.writes[i])
				require.NotContains(t, log.writes[i], "\x1b")
			}
			for _, platform := range []func() (*Platform, *recorder){
				func() (*Platform, *recorder) { return platform(nil) },
				func() (*Platform, *recorder) { return platform(map[string]string{"GITLAB_CI": "true"}) },
			} {
				p, log := platform()
				p.Group(name)
				p.Annotate(a)
				for _, line := range log.writes {
					line = strings.TrimSuffix(line, "\n")
					if mark, title, found := strings.Cut(line, "\r\x1b[0K"); found {
						require.True(t, strings.HasPrefix(mark, "section_start:"))
						line = title
					}
					require.False(t, strings.ContainsAny(line, "\r\n\x1b"), "%q", line)
					require.NotContains(t, line, "##[")
					require.False(t, strings.HasPrefix(strings.TrimSpace(line), "::"), "%q", line)
				}
			}
		}
	})
}

// FuzzWriteOutputs: a value is the rest of its own line, and no other output is set.
func FuzzWriteOutputs(f *testing.F) {
	for _, seed := range []string{"promoted", "a\nOUTCOME=x", "\r", "\u2028x=y", "\x00", "\xff", " = ", "\u0085"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		path := filepath.Join(t.TempDir(), "outputs.env")
		p, _ := platform(nil)
		require.NoError(t, p.WriteOutputs(path, []Output{{"before", "1"}, {"a-value", value}, {"after", "2"}}))
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		lines := strings.FieldsFunc(string(text), isBreak)
		require.Len(t, lines, 3)
		require.Equal(t, "before=1", lines[0])
		require.True(t, strings.HasPrefix(lines[1], "a_value="))
		require.Equal(t, "after=2", lines[2])
		if strings.IndexFunc(value, isBreak) < 0 {
			require.Equal(t, "a_value="+value, lines[1])
		}
	})
}
