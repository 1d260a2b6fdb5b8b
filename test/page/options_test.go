package page

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// parse reads arguments as a command does that has a page and one flag of its own.
func parse(args ...string) (o Options, rounds int, usage string, err error) {
	var said bytes.Buffer
	flags := flag.NewFlagSet("command", flag.ContinueOnError)
	flags.SetOutput(&said)
	flags.IntVar(&rounds, "rounds", 3, "rounds")
	o.Page = "docs/page.md"
	err = o.Parse(flags, args, "turns")
	return o, rounds, said.String(), err
}

func TestOptions(t *testing.T) {
	t.Parallel()
	o, rounds, _, err := parse()
	require.NoError(t, err)
	require.Equal(t, 3, rounds)
	require.False(t, o.Update)
	require.Equal(t, "docs/page.md", o.Page)
	require.True(t, o.Only.MatchString("anything"))

	o, rounds, _, err = parse("-rounds", "5", "-update", "-page", "other.md")
	require.NoError(t, err)
	require.Equal(t, 5, rounds)
	require.True(t, o.Update)
	require.Equal(t, "other.md", o.Page)

	o, _, _, err = parse("-only", "^http")
	require.NoError(t, err)
	require.True(t, o.Only.MatchString("http, 1"))
	require.False(t, o.Only.MatchString("tcp, 1"))
}

func TestOptionsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"quick"}, `"quick" is not a flag`},
		{[]string{"-quick"}, "flag provided but not defined"},
		{[]string{"-only", "("}, "missing closing )"},
		{[]string{"-only", "x", "-update"}, "-update writes whole tables, and -only leaves turns out"},
	} {
		_, _, _, err := parse(row.args...)
		require.ErrorContains(t, err, row.want)
	}
	_, _, usage, err := parse("-help")
	require.ErrorIs(t, err, flag.ErrHelp)
	require.Contains(t, usage, "leave out turns whose names do not match")
}

func TestPut(t *testing.T) {
	t.Parallel()
	var stdout bytes.Buffer
	path := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(path, []byte("<!-- a -->\nold\n<!-- /a -->\n"), 0o644))
	require.NoError(t, Options{Page: path}.Put(&stdout, "a", "new\n"))
	require.Equal(t, "new\n", stdout.String())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "old")

	stdout.Reset()
	require.NoError(t, Options{Page: path, Update: true}.Put(&stdout, "a", "new\n"))
	require.Empty(t, stdout.String())
	text, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "<!-- a -->\nnew\n<!-- /a -->\n", string(text))
	require.ErrorContains(t, Options{Page: path, Update: true}.Put(&stdout, "b", ""), "there is no place between")
}
