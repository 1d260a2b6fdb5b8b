// Package docs takes the documentation apart. Its tests on real clusters run every
// command of it.
package docs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Part is a fenced block of a document, or a line outside of one that is not empty.
type Part struct {
	Line     int // where it begins, from 1
	Fenced   bool
	Language string
	Text     string
}

// Parts takes a document apart. Blocks may be indented, as in lists.
func Parts(document string) []Part {
	var all []Part
	fence, indent := false, ""
	for i, line := range strings.Split(document, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "```"):
			if fence = !fence; fence {
				indent, _, _ = strings.Cut(line, "`")
				all = append(all, Part{Line: i + 1, Fenced: true, Language: strings.TrimLeft(trimmed, "`")})
			}
		case fence:
			all[len(all)-1].Text += strings.TrimPrefix(line, indent) + "\n"
		case trimmed != "":
			all = append(all, Part{Line: i + 1, Text: line})
		}
	}
	return all
}

// Lines are the commands of a block: a backslash at its end continues a line.
func Lines(block string) []string {
	return strings.Split(strings.TrimSpace(strings.ReplaceAll(block, "\\\n", " ")), "\n")
}

// Documents are the Markdown files of a checkout, as paths in it: those in its root, and
// those in docs.
func Documents(root string) ([]string, error) {
	found, err := fs.Glob(os.DirFS(root), "*.md")
	if err != nil {
		return nil, fmt.Errorf("looking for documents in %q: %w", root, err)
	}
	err = fs.WalkDir(os.DirFS(root), "docs", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "node_modules" {
			return fs.SkipDir
		}
		if filepath.Ext(path) == ".md" {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for documents in %q: %w", root, err)
	}
	return found, nil
}

// Key names a block of commands: the document, and the block's first line.
type Key struct{ Document, First string }

// Block is a block of commands of a document.
type Block struct {
	Key
	Line    int    // where it begins
	Script  string // as it stands
	Follows string // the block that comes next, with no word in between, if it is no block of commands
}

// shells are the languages of blocks that are for a shell to run.
var shells = []string{"sh", "bash", "shell", "zsh", "console", "shell-session"}

// Blocks are the blocks of commands of one document.
func Blocks(document, text string) []Block {
	var found []Block
	all := Parts(text)
	for i, p := range all {
		if !isShell(p) {
			continue
		}
		first, _, _ := strings.Cut(p.Text, "\n")
		b := Block{Key: Key{document, first}, Line: p.Line, Script: p.Text}
		if i+1 < len(all) && all[i+1].Fenced && !isShell(all[i+1]) {
			b.Follows = all[i+1].Text
		}
		found = append(found, b)
	}
	return found
}

func isShell(p Part) bool {
	language, _, _ := strings.Cut(p.Language, " ")
	return p.Fenced && slices.Contains(shells, strings.ToLower(language))
}

// Match finds the blocks that keys name. The error says which block no key names, which
// key names none, and which names more than one.
func Match(blocks []Block, keys []Key) (map[Key]Block, error) {
	found := map[Key]Block{}
	var problems []error
	for _, b := range blocks {
		if _, twice := found[b.Key]; twice {
			problems = append(problems, fmt.Errorf("%s:%d: two blocks of commands begin with %q", b.Document, b.Line, b.First))
		} else if !slices.Contains(keys, b.Key) {
			problems = append(problems, fmt.Errorf("%s:%d: nothing runs the block of commands that begins with %q", b.Document, b.Line, b.First))
		}
		found[b.Key] = b
	}
	for i, key := range keys {
		if _, there := found[key]; !there {
			problems = append(problems, fmt.Errorf("%s has no block of commands that begins with %q", key.Document, key.First))
		}
		if slices.Contains(keys[:i], key) {
			problems = append(problems, fmt.Errorf("%s: the block that begins with %q is in the table twice", key.Document, key.First))
		}
	}
	return found, errors.Join(problems...)
}
