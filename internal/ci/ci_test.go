package ci

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// platform is one with an environment of its own and its log.
func platform(env map[string]string) (*Platform, *recorder) {
	log := &recorder{}
	return New(Options{Getenv: func(name string) string { return env[name] }, Stdout: log}), log
}

func github(env map[string]string) (*Platform, *recorder) {
	all := map[string]string{"GITHUB_ACTIONS": "true"}
	maps.Copy(all, env)
	return platform(all)
}

// recorder keeps every Write apart. It has no lock: the race detector sees
// writes that nobody serialised.
type recorder struct{ writes []string }

func (r *recorder) Write(p []byte) (int, error) {
	r.writes = append(r.writes, string(p))
	return len(p), nil
}

func (r *recorder) String() string { return strings.Join(r.writes, "") }

func TestCommandsOnGitHub(t *testing.T) {
	t.Parallel()
	p, log := github(nil)
	require.True(t, p.GitHub())
	p.Mask("s3cret\nsecond line")
	p.Mask("")
	p.Group("stage 50 %\n::error::x")
	p.Annotate(Annotation{Level: Notice, Message: "fine"})
	p.Annotate(Annotation{Level: Warning, Title: "a,b:c", Message: "100%d\n::error::x", File: "k8s/old.yaml", Line: 3})
	p.Annotate(Annotation{Level: Error, Message: "bad", Line: 7})
	p.EndGroup()
	require.Equal(t, []string{
		"::add-mask::s3cret%0Asecond line\n",
		"::group::stage 50 %25 ::error::x\n",
		"::notice::fine\n",
		"::warning file=k8s/old.yaml,line=3,title=a%2Cb%3Ac::100%25d%0A| ::error::x\n",
		"::error::bad\n",
		"::endgroup::\n",
	}, log.writes, "one command is one write and one line")
}

func TestPlain(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	p, log := platform(map[string]string{"GITHUB_OUTPUT": filepath.Join(folder, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(folder, "summary")})
	require.False(t, p.GitHub())
	p.Mask("s3cret")
	p.Group("stage 50 %\nsecond")
	p.Annotate(Annotation{Level: Warning, Title: "title", Message: "text\n::error::x", File: "old.yaml", Line: 3})
	p.EndGroup()
	require.NoError(t, p.SetOutputs([]Output{{"outcome", "promoted"}}))
	require.NoError(t, p.Summary([]byte("# x")))
	require.Equal(t, "== stage 50 % second\nwarning: old.yaml:3: title: text ::error::x\n", log.String())
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Empty(t, entries, "the variables mean nothing outside GitHub")
}

func TestBrokenLog(t *testing.T) {
	t.Parallel()
	p := New(Options{Getenv: func(string) string { return "true" }, Stdout: brokenPipe{}})
	require.NotPanics(t, func() {
		p.Mask("s3cret")
		p.Group("x")
		p.Annotate(Annotation{Level: Error, Message: "x"})
		p.EndGroup()
	})
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// outputsOf reads a GITHUB_OUTPUT file the way the runner does.
// https://github.com/actions/runner/blob/main/src/Runner.Worker/FileCommandManager.cs
func outputsOf(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	outputs := map[string]string{}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		name, delimiter, found := strings.Cut(lines[i], "<<")
		require.True(t, found, "line %q", lines[i])
		var value []string
		for i++; lines[i] != delimiter; i++ {
			value = append(value, lines[i])
		}
		outputs[name] = strings.Join(value, "\n")
	}
	return outputs
}

func TestSetOutputs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "output")
	require.NoError(t, os.WriteFile(path, []byte("earlier<<X\nkept\nX\n"), 0o600))
	p, log := github(map[string]string{"GITHUB_OUTPUT": path})
	hostile := "x\n_GitHubActionsFileCommandDelimeter_\nadmin=true\nEOF\nadmin<<EOF\ntrue\nEOF"
	require.NoError(t, p.SetOutputs([]Output{{"outcome", "promoted"}, {"reason", hostile}, {"stage", ""}}))
	require.NoError(t, p.SetOutputs([]Output{{"outcome", "held"}}))
	require.Equal(t, map[string]string{"earlier": "kept", "outcome": "held", "reason": hostile, "stage": ""}, outputsOf(t, path))
	require.Empty(t, log.writes)

	for _, name := range []string{"", "a b", "a=b", "a<<b", "a\nb", "-a", "ä"} {
		require.Error(t, p.SetOutputs([]Output{{name, "x"}}), "name %q", name)
	}
	_, err := heredocs([]Output{{"a", "x_DELIMITER_y"}}, "_DELIMITER_")
	require.ErrorContains(t, err, `output "a" holds the delimiter`)
}

func FuzzSetOutputs(f *testing.F) {
	f.Add("x")
	f.Add("a<<b\nb\n")
	f.Add("\n\n")
	f.Add("\r\n")
	f.Fuzz(func(t *testing.T, value string) {
		path := filepath.Join(t.TempDir(), "output")
		p, _ := github(map[string]string{"GITHUB_OUTPUT": path})
		require.NoError(t, p.SetOutputs([]Output{{"before", "1"}, {"value", value}, {"after", "2"}}))
		require.Equal(t, map[string]string{"before": "1", "value": value, "after": "2"}, outputsOf(t, path))
	})
}

func TestSummaryReplaces(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "summary")
	p, _ := github(map[string]string{"GITHUB_STEP_SUMMARY": path})
	require.NoError(t, p.Summary([]byte("a long first text")))
	before, err := os.Stat(path)
	require.NoError(t, err)
	require.NoError(t, p.Summary([]byte("short")))
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after), "a bind mount cannot be renamed over")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "short", string(text))
}

func TestMissingFiles(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "not", "there")
	p, _ := github(map[string]string{"GITHUB_OUTPUT": missing, "GITHUB_STEP_SUMMARY": missing})
	require.ErrorIs(t, p.SetOutputs([]Output{{"a", "b"}}), os.ErrNotExist)
	require.ErrorIs(t, p.Summary([]byte("x")), os.ErrNotExist)

	p, _ = github(nil)
	require.NoError(t, p.SetOutputs([]Output{{"a", "b"}}), "without the variable there is nothing to set")
	require.NoError(t, p.Summary([]byte("x")))
}

func TestWriteOutputs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "made", "outputs.env")
	p, _ := platform(nil)
	require.NoError(t, p.WriteOutputs(path, []Output{{"outcome", "promoted"}, {"observed-weight", "80.2"}, {"reason", "a\nOUTCOME=b\r\u2028c"}, {"stage", ""}}))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "outcome=promoted\nobserved_weight=80.2\nreason=a OUTCOME=b c\nstage=\n", string(text))
	require.Error(t, p.WriteOutputs(path, []Output{{"a=b", "c"}}))
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "output")
	p, log := github(map[string]string{"GITHUB_OUTPUT": path})
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			p.Group("a")
			p.Annotate(Annotation{Level: Notice, Message: "b"})
			p.Mask("c")
			p.EndGroup()
		})
	}
	wait.Wait()
	require.Len(t, log.writes, 200)
	for _, line := range log.writes {
		require.Equal(t, 1, strings.Count(line, "\n"))
		require.True(t, bytes.HasPrefix([]byte(line), []byte("::")))
	}
}
