//go:build e2e

package docs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/executable"
	"github.com/org/l4-canary/test/harness"
)

// scene is where blocks are run: what lies in the directory, which programs are found,
// and what they are told beside their command line.
type scene struct {
	root   string   // the checkout
	dir    string   // where the shell stands
	first  string   // first in PATH
	stored string   // the secrets that gh was given, a file each
	env    []string // beside the machine's
	inside []string // what runs the shell, such as "ip netns exec NAME"
	lab    *harness.Lab
}

// newScene is an empty directory, and the program that was built.
func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{root: harness.Root(t), dir: t.TempDir(), first: t.TempDir(), stored: t.TempDir()}
	s.env = []string{"PATH=" + s.first + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "L4_LAB_SOURCE=" + s.root}
	require.NoError(t, os.Symlink(filepath.Join(s.root, "bin/l4-canary"), filepath.Join(s.first, "l4-canary")))
	return s
}

// newCheckout is a directory that looks like the checkout, and is written to in its stead:
// the same files, and a bin of its own. Its bin/lab puts the labs under names that begin
// with prefix, so that those of whoever works here are never touched.
func newCheckout(t *testing.T, prefix string) *scene {
	t.Helper()
	s := newScene(t)
	entries, err := os.ReadDir(s.root)
	require.NoError(t, err)
	for _, entry := range entries {
		if name := entry.Name(); name != "bin" && name != "dist" && name != ".git" {
			require.NoError(t, os.Symlink(filepath.Join(s.root, name), filepath.Join(s.dir, name)))
		}
	}
	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "bin"), 0o755))
	require.NoError(t, os.Symlink(filepath.Join(s.root, "bin/l4-canary"), filepath.Join(s.dir, "bin/l4-canary")))
	s.script(t, filepath.Join(s.dir, "bin/lab"), fmt.Sprintf(`name=lab arguments=()
while (($#)); do
	case $1 in
	--name) name=$2; shift 2 ;;
	--) arguments+=("$@"); break ;;
	*) arguments+=("$1"); shift ;;
	esac
done
exec env HOME=%s %s/bin/lab "${arguments[0]}" --name "%s$name" "${arguments[@]:1}"
`, home(t), s.root, prefix))
	return s
}

// home is the machine's own, where caches are; blocks have another.
func home(t *testing.T) string {
	t.Helper()
	dir, err := os.UserHomeDir()
	require.NoError(t, err)
	return dir
}

// script writes one for bash.
func (s *scene) script(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, executable.Write(path, "#!/bin/bash\nset -euo pipefail\n"+text))
}

// program has blocks find a command line under a name.
func (s *scene) program(t *testing.T, name string, argv ...string) {
	t.Helper()
	path, err := exec.LookPath(argv[0])
	require.NoError(t, err)
	s.script(t, filepath.Join(s.first, name), fmt.Sprintf("exec env HOME=%s %s \"$@\"\n", home(t), strings.Join(append([]string{path}, argv[1:]...), " ")))
}

// secrets has blocks find a gh that keeps the secrets it is given.
func (s *scene) secrets(t *testing.T) {
	t.Helper()
	s.script(t, filepath.Join(s.first, "gh"), fmt.Sprintf(`if [[ $# != 3 || "$1 $2" != "secret set" ]]; then
	echo "gh $*: only \"gh secret set NAME\" is known here" >&2
	exit 1
fi
cat >"%s/$3"
`, s.stored))
}

// secret is one that a block has stored. The next block has to store it anew.
func (s *scene) secret(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(s.stored, name)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	return string(data)
}

// file puts a file of the checkout into the scene, with replacements.
func (s *scene) file(t *testing.T, from, to string, replacements ...string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.root, from))
	require.NoError(t, err)
	text := string(data)
	for i := 0; i < len(replacements); i += 2 {
		require.Contains(t, text, replacements[i])
		text = strings.ReplaceAll(text, replacements[i], replacements[i+1])
	}
	s.write(t, to, text)
}

func (s *scene) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(s.dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func (s *scene) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	require.NoError(t, err)
	return string(data)
}

// patience is for one block; the longest waits for two clusters.
const patience = 5 * time.Minute

// bash runs commands as they stand, with the first that fails ending it, and requires the
// exit status. It returns what they print.
func (s *scene) bash(t *testing.T, exit int, script string) string {
	t.Helper()
	said, status := s.try(t, script)
	require.Equal(t, exit, status, "%s\n%s", script, said)
	return said
}

// try runs commands to whichever end, also when the test is over.
func (s *scene) try(t *testing.T, script string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	argv := append(slices.Clone(s.inside), "bash", "-euo", "pipefail", "-c", script)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = s.dir, append(machine(), s.env...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); !ended {
		require.NoError(t, err)
	}
	t.Logf("exit %d after %s\n%s\n%s", cmd.ProcessState.ExitCode(), time.Since(began).Round(time.Millisecond), script, out)
	require.NoError(t, ctx.Err(), "it did not end by itself")
	return string(out), cmd.ProcessState.ExitCode()
}

// machine is the environment without what a CI, or whoever works here, would tell the
// program.
func machine() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return slices.ContainsFunc([]string{"GITHUB_", "GITLAB_", "INPUT_", "L4_CANARY_", "CI=", "KUBECONFIG="}, func(prefix string) bool {
			return strings.HasPrefix(variable, prefix)
		})
	})
}
