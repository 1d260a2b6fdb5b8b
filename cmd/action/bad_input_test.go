package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/config"
)

// badInput is one way to call the program that it has to turn down. $WORK stands for a directory
// of the row's own, in which pair.yaml, cluster.yaml (a kubeconfig) and files are, and $SERVER
// for the API server of that kubeconfig.
type badInput struct {
	name  string            // unique in all tables
	run   string            // the command line: words with blanks between them
	env   map[string]string // KUBECONFIG is $WORK/cluster.yaml where nothing else says so
	files map[string]string // one that begins with symlinkTo is a symbolic link
	stdin string

	input  string   // that the message has to name; empty: it names a file, or the command line is wrong
	value  string   // of the input, that the message has to show
	hidden string   // what nothing may show
	server string   // kind of API server that is read; empty: nobody may be asked anything
	report string   // a file that was asked for and may be written: it tells of the refusal
	prints bool     // stdout holds something all the same: a plan, or an annotation
	exit   ExitCode // ExitOK stands for ExitUsage
}

const symlinkTo = "link to "

// themes are all tables, each with the file of testdata/bad that holds what the program says.
func themes() map[string][]badInput {
	return map[string][]badInput{
		"inputs":     inputRows(),
		"together":   togetherRows(),
		"commands":   commandRows(),
		"probes":     probeRows(),
		"queries":    queryRows(),
		"kubeconfig": kubeconfigRows(),
		"manifests":  manifestRows(),
		"objects":    objectRows(),
		"cluster":    clusterRows(),
	}
}

// TestBadInput: whatever is wrong, the message says where and what would do, the status is that
// of the contract, no file appears or changes, and no API server is asked to change anything.
// With -update the messages are written into testdata/bad, to be read.
func TestBadInput(t *testing.T) {
	t.Parallel()
	for theme, rows := range themes() {
		t.Run(theme, func(t *testing.T) {
			t.Parallel()
			said := make([]string, len(rows))
			t.Run("row", func(t *testing.T) {
				for i, row := range rows {
					t.Run(row.name, func(t *testing.T) {
						t.Parallel()
						said[i] = row.check(t)
					})
				}
			})
			if *update || !t.Failed() {
				compareSaid(t, filepath.Join("testdata", "bad", theme+".txt"), rows, said)
			}
		})
	}
}

// TestBadInputs: there are enough of them, each has a name of its own, and no input is left out.
func TestBadInputs(t *testing.T) {
	t.Parallel()
	const least, each = 200, 2
	anything := []string{
		"comment-key", // any text is one
		"manifests",   // a theme of its own, whose messages name files
	}
	names, rows := map[string]bool{}, map[string]int{}
	for _, theme := range themes() {
		for _, row := range theme {
			require.False(t, names[row.name], "two rows are called %q", row.name)
			names[row.name] = true
			rows[row.input]++
		}
	}
	require.GreaterOrEqual(t, len(names), least)
	for _, command := range []string{
		config.Action, config.CommandRun, config.CommandPlan, config.CommandDoctor, config.CommandRollback, config.CommandStatus, config.CommandSample,
	} {
		for _, input := range config.ForCommand(command) {
			if !slices.Contains(anything, input.Name) {
				require.GreaterOrEqual(t, rows[input.Name], each, "input %q", input.Name)
			}
		}
	}
}

// check runs the row and returns what the program said.
func (b badInput) check(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	dir, server := t.TempDir(), newCluster(t, b.server, cancel)
	place := strings.NewReplacer("$WORK", dir, "$SERVER", server.url)
	files := map[string]string{"pair.yaml": soundPair, "cluster.yaml": server.kubeconfig}
	maps.Copy(files, b.files)
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		if target, link := strings.CutPrefix(text, symlinkTo); link {
			require.NoError(t, os.Symlink(target, filepath.Join(dir, name)))
			continue
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(place.Replace(text)), 0o600))
	}
	env := map[string]string{"KUBECONFIG": "$WORK/cluster.yaml", "HOME": "$WORK/home"}
	maps.Copy(env, b.env)
	var environ []string
	args := []string{} // none at all would be those of the tests
	for name, value := range env {
		env[name] = place.Replace(value)
		environ = append(environ, name+"="+env[name])
	}
	for word := range strings.FieldsSeq(b.run) {
		args = append(args, place.Replace(word))
	}
	before := digests(t, dir)
	var stdout, stderr bytes.Buffer
	command := Command{
		Stdin: strings.NewReader(b.stdin), Stdout: &stdout, Stderr: &stderr, Dir: dir, Environ: environ,
		Getenv: func(name string) string { return env[name] }, Contained: b.env["CONTAINED"] != "",
	}
	code := command.Run(ctx, args)
	require.Empty(t, server.api.written(), "the API server was asked to change something")
	require.NoError(t, ctx.Err(), "it did not end by itself, or asked an API server that it should not; stderr: %s", stderr.String())
	require.Equal(t, max(b.exit, ExitUsage), code, "stderr: %s", stderr.String())
	silent := b.server == "" || b.server == "gone" || b.server == "untrusted"
	require.Equal(t, !silent, server.api.asked() > 0, "whether the API server was asked anything; stderr: %s", stderr.String())
	after := digests(t, dir)
	if b.report != "" {
		delete(after, filepath.Join(dir, b.report))
	}
	require.Equal(t, before, after, "a file appeared, changed or went")
	back := strings.NewReplacer(dir, "$WORK", server.url, "$SERVER", strings.TrimPrefix(server.url, "https://"), "$HOST")
	printed, complaint := back.Replace(withoutLog(stdout.String())), back.Replace(withoutLog(stderr.String()))
	require.Equal(t, b.prints, printed != "", "stdout: %s", printed)
	b.judge(t, printed, complaint)
	return fmt.Sprintf("exit %d\n%s%s", code, printed, complaint)
}

// judge asserts what every message has to have.
func (b badInput) judge(t *testing.T, printed, complaint string) {
	t.Helper()
	require.Contains(t, complaint, "l4-canary: ")
	if b.input != "" {
		require.Contains(t, complaint, fmt.Sprintf("input %q", b.input))
	}
	require.Contains(t, complaint, b.value)
	for _, hidden := range []string{b.hidden, secretToken, "THE-SECRET"} {
		if hidden != "" {
			require.NotContains(t, printed+complaint, hidden)
		}
	}
	for _, internal := range []string{"goroutine ", "runtime error", "%!", "<nil>"} {
		require.NotContains(t, complaint, internal)
	}
}

// logLine is a line of the log, which begins with the time.
var logLine = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d .*\n`)

func withoutLog(text string) string { return logLine.ReplaceAllString(text, "") }

// compareSaid holds what the program said against the file, or writes it there.
func compareSaid(t *testing.T, path string, rows []badInput, said []string) {
	t.Helper()
	var got strings.Builder
	for i, row := range rows {
		fmt.Fprintf(&got, "-- %s --\n%s", row.name, said[i])
	}
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got.String(), "go test ./cmd/action -run TestBadInput -update, and read what changed")
}

// digests are those of everything below a directory.
func digests(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		found[path] = entry.Type().String()
		if entry.Type().IsRegular() {
			data, err := os.ReadFile(path)
			found[path] = fmt.Sprintf("%x", sha256.Sum256(data))
			return err
		}
		return nil
	}))
	return found
}
