package executable_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/executable"
)

// TestWrite runs programs as soon as they are written, beside others that do the same. With
// os.WriteFile about one in a thousand is busy.
func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var all sync.WaitGroup
	for worker := range 6 {
		all.Go(func() {
			for i := range 100 {
				path := filepath.Join(dir, fmt.Sprintf("%d-%d", worker, i))
				if err := executable.Write(path, "#!/bin/sh\necho ran\n"); err != nil {
					t.Error(err)
					return
				}
				out, err := exec.CommandContext(t.Context(), "sh", "-c", path).CombinedOutput()
				if err != nil || string(out) != "ran\n" {
					t.Errorf("%v: %s", err, out)
				}
			}
		})
	}
	all.Wait()
}

// byHand is a program that is written without Write.
var byHand = regexp.MustCompile(`os\.(WriteFile|OpenFile)\(.*, 0o?7[0-7]{2}\)`)

// TestOnlyHere: nothing else in the module writes a program. The lab is another one, and runs
// nothing that its tests write.
func TestOnlyHere(t *testing.T) {
	t.Parallel()
	require.Regexp(t, byHand, `os.WriteFile(path, data, 0o755)`)
	const root = "../.."
	read := 0
	require.NoError(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == filepath.Join(root, "lab"), path == filepath.Join(root, "test", "executable"):
			return fs.SkipDir
		case filepath.Ext(path) != ".go":
			return nil
		}
		read++
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotRegexp(t, byHand, string(data), "%s: use executable.Write", path)
		return nil
	}))
	require.NotZero(t, read)
}
