package docs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const document = "# Title\n\n" +
	"Type:\n\n" +
	"```sh\nl4-canary plan \\\n  --replicas 3   # that many\nl4-canary status\n```\n\n" +
	"```text\nreplicas 3\n```\n\n" +
	"1. Then:\n\n" +
	"   ```sh\n   make demo\n     indented\n   ```\n\n" +
	"Words.\n\n" +
	"```\nno language\n```\n\n" +
	"```yaml\nkey: value\n```\n" +
	"```Bash title=x\nmake test\n```\n"

func TestParts(t *testing.T) {
	t.Parallel()
	parts := Parts(document)
	require.Equal(t, []Part{
		{Line: 1, Text: "# Title"},
		{Line: 3, Text: "Type:"},
		{Line: 5, Fenced: true, Language: "sh", Text: "l4-canary plan \\\n  --replicas 3   # that many\nl4-canary status\n"},
		{Line: 11, Fenced: true, Language: "text", Text: "replicas 3\n"},
		{Line: 15, Text: "1. Then:"},
		{Line: 17, Fenced: true, Language: "sh", Text: "make demo\n  indented\n"},
		{Line: 22, Text: "Words."},
		{Line: 24, Fenced: true, Text: "no language\n"},
		{Line: 28, Fenced: true, Language: "yaml", Text: "key: value\n"},
		{Line: 31, Fenced: true, Language: "Bash title=x", Text: "make test\n"},
	}, parts)
	require.Equal(t, []string{"l4-canary plan    --replicas 3   # that many", "l4-canary status"}, Lines(parts[2].Text))
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	require.Equal(t, []Block{
		{
			Key: Key{"x.md", `l4-canary plan \`}, Line: 5, Follows: "replicas 3\n",
			Script: "l4-canary plan \\\n  --replicas 3   # that many\nl4-canary status\n",
		},
		{Key: Key{"x.md", "make demo"}, Line: 17, Script: "make demo\n  indented\n"},
		{Key: Key{"x.md", "make test"}, Line: 31, Script: "make test\n"},
	}, Blocks("x.md", document), "neither words nor other commands lie between a block and its output")
}

// TestMatch: whatever does not fit is said, all of it.
func TestMatch(t *testing.T) {
	t.Parallel()
	a, b, c := Key{"x.md", "make a"}, Key{"x.md", "make b"}, Key{"y.md", "make a"}
	block := func(key Key, line int) Block { return Block{Key: key, Line: line, Script: key.First + "\n"} }
	tests := []struct {
		name     string
		blocks   []Block
		keys     []Key
		problems string // empty: none
	}{
		{"all", []Block{block(a, 1), block(b, 5), block(c, 1)}, []Key{c, b, a}, ""},
		{"a block that nothing runs", []Block{block(a, 1), block(b, 5)}, []Key{a}, `x.md:5: nothing runs the block of commands that begins with "make b"`},
		{"the same in another document", []Block{block(a, 1), block(c, 7)}, []Key{a}, `y.md:7: nothing runs the block of commands that begins with "make a"`},
		{"an entry without a block", []Block{block(a, 1)}, []Key{a, b}, `x.md has no block of commands that begins with "make b"`},
		{"blocks that begin alike", []Block{block(a, 1), block(a, 9)}, []Key{a}, `x.md:9: two blocks of commands begin with "make a"`},
		{"an entry twice", []Block{block(a, 1)}, []Key{a, a}, `x.md: the block that begins with "make a" is in the table twice`},
		{
			"a block that was changed", []Block{block(b, 3)}, []Key{a},
			"x.md:3: nothing runs the block of commands that begins with \"make b\"\nx.md has no block of commands that begins with \"make a\"",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			found, err := Match(tt.blocks, tt.keys)
			if tt.problems != "" {
				require.EqualError(t, err, tt.problems)
				return
			}
			require.NoError(t, err)
			require.Equal(t, map[Key]Block{a: tt.blocks[0], b: tt.blocks[1], c: tt.blocks[2]}, found)
		})
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, path := range []string{"README.md", "Makefile", "docs/a.md", "docs/deep/b.md", "docs/a.png", "docs/render/node_modules/x/README.md", "internal/c.md"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, path), nil, 0o600))
	}
	found, err := Documents(root)
	require.NoError(t, err)
	require.Equal(t, []string{"README.md", "docs/a.md", "docs/deep/b.md"}, found)
	_, err = Documents(filepath.Join(root, "internal"))
	require.ErrorContains(t, err, "docs")
}
