//go:build e2e

package docs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/harness"
)

// entry is a block of commands, and how it is run: the function sets what it needs, runs
// it, and requires what must be true afterwards.
type entry struct {
	Key
	run func(t *testing.T, s *scene, b Block)
}

// group are entries that share a scene, in the order in which they are run.
type group struct {
	name    string
	alone   bool // needs no cluster, and would slow down who measures
	scene   func(t *testing.T, l *harness.Lab) *scene
	entries []entry
}

// TestEveryBlock has an entry for every block, and no other.
func TestEveryBlock(t *testing.T) { match(t, table()) }

// TestAlone runs what needs no cluster, one after the other. A block that nothing runs
// fails it, before anything else is done.
func TestAlone(t *testing.T) {
	blocks := match(t, table())
	require.Zero(t, os.Getuid(), "the namespaces that blocks are run in take root (try sudo)")
	for _, g := range table() {
		if g.alone {
			t.Run(g.name, func(t *testing.T) { g.run(t, nil, blocks) })
		}
	}
}

// TestOnCluster runs what is left, on a cluster that all share, and on those that the
// blocks make.
func TestOnCluster(t *testing.T) {
	blocks := match(t, table())
	const name = "docs-main"
	(&harness.Lab{Name: name}).Do(t, "down") // of a test that was killed
	l := harness.NewLab(t, name, "docs")
	for _, g := range table() {
		if !g.alone {
			t.Run(g.name, func(t *testing.T) { t.Parallel(); g.run(t, l, blocks) })
		}
	}
}

// run stops at the first that fails: what comes next may need what it left.
func (g group) run(t *testing.T, l *harness.Lab, blocks map[Key]Block) {
	t.Helper()
	s := g.scene(t, l)
	for _, e := range g.entries {
		if !t.Run(e.Document+": "+e.First, func(t *testing.T) { e.run(t, s, blocks[e.Key]) }) {
			return
		}
	}
}

// match holds the table against the documents.
func match(t *testing.T, all []group) map[Key]Block {
	t.Helper()
	root := harness.Root(t)
	documents, err := Documents(root)
	require.NoError(t, err)
	require.Contains(t, documents, "README.md")
	var blocks []Block
	for _, document := range documents {
		var data []byte
		data, err = os.ReadFile(filepath.Join(root, document))
		require.NoError(t, err)
		blocks = append(blocks, Blocks(document, string(data))...)
	}
	require.NotEmpty(t, blocks)
	var keys []Key
	for _, g := range all {
		for _, e := range g.entries {
			keys = append(keys, e.Key)
		}
	}
	found, err := Match(blocks, keys)
	require.NoError(t, err)
	return found
}

// prints runs a block, and requires its exit status and the output that follows it.
func prints(exit int) func(t *testing.T, s *scene, b Block) {
	return func(t *testing.T, s *scene, b Block) {
		t.Helper()
		require.NotEmpty(t, b.Follows)
		require.Equal(t, b.Follows, s.bash(t, exit, b.Script))
	}
}

// bare is a scene of a directory and the program.
func bare(t *testing.T, _ *harness.Lab) *scene { t.Helper(); return newScene(t) }
