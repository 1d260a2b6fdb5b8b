package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/page"
)

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"-stages", "0"}, "-stages and -judged are numbers from 1"},
		{[]string{"-judged", "-1"}, "-stages and -judged are numbers from 1"},
		{[]string{"-only", "x", "-update"}, "-update writes whole tables, and -only leaves cells out"},
		{[]string{"-only", "("}, "missing closing )"},
		{[]string{"-seed", "-3"}, "invalid value"},
		{[]string{"-quick"}, "flag provided but not defined"},
		{[]string{"quick"}, `"quick" is not a flag`},
	} {
		var stdout, stderr bytes.Buffer
		require.ErrorContains(t, run(row.args, &stdout, &stderr), row.want)
		require.Empty(t, stdout.String())
	}
	o, err := parse(nil, nil)
	require.NoError(t, err)
	require.Equal(t, size{20000, 5000}, o.sizes)
	require.Equal(t, "docs/verdict.md", o.Page)
}

// TestCommand is the command on one cell of either kind.
func TestCommand(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	args := []string{"-stages", "300", "-judged", "50", "-seed", "3", "-only", "^10 ± 5 % at 95 %|^hash of the client, 10 %"}
	require.NoError(t, run(args, &stdout, &stderr))
	require.Empty(t, stderr.String(), "it took no ten seconds")
	require.Contains(t, stdout.String(), "| 95 % | 10 ± 5 % | 390 |")
	require.Contains(t, stdout.String(), "| hash of the client | – | `INVALID_STICKY` 100 % | – |")
	require.Contains(t, stdout.String(), "| hash of the client | 10 % | 10 % | 0 | 0 | 0 | 100 % | 66 | 66 |")
}

// TestCommandTells: a broken promise is named and is an error.
func TestCommandTells(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	err := tell([]string{"a: false", "b: wrong"}, &stderr)
	require.EqualError(t, err, "2 promises are broken")
	require.Equal(t, "a: false\nb: wrong\n", stderr.String())
	require.NoError(t, tell(nil, &stderr))
}

// written are the options that write a page.
func written(path string) options { return options{Options: page.Options{Update: true, Page: path}} }

// TestUpdate writes the page and the picture, and leaves what is around the tables.
func TestUpdate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "images"), 0o755))
	path := filepath.Join(dir, "verdict.md")
	blank, before := "# Title\n", bench{sizes: size{1, 1}, seed: 5}
	for marker := range before.parts() {
		blank += "<!-- " + marker + " -->\n<!-- /" + marker + " -->\n"
	}
	require.NoError(t, os.WriteFile(path, []byte(blank+"the end\n"), 0o644))
	b := small(5, `^10 ± 5 % at 95 %|^random, 10 %`)
	require.NoError(t, b.print(written(path), nil))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Regexp(t, `(?s)^# Title\n.*\| 95 % \| 10 ± 5 % \| 390 .*the end\n$`, string(text))
	require.Contains(t, string(text), "300 simulated stages per figure, seed 5.")
	drawn, err := os.ReadFile(filepath.Join(dir, "images", "verdict.svg"))
	require.NoError(t, err)
	require.Equal(t, picture(5), string(drawn))

	require.NoError(t, os.WriteFile(path, []byte("# Title\n"), 0o644))
	require.ErrorContains(t, b.print(written(path), nil), "there is no place between")
	require.ErrorIs(t, b.print(written(path+"x"), nil), os.ErrNotExist)
}
