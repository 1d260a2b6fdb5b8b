package page

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInsert(t *testing.T) {
	t.Parallel()
	page := "before\n<!-- a -->\nold\n<!-- /a -->\nbetween\n<!-- b -->\n<!-- /b -->\nafter\n"
	got, err := Insert(page, map[string]string{"a": "1\n", "b": "2\n"})
	require.NoError(t, err)
	require.Equal(t, "before\n<!-- a -->\n1\n<!-- /a -->\nbetween\n<!-- b -->\n2\n<!-- /b -->\nafter\n", got)
	_, err = Insert("nothing", map[string]string{"a": "1\n"})
	require.EqualError(t, err, `there is no place between "<!-- a -->" and "<!-- /a -->"`)
	_, err = Insert("<!-- a -->\n", map[string]string{"a": "1\n"})
	require.Error(t, err)
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "page.md")
	require.ErrorIs(t, Update(path, nil), os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte("<!-- a -->\nold\n<!-- /a -->\n"), 0o644))
	require.NoError(t, Update(path, map[string]string{"a": "new\n"}))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "<!-- a -->\nnew\n<!-- /a -->\n", string(text))
	require.EqualError(t, Update(path, map[string]string{"b": ""}), path+`: there is no place between "<!-- b -->" and "<!-- /b -->"`)
}

func TestTable(t *testing.T) {
	t.Parallel()
	var table Table
	table.Head(1, "name", "from", "to")
	table.Row("x", "1", "2")
	require.Equal(t, "| name | from | to |\n|:--|--:|--:|\n| x | 1 | 2 |\n", table.String())
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 28232: "28,232", 999_999: "999,999", 1_234_567: "1,234,567"} {
		require.Equal(t, want, Thousands(n))
	}
}
