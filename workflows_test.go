package canary_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

var (
	used   = regexp.MustCompile(`(?m)^\s*(?:- )?uses: *(\S+)(.*)$`)
	pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
	tagged = regexp.MustCompile(`^ # v\d+(\.\d+)*$`)
)

// unpinned lists what a workflow uses by a name that can be moved.
func unpinned(text string) []string {
	var problems []string
	for _, match := range used.FindAllStringSubmatch(text, -1) {
		action, comment := match[1], match[2]
		own := isAction(action) || strings.HasPrefix(action, promotes)
		if !own && (!pinned.MatchString(action) || !tagged.MatchString(comment)) {
			problems = append(problems, fmt.Sprintf("%s%s is not pinned by its commit, with the version behind it", action, comment))
		}
	}
	return problems
}

// rights lists the jobs of a workflow that have more or other rights than it says.
func rights(t *testing.T, text string) []string {
	t.Helper()
	var document struct {
		Permissions map[string]string
		Jobs        map[string]struct {
			Permissions map[string]string
			Uses        string
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(text), &document))
	var problems []string
	if document.Permissions == nil || len(document.Permissions) > 0 {
		problems = append(problems, "the workflow begins with rights: permissions: {}")
	}
	for name, job := range document.Jobs {
		if job.Permissions == nil && job.Uses == "" {
			problems = append(problems, "job "+name+" does not say which rights it has")
		}
	}
	return problems
}

// TestWorkflows: actions of others are pinned by commits, and every job has the rights
// that it names and no more.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	workflows, err := filepath.Glob(".github/workflows/*.yml")
	require.NoError(t, err)
	require.Contains(t, workflows, ".github/workflows/release.yml")
	for _, path := range workflows {
		require.Empty(t, rights(t, read(t, path)), path)
	}
	for _, path := range append(workflows, examples(t)...) {
		require.Empty(t, unpinned(read(t, path)), path)
	}
}

// TestWrongWorkflows shows that the checks can fail.
func TestWrongWorkflows(t *testing.T) {
	t.Parallel()
	commit := strings.Repeat("0123456789", 4)
	require.Empty(t, unpinned("      - uses: a/b@"+commit+" # v1.2\n      - uses: ./\n        uses: org/l4-canary/host@v1\n    uses: "+promotes+"v1\n"))
	for _, line := range []string{"a/b@v1", "a/b@" + commit, "a/b@" + commit[1:] + " # v1", "a/b@" + commit + " # main", "docker://a@sha256:1"} {
		require.Len(t, unpinned("      - uses: "+line+"\n"), 1, line)
	}
	const job = "jobs: {a: {permissions: {}}}\n"
	require.Empty(t, rights(t, "permissions: {}\n"+job))
	require.Len(t, rights(t, job), 1)
	require.Len(t, rights(t, "permissions: {contents: write}\n"+job), 1)
	require.Len(t, rights(t, "permissions: {}\njobs: {a: {}, b: {uses: x}}\n"), 1)
}
