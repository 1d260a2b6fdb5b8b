package main

import (
	"crypto/sha256"
	"errors"
	"flag"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/kube"
)

var update = flag.Bool("update", false, "write what the program prints into the scripts")

// TestMain makes the test binary the program itself when a script calls it so.
func TestMain(m *testing.M) {
	kube.Quiet()
	testscript.Main(m, map[string]func(){"l4-canary": main, postName: main})
}

// TestScript runs every script on the compiled program. $REPOSITORY is the checkout.
// Beside testscript's own, the scripts have these commands:
//
//	exits STATUS PROGRAM ARGUMENT…  runs the program and asserts its exact exit
//	    status. Where that is not 0, no file of the work directory or of TMPDIR may
//	    have appeared, changed or gone, but for those in out/.
//	cluster KIND  starts an API server and writes a kubeconfig for it to
//	    cluster.yaml; from then on "exits" fails on a request that could change
//	    something.
//	read  asserts that the API server of "cluster" was asked something.
//	endpoint PERCENT  starts a TCP server, of whose connections so many in a hundred
//	    are greeted by "new", the others by "old"; sets PORT.
//	forge KIND  starts a GitHub with pull request 7 and makes the script a job of it; once
//	    it is there, it becomes of that kind.
//	comment FILE  adds a comment of a job to the pull request.
//	comments NUMBER FILE  asserts how many comments there are, and writes them to a file.
//	plant  writes kubeconfigs with every kind of credential for the server of "cluster".
//	clean FILE…  asserts that no secret is in what was written, and empties out/.
//	prometheus VALUE  starts a Prometheus server that gives one value for nearly every
//	    query; sets PROMETHEUS, its address, and METRIC_PASSWORD.
func TestScript(t *testing.T) {
	t.Parallel()
	repository, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		ContinueOnError:     true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			env.Values[serverKey{}], env.Values[forgeKey{}], env.Values[plantedKey{}] = &apiServer{}, &forge{}, new(string)
			env.Setenv("REPOSITORY", repository)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "cluster": startCluster, "read": read, "endpoint": startEndpoint, "prometheus": startPrometheus,
			"forge": startForge, "comment": addComment, "comments": listComments,
			"plant": plant, "clean": clean,
		},
	})
}

// exits runs a program whose exit status the script knows.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARGUMENT…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	before := snapshot(ts)
	status := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("starting %s: %v", args[1], err)
		}
		status = exit.ExitCode()
	}
	if status != want {
		ts.Fatalf("the exit status is %d, not %d", status, want)
	}
	if server, ok := ts.Value(serverKey{}).(*apiServer); ok {
		if writes := server.written(); len(writes) > 0 {
			ts.Fatalf("the API server was written to: %q", writes)
		}
	}
	if after := snapshot(ts); want != 0 && !maps.Equal(before, after) {
		ts.Fatalf("a failure left something behind:\nbefore %v\nafter  %v", before, after)
	}
}

// snapshot is the digest of every file in the script's directories, which hold
// TMPDIR too.
func snapshot(ts *testscript.TestScript) map[string][sha256.Size]byte {
	root := ts.Getenv("WORK")
	files := map[string][sha256.Size]byte{}
	ts.Check(filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == filepath.Join(root, "out"):
			return fs.SkipDir
		case entry.IsDir():
			files[path] = [sha256.Size]byte{}
			return nil
		}
		data, err := os.ReadFile(path)
		files[path] = sha256.Sum256(data)
		return err
	}))
	return files
}
