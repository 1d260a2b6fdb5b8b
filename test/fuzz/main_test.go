package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"-only", "x", "-update"}, "-update writes whole tables, and -only leaves targets out"},
		{[]string{"-only", "("}, "missing closing )"},
		{[]string{"-time", "long"}, "-time long: allowed are a duration such as 30s, and a number of executions such as 1000x"},
		{[]string{"-time", "0x"}, "-time 0x: allowed are"},
		{[]string{"-quick"}, "flag provided but not defined"},
		{[]string{"quick"}, `"quick" is not a flag`},
		{[]string{"-root", t.TempDir()}, "no fuzz target was found in"},
	} {
		var stdout, stderr bytes.Buffer
		require.ErrorContains(t, run(t.Context(), row.args, &stdout, &stderr), row.want)
		require.Empty(t, stdout.String())
	}
	for _, good := range []string{"30s", "1m30s", "1.5h", "1000x"} {
		o, err := parse([]string{"-time", good}, nil)
		require.NoError(t, err)
		require.Equal(t, good, o.each)
		require.Equal(t, "docs/hostile.md", o.Page)
	}
}

// TestFindsAll: every target of the program is found, and none that is none.
func TestFindsAll(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	found, err := find(root, regexp.MustCompile(""))
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "grep", "-hoE", `^func Fuzz\w+\(\w+ \*testing\.F\)`, "--", "cmd/*_test.go", "internal/*_test.go", "test/*_test.go").Output()
	require.NoError(t, err)
	require.Len(t, found, strings.Count(string(out), "\n"))
	require.Contains(t, found, target{"internal/ci", "FuzzForeign"})
	for _, one := range found {
		require.Contains(t, string(out), "func "+one.name+"(")
	}
	some, err := find(root, regexp.MustCompile("^FuzzForeign$"))
	require.NoError(t, err)
	require.Equal(t, []target{{"internal/ci", "FuzzForeign"}}, some)
}

// module is a module with a target that fails on what its seeds already say, one that does
// not, and what is none.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":              "module example.com/m\n\ngo 1.26\n",
		"inner/go.mod":        "module example.com/inner\n",
		"inner/a_test.go":     "package inner\nimport \"testing\"\nfunc FuzzInner(f *testing.F) {}\n",
		"testdata/a_test.go":  "package broken {",
		"good/good_test.go":   "package good\nimport \"testing\"\nfunc FuzzGood(f *testing.F) { f.Add(1); f.Fuzz(func(t *testing.T, n int) {}) }\nfunc Fuzzy(n int) {}\nfunc TestNone(t *testing.T) {}\ntype x int\nfunc (x) FuzzMethod(f *testing.F) {}\n",
		"bad/bad_test.go":     "package bad\nimport \"testing\"\nfunc FuzzBad(f *testing.F) { f.Add(1); f.Fuzz(func(t *testing.T, n int) { if n == 1 { t.Fatal(\"one is too many\") } }) }\n",
		"hostile.md":          "# Title\n<!-- measured -->\nold\n<!-- /measured -->\nend\n",
		"testdata/hostile.md": "",
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

// TestCommand is the command on targets that behave and on one that does not.
func TestCommand(t *testing.T) {
	t.Parallel()
	dir := module(t)
	page := filepath.Join(dir, "hostile.md")
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), []string{"-root", dir, "-time", "50x", "-update", "-page", page}, &stdout, &stderr)
	require.EqualError(t, err, "1 of 2 targets failed", stderr.String())
	require.Contains(t, stderr.String(), "one is too many")
	require.Contains(t, stderr.String(), "2 of 2: FuzzGood, 50x")
	require.Regexp(t, "(?m)^\\| `FuzzBad` \\| `bad` \\| \\d+ \\| – \\| – \\| \\*\\*failed\\*\\* \\|$", stdout.String())
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(text), "old", "the page keeps what is true of it")

	require.NoError(t, os.RemoveAll(filepath.Join(dir, "bad")))
	stdout.Reset()
	stderr.Reset()
	require.NoError(t, run(t.Context(), []string{"-root", dir, "-time", "50x", "-update", "-page", page}, &stdout, &stderr))
	require.NotContains(t, stderr.String(), "without coverage")
	require.Empty(t, stdout.String())
	text, err = os.ReadFile(page)
	require.NoError(t, err)
	require.Regexp(t, "(?s)^# Title\n<!-- measured -->\n1 targets, .*\\| `FuzzGood` \\| `good` \\| \\d+ \\| \\d+ \\| \\d+ \\| ok \\|\n<!-- /measured -->\nend\n$", string(text))

	require.NoError(t, os.WriteFile(filepath.Join(dir, "good", "more_test.go"), []byte("package good\nfunc x( {\n"), 0o600))
	require.ErrorContains(t, run(t.Context(), []string{"-root", dir}, &stdout, &stderr), "more_test.go")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "good", "more_test.go"), []byte("package good\nvar _ = y\n"), 0o600))
	require.ErrorContains(t, run(t.Context(), []string{"-root", dir}, &stdout, &stderr), "undefined: y")
}

func TestCount(t *testing.T) {
	t.Parallel()
	executions, interesting, err := count([]byte("fuzz: elapsed: 0s, gathering baseline coverage: 0/9 completed\n" +
		"fuzz: elapsed: 3s, execs: 1021 (340/sec), new interesting: 5 (total: 14)\nfuzz: elapsed: 4s, execs: 12345 (9/sec), new interesting: 7 (total: 16)\nPASS\n"))
	require.NoError(t, err)
	require.Equal(t, 12345, executions)
	require.Equal(t, 7, interesting)
	_, _, err = count([]byte("PASS\n"))
	require.ErrorContains(t, err, "PASS")
}

// TestExpired: time that is over is no failure, and anything else is.
func TestExpired(t *testing.T) {
	t.Parallel()
	const before = "fuzz: elapsed: 5s, execs: 7451 (1186/sec), new interesting: 0 (total: 12)\n--- FAIL: FuzzX (5.32s)\n"
	require.True(t, expired([]byte(before+"    context deadline exceeded\nFAIL\n")))
	for _, rest := range []string{
		"    --- FAIL: FuzzX (0.00s)\n        a_test.go:3: context deadline exceeded\n    \n    Failing input written to testdata/fuzz/FuzzX/1\nFAIL\n",
		"    fuzzing process hung or terminated unexpectedly: exit status 2\n    Failing input written to testdata/fuzz/FuzzX/1\nFAIL\n",
		"    context deadline exceeded\n    Failing input written to testdata/fuzz/FuzzX/1\nFAIL\n", "",
	} {
		require.False(t, expired([]byte(before+rest)), rest)
	}
	require.False(t, expired([]byte("panic: context deadline exceeded\n")))
}

func TestTable(t *testing.T) {
	t.Parallel()
	text := table([]result{
		{target: target{"internal/a", "FuzzA"}, took: 22 * time.Second, executions: 1234567, interesting: 12},
		{target: target{"internal/b", "FuzzB"}, took: 1499 * time.Millisecond, failed: true},
	})
	_, rows, _ := strings.Cut(text, "\n\n")
	require.Regexp(t, `^2 targets, \d+ cores, go1\.\S+: 1,234,567 executions in 23s\.\n`, text)
	require.Equal(t, "| target | package | seconds | executions | new interesting | result |\n|:--|:--|--:|--:|--:|--:|\n"+
		"| `FuzzA` | `internal/a` | 22 | 1,234,567 | 12 | ok |\n| `FuzzB` | `internal/b` | 1 | – | – | **failed** |\n", rows)
}
