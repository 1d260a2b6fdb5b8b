//go:build e2e

package docs

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

// targets is a checkout in which make says what it would do: most targets are gates of
// their own, of up to an hour. Where a tool is called, it is asked whether it knows its
// flags, and does nothing else: it prints its help, or lists its tests.
func targets(t *testing.T, _ *harness.Lab) *scene {
	t.Helper()
	s := newCheckout(t, "docs-none-")
	s.program(t, "make", "make", "--dry-run")
	path, err := exec.LookPath("go")
	require.NoError(t, err)
	tool := fmt.Sprintf("cd %s\nexport HOME=%s\n", s.root, home(t))
	s.script(t, filepath.Join(s.first, "go"), tool+fmt.Sprintf(`case $1 in
run) exec %[1]s "$@" -h ;;
test)
	while (($#)); do
		if [ "$1" = -run ]; then name=$2; fi
		arguments+=("$1")
		shift
	done
	exec %[1]s "${arguments[@]}" -list "^$name" ;;
esac
`, path))
	s.script(t, filepath.Join(s.dir, "bin/bench"), tool+"exec "+path+" run ./test/bench \"$@\" -h\n")
	// What makes a network namespace for a tool.
	s.script(t, filepath.Join(s.first, "unshare"), "shift\nexec \"$@\"\n")
	s.script(t, filepath.Join(s.first, "ip"), "")
	return s
}

// foreseen: make knows how to do all of it, and what a line sets for a tool, in its
// comment as well, is something that the tool knows.
func foreseen(t *testing.T, s *scene, b Block) {
	t.Helper()
	said := s.bash(t, 0, b.Script)
	require.NotEmpty(t, said)
	for _, call := range assignments(b.Script) {
		recipe := s.bash(t, 0, "make "+call.target+" "+call.variable+"="+call.value)
		line := lineWith(recipe, call.value)
		require.NotEmpty(t, line, "%s: no command gets %s", call.target, call.value)
		help, status := s.try(t, line)
		require.NoError(t, call.known(line, help, status))
	}
}

// assignment is a variable for a target of make.
type assignment struct{ target, variable, value string }

var (
	makeTarget   = regexp.MustCompile(`^make +([a-z][a-z-]*)`)
	makeVariable = regexp.MustCompile(`\b([A-Z]+(?:_[A-Z]+)*)=([^\s;,)]+)`)
)

// assignments are those of a block, in comments too.
func assignments(script string) []assignment {
	var all []assignment
	for _, line := range Lines(script) {
		target := makeTarget.FindStringSubmatch(line)
		for _, m := range makeVariable.FindAllStringSubmatch(line, -1) {
			if target != nil {
				all = append(all, assignment{target[1], m[1], m[2]})
			}
		}
	}
	return all
}

// lineWith is the last line of a recipe that has a word.
func lineWith(recipe, word string) string {
	found := ""
	for line := range strings.Lines(recipe) {
		for _, has := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" '\n", r) }) {
			if has == word {
				found = strings.TrimSpace(line)
			}
		}
	}
	return found
}

var nameOfTest = regexp.MustCompile(` -run (\w+)`)

// known reads what a tool said to its flags: its help and nothing against them, or the
// test that would run.
func (a assignment) known(line, said string, status int) error {
	if strings.Contains(said, "not defined") || strings.Contains(said, "invalid value") {
		return fmt.Errorf("%s %s=%s: %s", a.target, a.variable, a.value, said)
	}
	if m := nameOfTest.FindStringSubmatch(line); m != nil {
		if status != 0 || !strings.Contains("\n"+said, "\n"+m[1]) {
			return fmt.Errorf("%s %s=%s: no test %s: %s", a.target, a.variable, a.value, m[1], said)
		}
		return nil
	}
	if !strings.Contains(said, "Usage of ") {
		return fmt.Errorf("%s %s=%s: no help of a tool, but %q", a.target, a.variable, a.value, said)
	}
	return nil
}

// TestForeseen: what the lines of make are held against can fail.
func TestForeseen(t *testing.T) {
	t.Parallel()
	require.Equal(t, []assignment{{"soak", "SOAK_FLAGS", "-only=node"}, {"drill-ci", "DRILL_PARALLEL", "9"}},
		assignments("make soak SOAK_FLAGS=-only=node  # one\nmake drill-ci # with DRILL_PARALLEL=9; A=1\nFOO=1 true\n")[:2])
	require.Equal(t, "go run ./test/fuzz -time '10m'", lineWith("go build x\ngo run ./test/fuzz -time '10m'\n", "10m"))
	require.Empty(t, lineWith("go run ./test/fuzz -time '110m'\n", "10m"))
	a := assignment{"soak", "SOAK_FLAGS", "-only=node"}
	require.NoError(t, a.known("go run ./test/fuzz", "Usage of fuzz:\n  -only", 1))
	require.Error(t, a.known("go run ./test/fuzz", "flag provided but not defined: -only\nUsage of fuzz:", 1))
	require.Error(t, a.known("go run ./test/fuzz", `invalid value "x" for flag -only: parse error`+"\nUsage of fuzz:", 1))
	require.Error(t, a.known("rm -rf bin", "", 0))
	require.NoError(t, a.known("go test -run TestSoak ./test/soak", "TestSoak\nok\n", 0))
	require.Error(t, a.known("go test -run TestSoak ./test/soak", "ok\n", 0))
	require.Error(t, a.known("go test -run TestSoak ./test/soak", "FAIL\n", 1))
}
