package canary_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/test/docs"
)

// sources are the lines of everything that can print a message, as they read when it is
// printed.
func sources(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, dir := range []string{"cmd", "internal", "host"} {
		require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			printed := strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".sh")
			if err != nil || !printed {
				return err
			}
			data, err := os.ReadFile(path)
			all = append(all, printable(string(data))...)
			return err
		}))
	}
	require.Greater(t, len(all), 5000)
	return all
}

// joined is a text that goes on in the next line of the source.
var joined = regexp.MustCompile(`" ?\+\n\s*"`)

// printable are the lines of a source, with texts in one piece and without escapes.
func printable(source string) []string {
	source = joined.ReplaceAllString(source, "")
	return strings.Split(strings.NewReplacer(`\"`, `"`, `%%`, `%`, `\n`, " ").Replace(source), "\n")
}

// unknown lists the messages of a document's "log" blocks that no line of the sources
// could print: what stands between the dots has to be there, in this order.
func unknown(document string, sources []string) []string {
	var problems []string
	for _, block := range docs.Parts(document) {
		if block.Language != "log" {
			continue
		}
		for message := range strings.Lines(block.Text) {
			message = strings.TrimSpace(message)
			if !printedBy(message, sources) {
				problems = append(problems, fmt.Sprintf("line %d: nothing prints %q", block.Line, message))
			}
		}
	}
	return problems
}

func printedBy(message string, sources []string) bool {
	var pieces []string
	for piece := range strings.SplitSeq(message, "…") {
		pieces = append(pieces, regexp.QuoteMeta(piece))
	}
	pattern := regexp.MustCompile(strings.Join(pieces, ".*"))
	return slices.ContainsFunc(sources, pattern.MatchString)
}

// TestMessages: a message that the documentation explains is one that the program prints.
func TestMessages(t *testing.T) {
	t.Parallel()
	printed := sources(t)
	for _, path := range documents(t) {
		if filepath.Ext(path) == ".md" {
			for _, problem := range unknown(read(t, path), printed) {
				t.Errorf("%s: %s", path, problem)
			}
		}
	}
	require.Greater(t, strings.Count(read(t, "docs/troubleshooting.md"), "```log"), 10)
}

// TestUnknownMessages shows that the check can fail.
func TestUnknownMessages(t *testing.T) {
	t.Parallel()
	printed := printable("x := fmt.Sprintf(\"pod %q has \\\"%d %%\\\" of\"+\n\t\t\" the share\", a, b)\ny(\"other\")\n")
	block := func(text string) string { return "```log\n" + text + "\n```\n" }
	require.Empty(t, unknown(block(`pod … has "… %" of the share`), printed))
	require.Empty(t, unknown(block("…of the share\nother"), printed))
	require.Empty(t, unknown("```text\nnobody says so\n```\n", printed), "blocks of other kinds are no messages")
	for _, message := range []string{"pod … had", "of the share … pod", "pod … has other", "share of"} {
		problems := unknown(block(message), printed)
		require.Len(t, problems, 1, message)
		require.Contains(t, problems[0], "line 1: nothing prints")
	}
}
